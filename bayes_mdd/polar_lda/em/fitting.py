"""Learn polar LDA from signed counts, and place new people in what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from bayes_mdd.dims import FACTOR
from bayes_mdd.polar_lda.em.algorithm import EMOptions, Solution
from bayes_mdd.polar_lda.em.algorithm import e_step as run_e_step
from bayes_mdd.polar_lda.em.corpus import read_corpus
from bayes_mdd.polar_lda.em.restarts import (
    choose,
    count_jobs,
    factor_maps,
    match_restarts,
    random_starts,
    run_restarts,
)
from bayes_mdd.polar_lda.em.settings import (
    check_e_step,
    check_sizes,
    read_options,
    read_start,
)

PERSON = "person"
EDGE = "edge"
RESTART = "restart"


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

    Each person is a document, each edge a word, and the sign of its count the polarity of all its
    tokens. Person m expresses factor k with the weight theta_mk ~ Dirichlet(alpha); a token comes
    from factor k, falls on edge w with probability beta_kw and is hyper-connected with
    probability rho_kw. The factor's map is ``beta * (2 rho - 1)``. This is ordinary LDA over
    2 V signed words; beta, rho and alpha are point estimates.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (person, edge)
        Sign: hyper (+) or hypo (-) against controls; size: number of tokens. See `make_counts`.
    n_factors : int, default 3
        Number of factors, at most the number of people.
    n_restarts : int, default 10
        Random starts. Not read with `start`.
    seed : int, default 1
        Of the random starts.
    start : mapping or Dataset, optional
        One start instead of random ones: ``beta`` and ``rho`` (factor, edge), as probabilities
        or as their logarithms (recognised by having no value above 0), and optionally ``alpha``
        (default 1 / n_factors). What `fit_counts` returned is such a start.
    max_iterations : int, optional
        EM iterations. Default 101 with ``e_step="published"``, which is that program's
        ``em max iter 100``; else 1000.
    tolerance : float, optional
        Relative change of the evidence lower bound that ends EM. Default 1e-12 with
        ``e_step="published"``, else 1e-9.
    estimate_alpha : bool, default True
        Whether alpha is learned.
    e_step : {"newton", "published"}, optional
        "published" repeats the program's own path, edge by edge, and its numbers to about nine
        digits; "newton" is faster and never lets the bound fall. Default "published" with
        `start`, which is how a published run is repeated, else "newton".
    choose_by : {"elbo", "correlation"}, default "elbo"
        Which restart is returned: the highest bound, or the highest mean map correlation with
        all other restarts (as published).
    absent_edges : {"raise", "keep"}, default "raise"
        Whether edges that are zero in everybody are refused, or carried along with probability
        exp(-100) as published.
    n_jobs : int, optional
        Restarts (or, with one start, shares of the people) at once. Default all cores.

    Returns
    -------
    Dataset
        ``beta``, ``rho``, ``map`` (factor, edge), ``composition`` and ``gamma`` (person, factor:
        the variational Dirichlet whose mean the composition is, from the E-step before the last
        M-step), ``history`` (iteration), and over ``restart``: ``restart_elbo`` and
        ``restart_agreement`` (mean map correlation with the other restarts) and
        ``restart_match`` (restart, factor: correlation with the chosen one's maps). Attributes
        ``elbo``, ``alpha``, ``iterations``, ``seed``, ``e_step``, ``chosen_restart``. Factors are
        numbered by how much people express them, or as those of `start`.

    Raises
    ------
    DataContractError
        If the counts cannot serve: no integers, too large, a person or an edge without any.
    SpecError
        If a setting is out of range, or there are more factors than people.

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
        starts = [read_start(start, corpus.n_edges)]
        n_factors = len(starts[0].beta)
    check_sizes(corpus, n_factors, n_restarts, choose_by)
    if start is None:
        starts = random_starts(n_factors, corpus.n_edges, n_restarts, seed)
    solutions = run_restarts(corpus, starts, options, n_jobs=n_jobs)
    chosen, table = choose(solutions, choose_by)
    found = to_dataset(solutions[chosen])
    if start is None:
        found = _by_size(found)
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
    """Place new people in a model that was learned from others.

    Parameters
    ----------
    model : Dataset
        From `fit_counts`.
    counts : ndarray or scipy sparse array of signed integers, shape (person, edge)
        Of the new people, made as those the model was learned from: same edges, scale and
        rounding.
    e_step : {"newton", "published"}, default "newton"
        As for `fit_counts`.
    n_jobs : int, optional
        Shares of the people at once. Default all cores.

    Returns
    -------
    Dataset
        ``composition`` and ``gamma`` (person, factor) and ``elbo`` (person).

    Raises
    ------
    DataContractError
        If the counts cannot serve or have other edges than the model.

    Examples
    --------
    >>> counts = np.array([[9, -8, 1, 1], [8, -9, 1, 2], [1, 1, -9, 7], [2, 1, -8, 9]])
    >>> model = fit_counts(counts, n_factors=2, n_restarts=3, n_jobs=1)
    >>> new = infer_counts(model, np.array([[12, -9, 0, 0]]))
    >>> bool(new["composition"][0].argmax("factor") == model["composition"][0].argmax("factor"))
    True
    """
    corpus = read_corpus(counts, training=False)
    parameters = read_start(model, corpus.n_edges)
    gamma, bound, _ = run_e_step(
        corpus,
        parameters,
        EMOptions(e_step=check_e_step(e_step)),
        n_jobs=count_jobs(n_jobs),
        collect=False,
    )
    return xr.Dataset(
        {
            "composition": ((PERSON, FACTOR), gamma / gamma.sum(axis=1, keepdims=True)),
            "gamma": ((PERSON, FACTOR), gamma),
            "elbo": ((PERSON,), bound),
        },
        coords={FACTOR: model[FACTOR].values},
    )


def to_dataset(solution: Solution) -> xr.Dataset:
    """Label a solution.

    Parameters
    ----------
    solution : Solution
        Where EM ended.

    Returns
    -------
    Dataset
        As `fit_counts` returns it, without what concerns the restarts.
    """
    p, gamma = solution.parameters, solution.gamma
    return xr.Dataset(
        {
            "beta": ((FACTOR, EDGE), p.beta),
            "rho": ((FACTOR, EDGE), p.rho),
            "map": ((FACTOR, EDGE), factor_maps(p)),
            "composition": ((PERSON, FACTOR), gamma / gamma.sum(axis=1, keepdims=True)),
            "gamma": ((PERSON, FACTOR), gamma),
            "history": (("iteration",), solution.history),
        },
        coords={FACTOR: [f"F{k + 1}" for k in range(len(p.beta))]},
        attrs={
            "elbo": solution.elbo,
            "alpha": float(p.alpha),
            "iterations": len(solution.history),
        },
    )


def _by_size(found: xr.Dataset) -> xr.Dataset:
    """Put the factors that people express most first."""
    order = np.argsort(-found["composition"].values.mean(axis=0), kind="stable")
    return found.isel({FACTOR: order}).assign_coords({FACTOR: found[FACTOR].values})
