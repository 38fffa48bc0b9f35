"""Fit polar LDA to signed counts, and infer compositions of new subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from bayes_mdd.dims import FACTOR
from bayes_mdd.polar_lda.em.corpus import read_corpus
from bayes_mdd.polar_lda.em.dims import EDGE, PERSON, RESTART
from bayes_mdd.polar_lda.em.expectation import e_step as run_e_step
from bayes_mdd.polar_lda.em.jobs import count_jobs
from bayes_mdd.polar_lda.em.parameters import EMOptions, Solution, mean_composition
from bayes_mdd.polar_lda.em.restarts import choose, match_restarts, random_starts, run_restarts
from bayes_mdd.polar_lda.em.settings import (
    check_e_step,
    check_sizes,
    read_options,
    read_parameters,
)


def fit_counts(
    counts: object,
    n_factors: int = 3,
    n_restarts: int = 10,
    seed: int = 1,
    start: Mapping[str, Any] | xr.Dataset | None = None,
    *,
    max_iterations: int | None = None,
    tolerance: float | None = None,
    estimate_alpha: bool = True,
    e_step: Literal["newton", "published"] | None = None,
    choose_by: Literal["elbo", "correlation"] = "elbo",
    absent_edges: Literal["raise", "keep"] = "raise",
    n_jobs: int | None = None,
) -> xr.Dataset:
    r"""Fit latent Dirichlet allocation over hyper- and hypo-connected edges.

    Each subject is a document, each edge a word, and the sign of its count the polarity of all
    its tokens. Subject m expresses factor k with weight theta_mk, theta_m ~ Dirichlet(alpha). A
    token of factor k falls on edge w with probability beta_kw and is hyper-connected with
    probability rho_kw. The map of a factor is ``beta * (2 rho - 1)``. This is ordinary LDA over
    2 V signed words; beta, rho and alpha are point estimates.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (subject, edge)
        Sign: hyper- (+) or hypo-connected (-) relative to controls; size: number of tokens. See
        `make_counts`.
    n_factors : int, default 3
        Number of factors, at most the number of subjects.
    n_restarts : int, default 10
        Number of random starts. Not read with `start`.
    seed : int, default 1
        Seed of the random starts.
    start : mapping or Dataset, optional
        One start instead of random ones: ``beta`` and ``rho`` (factor, edge), as probabilities
        or as their logarithms (recognised by having no value above 0), and optionally ``alpha``
        (default 1 / n_factors). A result of `fit_counts` can be passed.
    max_iterations : int, optional
        Maximum number of EM iterations. Default 101 with ``e_step="published"`` (the setting
        ``em max iter 100`` of the published program), otherwise 1000.
    tolerance : float, optional
        Relative change of the evidence lower bound at which EM stops. Default 1e-12 with
        ``e_step="published"``, otherwise 1e-9.
    estimate_alpha : bool, default True
        Whether alpha is estimated.
    e_step : {"newton", "published"}, optional
        "published" updates edge by edge in the order of the published program and reproduces its
        numbers to about nine digits. "newton" is faster and never lets the bound fall. Default
        "published" with `start`, which reproduces a published run, otherwise "newton".
    choose_by : {"elbo", "correlation"}, default "elbo"
        Which restart is returned: the one with the highest bound, or the one with the highest
        mean map correlation with all other restarts (as published).
    absent_edges : {"raise", "keep"}, default "raise"
        Edges without a token in any subject are refused ("raise") or kept with probability
        exp(-100) as published ("keep").
    n_jobs : int, optional
        Restarts at once (with a single start: groups of subjects). Default all cores.

    Returns
    -------
    Dataset
        ``beta``, ``rho``, ``map`` (factor, edge), ``composition`` and ``gamma`` (person, factor:
        variational Dirichlet parameters, whose mean is the composition, from the E-step before
        the last M-step), ``history`` (iteration: evidence lower bound), ``restart_elbo`` and
        ``restart_agreement`` (restart: mean map correlation with the other restarts),
        ``restart_match`` (restart, factor: map correlation with the chosen restart). Attributes
        ``elbo``, ``alpha``, ``iterations``, ``seed``, ``e_step``, ``chosen_restart``,
        ``choose_by``. Factors are ordered by their mean composition, or as those of `start`.

    Raises
    ------
    DataContractError
        If the counts are not signed integers or too large, or a subject or an edge has no token.
    SpecError
        If a setting is out of range, or there are more factors than subjects.

    References
    ----------
    .. [1] Blei, D. M., Ng, A. Y. & Jordan, M. I. (2003). Latent Dirichlet allocation. Journal of
       Machine Learning Research, 3, 993-1022.
    .. [2] Tang, S. et al. (2020). Reconciling dimensional and categorical models of autism
       heterogeneity: a brain connectomics and behavioral study. Biological Psychiatry, 87,
       1071-1082.

    Examples
    --------
    >>> counts = np.array([[9, -8, 1, 1], [8, -9, 1, 2], [1, 1, -9, 7], [2, 1, -8, 9]])
    >>> model = fit_counts(counts, n_factors=2, n_restarts=3, n_jobs=1)
    >>> model["composition"].round().values[[0, 2]].sum(axis=0).tolist()
    [1.0, 1.0]
    """
    corpus = read_corpus(counts, absent_edges=absent_edges)
    options = read_options(max_iterations, tolerance, estimate_alpha, e_step, start is not None)
    if start is not None:
        starts = [read_parameters(start, corpus.n_edges)]
        n_factors = len(starts[0].beta)
    check_sizes(corpus, n_factors, n_restarts, choose_by)
    if start is None:
        starts = random_starts(n_factors, corpus.n_edges, n_restarts, seed)
    solutions = run_restarts(corpus, starts, options, n_jobs=n_jobs)
    chosen, table = choose(solutions, choose_by)
    found = to_dataset(solutions[chosen])
    if start is None:
        found = _order_by_expression(found)
    found["restart_match"] = ((RESTART, FACTOR), match_restarts(solutions, found["map"].values))
    found["restart_elbo"] = ((RESTART,), table[0])
    found["restart_agreement"] = ((RESTART,), table[1])
    return found.assign_attrs(
        seed=seed, e_step=options.e_step, chosen_restart=chosen, choose_by=choose_by
    )


def infer_counts(
    model: xr.Dataset,
    counts: object,
    *,
    e_step: Literal["newton", "published"] = "newton",
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Infer the compositions of new subjects from a fitted model.

    Parameters
    ----------
    model : Dataset
        From `fit_counts`.
    counts : ndarray or scipy sparse array of signed integers, shape (subject, edge)
        Counts of the new subjects, with the same edges, scale and rounding as those of the model.
    e_step : {"newton", "published"}, default "newton"
        As for `fit_counts`.
    n_jobs : int, optional
        Groups of subjects at once. Default all cores.

    Returns
    -------
    Dataset
        ``composition`` and ``gamma`` (person, factor) and ``elbo`` (person).

    Raises
    ------
    DataContractError
        If the counts are invalid or the model has another number of edges.

    Examples
    --------
    >>> counts = np.array([[9, -8, 1, 1], [8, -9, 1, 2], [1, 1, -9, 7], [2, 1, -8, 9]])
    >>> model = fit_counts(counts, n_factors=2, n_restarts=3, n_jobs=1)
    >>> new = infer_counts(model, np.array([[12, -9, 0, 0]]))
    >>> bool(new["composition"][0].argmax("factor") == model["composition"][0].argmax("factor"))
    True
    """
    corpus = read_corpus(counts, training=False)
    gamma, bound, _ = run_e_step(
        corpus,
        read_parameters(model, corpus.n_edges),
        EMOptions(e_step=check_e_step(e_step)),
        n_jobs=count_jobs(n_jobs),
        collect=False,
    )
    return xr.Dataset(
        {
            "composition": ((PERSON, FACTOR), mean_composition(gamma)),
            "gamma": ((PERSON, FACTOR), gamma),
            "elbo": ((PERSON,), bound),
        },
        coords={FACTOR: model[FACTOR].values},
    )


def to_dataset(solution: Solution) -> xr.Dataset:
    """Label a solution as a Dataset.

    Parameters
    ----------
    solution : Solution
        Result of EM.

    Returns
    -------
    Dataset
        As returned by `fit_counts`, without the variables and attributes of restarts.
    """
    p = solution.parameters
    return xr.Dataset(
        {
            "beta": ((FACTOR, EDGE), p.beta),
            "rho": ((FACTOR, EDGE), p.rho),
            "map": ((FACTOR, EDGE), p.maps),
            "composition": ((PERSON, FACTOR), solution.composition),
            "gamma": ((PERSON, FACTOR), solution.gamma),
            "history": (("iteration",), solution.history),
        },
        coords={FACTOR: [f"F{k + 1}" for k in range(len(p.beta))]},
        attrs={
            "elbo": solution.elbo,
            "alpha": float(p.alpha),
            "iterations": len(solution.history),
        },
    )


def _order_by_expression(found: xr.Dataset) -> xr.Dataset:
    """Sort the factors by decreasing mean composition."""
    order = np.argsort(-found["composition"].values.mean(axis=0), kind="stable")
    return found.isel({FACTOR: order}).assign_coords({FACTOR: found[FACTOR].values})
