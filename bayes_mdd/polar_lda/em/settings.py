"""Checks and defaults of the settings of a fit, and of given parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda.em.corpus import Corpus
from bayes_mdd.polar_lda.em.parameters import EMOptions, EStepMethod, LDAParameters


def read_options(
    max_iterations: int | None,
    tolerance: float | None,
    estimate_alpha: bool,
    e_step: str | None,
    start_given: bool,
) -> EMOptions:
    """Check the options of EM and fill in their defaults.

    Parameters
    ----------
    max_iterations, tolerance, estimate_alpha, e_step : int, float, bool, str, optional
        As for `fit_counts`.
    start_given : bool
        Whether a start was given. The default of `e_step` is then "published".

    Returns
    -------
    EMOptions
        Method and stopping rules.

    Raises
    ------
    SpecError
        If an option is out of its range.
    """
    default = "published" if start_given else "newton"
    chosen = check_e_step(default if e_step is None else e_step)
    published = chosen == "published"
    options = EMOptions(
        max_iterations=(101 if published else 1000) if max_iterations is None else max_iterations,
        tolerance=(1e-12 if published else 1e-9) if tolerance is None else tolerance,
        estimate_alpha=estimate_alpha,
        e_step=chosen,
    )
    if options.max_iterations < 1 or not options.tolerance >= 0:
        raise SpecError(
            f"max_iterations must be at least 1 and tolerance at least 0, got "
            f"{options.max_iterations} and {options.tolerance}."
        )
    return options


def check_e_step(value: str) -> EStepMethod:
    """Refuse an unknown E-step.

    Parameters
    ----------
    value : str
        The option.

    Returns
    -------
    str
        The same.

    Raises
    ------
    SpecError
        If it is neither "newton" nor "published".
    """
    if value in ("newton", "published"):
        return cast(EStepMethod, value)
    raise SpecError(f'e_step must be "newton" or "published", got {value!r}.')


def check_sizes(corpus: Corpus, n_factors: int, n_restarts: int, choose_by: str) -> None:
    """Refuse sizes that cannot be fitted.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    n_factors, n_restarts : int
        Number of factors and of random starts.
    choose_by : str
        How the reported restart is chosen.

    Raises
    ------
    SpecError
        If one is out of its range, or there are more factors than subjects.
    """
    if n_factors < 1 or n_restarts < 1:
        raise SpecError(
            f"n_factors and n_restarts must be at least 1, got {n_factors} and {n_restarts}."
        )
    if choose_by not in ("elbo", "correlation"):
        raise SpecError(f'choose_by must be "elbo" or "correlation", got {choose_by!r}.')
    if n_factors > corpus.n_subjects:
        raise SpecError(
            f"{n_factors} factors cannot be estimated from {corpus.n_subjects} participants: each "
            "could have a factor of their own. Reduce n_factors."
        )


def read_parameters(given: Mapping[str, Any] | xr.Dataset, n_edges: int) -> LDAParameters:
    """Read the parameters of a model, or of a start.

    Parameters
    ----------
    given : mapping or Dataset
        ``beta`` and ``rho`` as probabilities or logarithms, optionally ``alpha``.
    n_edges : int
        Expected number of edges.

    Returns
    -------
    LDAParameters
        With alpha 1 / K if it is not given.

    Raises
    ------
    DataContractError
        If a parameter is missing, has another shape, or is not a probability.
    """
    missing = [name for name in ("beta", "rho") if name not in given]
    if missing:
        raise DataContractError("parameters", [f"no '{name}' (factor, edge)." for name in missing])
    beta, rho = (np.asarray(given[name], dtype=np.float64) for name in ("beta", "rho"))
    if beta.ndim != 2 or beta.shape != rho.shape or beta.shape[1] != n_edges:
        raise DataContractError(
            "parameters",
            [f"beta {beta.shape} and rho {rho.shape} must be (factor, edge) with {n_edges} edges."],
        )
    # A logarithm of a probability is never above 0, a probability never below.
    beta, rho = (np.exp(x) if (x <= 0).all() and (x < 0).any() else x for x in (beta, rho))
    alpha = given.attrs["alpha"] if isinstance(given, xr.Dataset) else given.get("alpha")
    alpha = 1.0 / len(beta) if alpha is None else float(alpha)
    problems = []
    if not (np.isfinite(beta).all() and (beta >= 0).all() and (beta.sum(axis=1) > 0).all()):
        problems.append("beta must contain probabilities of edges, or their logarithms.")
    if not ((rho >= 0) & (rho <= 1)).all():
        problems.append("rho must lie between 0 and 1, or contain logarithms.")
    if not (np.isfinite(alpha) and alpha > 0):
        problems.append(f"alpha must be a finite number above 0, got {alpha}.")
    if problems:
        raise DataContractError("parameters", problems)
    return LDAParameters(beta, rho, alpha)
