"""Settings of a fit and given starts, checked and with their defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda.em.algorithm import EMOptions, LDAParameters
from bayes_mdd.polar_lda.em.corpus import Corpus


def read_options(
    max_iterations: int | None,
    tolerance: float | None,
    estimate_alpha: bool,
    e_step: str | None,
    repeated: bool,
) -> EMOptions:
    """Fill in what was not asked for.

    Parameters
    ----------
    max_iterations : int or None
        As that of `fit_counts`.
    tolerance : float or None
        As that of `fit_counts`.
    estimate_alpha : bool
        Whether alpha is learned.
    e_step : str or None
        As that of `fit_counts`.
    repeated : bool
        Whether a start was given, so that the published path is the default.

    Returns
    -------
    EMOptions
        When EM stops and how it steps.

    Raises
    ------
    SpecError
        If one is out of its range.
    """
    chosen = check_e_step(("published" if repeated else "newton") if e_step is None else e_step)
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


def check_e_step(value: str) -> Literal["newton", "published"]:
    """Refuse an unknown E-step.

    Parameters
    ----------
    value : str
        What was asked for.

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
        return cast(Literal["newton", "published"], value)
    raise SpecError(f'e_step must be "newton" or "published", got {value!r}.')


def check_sizes(corpus: Corpus, n_factors: int, n_restarts: int, choose_by: str) -> None:
    """Refuse sizes that cannot be fitted.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    n_factors, n_restarts : int
        How many.
    choose_by : str
        Which restart is reported.

    Raises
    ------
    SpecError
        If one is out of its range, or there are more factors than people.
    """
    if n_factors < 1 or n_restarts < 1:
        raise SpecError(
            f"n_factors and n_restarts must be at least 1, got {n_factors} and {n_restarts}."
        )
    if choose_by not in ("elbo", "correlation"):
        raise SpecError(f'choose_by must be "elbo" or "correlation", got {choose_by!r}.')
    if n_factors > corpus.n_people:
        raise SpecError(
            f"{n_factors} factors cannot be learned from {corpus.n_people} people: each person "
            "could have a factor of their own. Ask for fewer factors."
        )


def read_start(start: Mapping[str, Any] | xr.Dataset, n_edges: int) -> LDAParameters:
    """Read a start, or a model, as parameters.

    Parameters
    ----------
    start : mapping or Dataset
        ``beta`` and ``rho`` as probabilities or logarithms, perhaps ``alpha``.
    n_edges : int
        How many edges it must have.

    Returns
    -------
    LDAParameters
        With alpha 1 / K where none is given.

    Raises
    ------
    DataContractError
        If something is missing, has another shape, or is no probability.
    """
    missing = [name for name in ("beta", "rho") if name not in start]
    if missing:
        raise DataContractError("start", [f"no '{name}' (factor, edge)." for name in missing])
    beta, rho = (np.asarray(start[name], dtype=np.float64) for name in ("beta", "rho"))
    if beta.ndim != 2 or beta.shape != rho.shape or beta.shape[1] != n_edges:
        raise DataContractError(
            "start",
            [f"beta {beta.shape} and rho {rho.shape} must be (factor, edge) with {n_edges} edges."],
        )
    # A logarithm of a probability is never above 0, a probability never below.
    beta, rho = (np.exp(x) if (x <= 0).all() and (x < 0).any() else x for x in (beta, rho))
    alpha = start.attrs["alpha"] if isinstance(start, xr.Dataset) else start.get("alpha")
    alpha = 1.0 / len(beta) if alpha is None else float(alpha)
    problems = []
    if not (np.isfinite(beta).all() and (beta >= 0).all() and (beta.sum(axis=1) > 0).all()):
        problems.append("beta must hold probabilities of edges (or their logarithms).")
    if not ((rho >= 0) & (rho <= 1)).all():
        problems.append("rho must lie between 0 and 1 (or hold logarithms).")
    if not (np.isfinite(alpha) and alpha > 0):
        problems.append(f"alpha must be a finite number above 0, got {alpha}.")
    if problems:
        raise DataContractError("start", problems)
    return LDAParameters(beta, rho, alpha)
