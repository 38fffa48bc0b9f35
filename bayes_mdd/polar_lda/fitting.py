"""Learn polar LDA from signed counts, and place new people in what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np
import xarray as xr
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from bayes_mdd.dims import FACTOR
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda.corpus import Corpus, read_corpus
from bayes_mdd.polar_lda.em import (
    EMOptions,
    LDAParameters,
    Solution,
    e_step,
    parameters_from_tokens,
    run_em,
)
from bayes_mdd.polar_lda.matching import agreement, match_factors

Array = NDArray[np.float64]
PERSON = "person"
EDGE = "edge"
RESTART = "restart"
#: So many restarts, those with the highest bounds, are run until they rest ...
POLISHED = 3
#: ... the others until the bound changes by this much more an iteration.
ROUGH = 100.0


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
    options = _options(max_iterations, tolerance, estimate_alpha, e_step, start is not None)
    if start is not None:
        starts = [_read_start(start, corpus.n_edges)]
        n_factors = len(starts[0].beta)
    _check_sizes(corpus, n_factors, n_restarts, choose_by)
    if start is None:
        starts = random_starts(n_factors, corpus.n_edges, n_restarts, seed)
    solutions = _run_restarts(corpus, starts, options, n_jobs=n_jobs)
    chosen, table = choose(solutions, choose_by)
    found = to_dataset(solutions[chosen])
    if start is None:
        found = _by_size(found)
    found["restart_match"] = ((RESTART, FACTOR), _match_restarts(solutions, found["map"].values))
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
    parameters = _read_start(model, corpus.n_edges)
    gamma, bound, _ = _e_step(
        corpus,
        parameters,
        EMOptions(e_step=_check_e_step(e_step)),
        n_jobs=_jobs(n_jobs),
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


#: Under another name, since the functions above have an argument `e_step`.
_e_step = e_step


def random_starts(n_factors: int, n_edges: int, n: int, seed: int) -> list[LDAParameters]:
    """Draw starting points as published: beta nearly flat, rho around 1/2, alpha 1 / K.

    Parameters
    ----------
    n_factors, n_edges : int
        Sizes.
    n : int
        Number of starts.
    seed : int
        Start i is the same whatever `n`.

    Returns
    -------
    list of LDAParameters
        The starts.
    """
    starts = []
    for stream in np.random.SeedSequence(seed).spawn(n):
        rng = np.random.default_rng(stream)
        hyper, hypo = 0.5 * (1 / n_edges + rng.uniform(size=(2, n_factors, n_edges)))
        starts.append(parameters_from_tokens(hyper + hypo, hyper, 1.0 / n_factors))
    return starts


def run_all(
    corpus: Corpus, starts: list[LDAParameters], options: EMOptions, *, n_jobs: int | None = None
) -> list[Solution]:
    """Run EM from several starts, at once where there are cores.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    starts : list of LDAParameters
        Where to begin.
    options : EMOptions
        When to stop.
    n_jobs : int, optional
        Default all cores.

    Returns
    -------
    list of Solution
        One a start, in order; the same whatever `n_jobs`.
    """
    jobs = _jobs(n_jobs)
    if len(starts) == 1:
        return [run_em(corpus, starts[0], options, n_jobs=jobs)]
    # Threads: the kernels release the lock, and the documents are not copied.
    return list(
        Parallel(n_jobs=jobs, prefer="threads")(delayed(run_em)(corpus, s, options) for s in starts)
    )


def _run_restarts(
    corpus: Corpus, starts: list[LDAParameters], options: EMOptions, *, n_jobs: int | None
) -> list[Solution]:
    """Run all starts near to rest, and those with the highest bounds until they rest."""
    if options.e_step == "published" or len(starts) == 1:
        return run_all(corpus, starts, options, n_jobs=n_jobs)
    rough = replace(options, tolerance=options.tolerance * ROUGH)
    solutions = run_all(corpus, starts, rough, n_jobs=n_jobs)
    leading = np.argsort([-s.elbo for s in solutions], kind="stable")[:POLISHED]
    left = options.max_iterations - max(len(solutions[i].history) for i in leading)
    if left < 1:
        return solutions
    finer = replace(options, max_iterations=left)
    again = Parallel(n_jobs=_jobs(n_jobs), prefer="threads")(
        delayed(run_em)(corpus, solutions[i].parameters, finer, gamma=solutions[i].gamma)
        for i in leading
    )
    for i, polished in zip(leading, again, strict=True):
        if polished.elbo >= solutions[i].elbo:
            history = np.concatenate([solutions[i].history, polished.history])
            solutions[i] = replace(polished, history=history)
    return solutions


def choose(solutions: list[Solution], by: str = "elbo") -> tuple[int, tuple[Array, Array]]:
    """Choose one of several solutions.

    Parameters
    ----------
    solutions : list of Solution
        From several starts.
    by : {"elbo", "correlation"}, default "elbo"
        Highest bound, or highest mean map correlation with the others.

    Returns
    -------
    chosen : int
        Position.
    table : tuple of ndarray
        Bound, and mean map correlation with the others (NaN for one solution), of each.
    """
    elbo = np.array([s.elbo for s in solutions])
    n = len(solutions)
    if n == 1:
        return 0, (elbo, np.array([np.nan]))
    alike = agreement(np.stack([factor_maps(s.parameters) for s in solutions]))
    others = (alike.sum(axis=1) - 1) / (n - 1)
    return int(np.argmax(elbo if by == "elbo" else others)), (elbo, others)


def factor_maps(parameters: LDAParameters) -> Array:
    """Hyper- minus hypo-connected probability of each edge, shape (factor, edge).

    Parameters
    ----------
    parameters : LDAParameters
        The model.

    Returns
    -------
    ndarray, shape (factor, edge)
        Positive where the factor's tokens are mostly hyper-connected.
    """
    return np.asarray(parameters.beta * (2 * parameters.rho - 1))


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


def _match_restarts(solutions: list[Solution], maps: Array) -> Array:
    """Correlate each restart's best match with each map of the chosen one."""
    return np.stack([match_factors(factor_maps(s.parameters), maps)[1] for s in solutions])


def _by_size(found: xr.Dataset) -> xr.Dataset:
    """Put the factors that people express most first."""
    order = np.argsort(-found["composition"].values.mean(axis=0), kind="stable")
    return found.isel({FACTOR: order}).assign_coords({FACTOR: found[FACTOR].values})


def _options(
    max_iterations: int | None,
    tolerance: float | None,
    estimate_alpha: bool,
    e_step: str | None,
    repeated: bool,
) -> EMOptions:
    chosen = _check_e_step(("published" if repeated else "newton") if e_step is None else e_step)
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


def _check_e_step(value: str) -> Literal["newton", "published"]:
    if value in ("newton", "published"):
        return cast(Literal["newton", "published"], value)
    raise SpecError(f'e_step must be "newton" or "published", got {value!r}.')


def _check_sizes(corpus: Corpus, n_factors: int, n_restarts: int, choose_by: str) -> None:
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


def _read_start(start: Mapping[str, Any] | xr.Dataset, n_edges: int) -> LDAParameters:
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


def _jobs(n_jobs: int | None) -> int:
    return int(cpu_count()) if n_jobs in (None, -1) else int(n_jobs or 1)


__all__ = ["fit_counts", "infer_counts"]
