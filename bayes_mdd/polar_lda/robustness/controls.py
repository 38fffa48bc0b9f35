"""What polar LDA hides unless it is asked: the null, and what the number of tokens does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, cpu_count, delayed
from scipy import sparse

from bayes_mdd.errors import SpecError
from bayes_mdd.polar_lda.em.algorithm import EMOptions, LDAParameters, Solution, run_em
from bayes_mdd.polar_lda.em.corpus import Corpus, read_corpus
from bayes_mdd.polar_lda.em.counts import Rounding, make_counts
from bayes_mdd.polar_lda.em.matching import correlate_rows, match_factors
from bayes_mdd.polar_lda.em.restarts import choose, factor_maps, random_starts
from bayes_mdd.types import Array

#: EM of the null and of what is compared with it; both stop alike, so that neither has an edge.
NULL_EM = EMOptions(max_iterations=60, tolerance=1e-5)
#: A person this much of one factor would be called a member of a subtype.
EXTREME = 0.9


def null_run(
    counts: object,
    n_factors: int = 3,
    *,
    n_null: int = 19,
    n_restarts: int = 1,
    seed: int = 1,
    n_jobs: int | None = None,
) -> xr.Dataset:
    r"""Fit the same model to permuted edges, in which there is nothing to find.

    Each edge is permuted over the people: every edge keeps its values, and no two edges have
    anything to do with each other any more. The statistic is the gain of the evidence lower bound
    over one factor, per 1000 tokens. One factor fits the permuted and the observed edges equally
    well, and observed and permuted data are treated alike (same number of restarts, same stopping
    rule), so the p-value is exact for "edges are independent over people".

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (person, edge)
        As for `fit_counts`.
    n_factors : int, default 3
        Number of factors, at least 2.
    n_null : int, default 19
        Permutations; the smallest p-value is 1 / (n_null + 1).
    n_restarts : int, default 1
        Random starts of each fit.
    seed : int, default 1
        Of permutations and starts.
    n_jobs : int, optional
        Fits at once. Default all cores.

    Returns
    -------
    Dataset
        Over ``fit`` ("observed", "null 1", ...): ``gain`` (nats per 1000 tokens),
        ``composition_sd`` (mean over factors of the SD over people), ``extreme`` (share of people
        more than 0.9 in one factor) and ``agreement`` (map
        correlation between restarts; NaN for one).
        Attributes ``p_value``, ``n_null``.

    Raises
    ------
    DataContractError
        If the counts cannot serve.
    SpecError
        If there is one factor only, or no permutation is asked for.
    """
    if n_factors < 2 or n_null < 1:
        raise SpecError(
            f"the null needs at least 2 factors and 1 permutation, got {n_factors} and {n_null}."
        )
    corpus = read_corpus(counts, absent_edges="keep")
    streams = np.random.SeedSequence([seed, 1]).spawn(n_null + 1)
    jobs = int(cpu_count()) if n_jobs in (None, -1) else n_jobs
    base = run_em(corpus, random_starts(1, corpus.n_edges, 1, seed)[0], NULL_EM).elbo
    rows = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(_one_fit)(corpus, n_factors, n_restarts, stream, base, permuted=i > 0)
        for i, stream in enumerate(streams)
    )
    table = np.array(rows)
    gain = table[:, 0]
    names = ("gain", "composition_sd", "extreme", "agreement")
    return xr.Dataset(
        {name: (("fit",), column) for name, column in zip(names, table.T, strict=True)},
        coords={"fit": ["observed", *(f"null {i}" for i in range(1, n_null + 1))]},
        attrs={
            "p_value": float((1 + (gain[1:] >= gain[0]).sum()) / (n_null + 1)),
            "n_null": n_null,
            "statistic": "gain of the bound over one factor, nats per 1000 tokens",
        },
    )


def _one_fit(
    corpus: Corpus,
    n_factors: int,
    n_restarts: int,
    stream: np.random.SeedSequence,
    base: float,
    *,
    permuted: bool,
) -> list[float]:
    rng = np.random.default_rng(stream)
    if permuted:
        corpus = permute_edges(corpus, rng)
    seed = int(rng.integers(2**31))
    starts = random_starts(n_factors, corpus.n_edges, n_restarts, seed)
    solutions = [run_em(corpus, s, NULL_EM) for s in starts]
    chosen, (_, alike) = choose(solutions)
    best = solutions[chosen]
    theta = compositions(best)
    return [
        1000 * (best.elbo - base) / float(corpus.count.sum()),
        float(theta.std(axis=0).mean()),
        float((theta.max(axis=1) > EXTREME).mean()),
        float(np.mean(alike)),
    ]


def permute_edges(corpus: Corpus, rng: np.random.Generator) -> Corpus:
    """Permute each edge over the people.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    rng : numpy.random.Generator
        For the permutations.

    Returns
    -------
    Corpus
        As many people with at least one word; a person left without any is dropped, which
        changes no other.
    """
    sign = np.where(corpus.word % 2 == 1, 1, -1)
    signed = sparse.csr_array(
        (sign * corpus.count.astype(np.int64), corpus.word // 2, corpus.start),
        shape=(corpus.n_people, corpus.n_edges),
    )
    dense = rng.permuted(signed.toarray(), axis=0)
    return read_corpus(dense[dense.any(axis=1)], absent_edges="keep")


def compositions(solution: Solution) -> Array:
    """Mean composition of each person, shape (person, factor).

    Parameters
    ----------
    solution : Solution
        Where EM ended.

    Returns
    -------
    ndarray, shape (person, factor)
        Rows sum to 1.
    """
    return np.asarray(solution.gamma / solution.gamma.sum(axis=1, keepdims=True))


def nominal_sd(gamma: Array) -> Array:
    """Posterior SD of compositions as the variational Dirichlet states it.

    Parameters
    ----------
    gamma : ndarray, shape (person, factor)
        Variational Dirichlet parameters.

    Returns
    -------
    ndarray, shape (person, factor)
        SD of each weight. Too small as a rule: tokens are no independent observations.
    """
    total = gamma.sum(axis=1, keepdims=True)
    mean = gamma / total
    return np.asarray(np.sqrt(mean * (1 - mean) / (total + 1)))


def token_sensitivity(
    z: Array,
    model: xr.Dataset,
    *,
    scales: Sequence[float] = (2.5, 5.0, 10.0, 20.0),
    rounding: Rounding = "symmetric",
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Refit with other numbers of tokens a SD, from the fitted model.

    The ten tokens a SD of the published program are a choice. Maps and compositions should not
    depend on it; the nominal interval of a composition always does.

    Parameters
    ----------
    z : ndarray, shape (person, edge)
        Edges in SD of the controls.
    model : Dataset
        What `fit_counts` returned for these people.
    scales : sequence of float
        Tokens a SD.
    rounding : {"symmetric", "floor"}, default "symmetric"
        As for `make_counts`.
    n_jobs : int, optional
        Fits at once. Default all cores.

    Returns
    -------
    DataFrame
        One row a scale: ``scale``, ``nominal_sd`` (root mean square over people and
        factors),
        ``map_correlation`` and ``composition_correlation`` with the model (smallest factor), and
        ``largest_change`` of any person's composition.
    """
    start = LDAParameters(model["beta"].values, model["rho"].values, float(model.attrs["alpha"]))
    known = factor_maps(start), model["composition"].values
    jobs = int(cpu_count()) if n_jobs in (None, -1) else n_jobs

    def _refit(scale: float) -> dict[str, float]:
        corpus = read_corpus(make_counts(z, scale=scale, rounding=rounding), absent_edges="keep")
        solution = run_em(corpus, start, NULL_EM)
        order, alike = match_factors(factor_maps(solution.parameters), known[0])
        theta = compositions(solution)[:, order]
        return {
            "scale": float(scale),
            "nominal_sd": float(np.sqrt((nominal_sd(solution.gamma) ** 2).mean())),
            "map_correlation": float(alike.min()),
            "composition_correlation": float(np.diag(correlate_rows(known[1].T, theta.T)).min()),
            "largest_change": float(np.abs(theta - known[1]).max()),
        }

    rows = Parallel(n_jobs=jobs, prefer="threads")(delayed(_refit)(s) for s in scales)
    return pd.DataFrame(rows)
