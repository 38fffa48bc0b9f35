"""Permutation null: the same fit to edges without any dependence between them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import sparse

from bayes_mdd.errors import SpecError
from bayes_mdd.polar_lda.em.algorithm import run_em
from bayes_mdd.polar_lda.em.corpus import Corpus, read_corpus
from bayes_mdd.polar_lda.em.jobs import map_threads
from bayes_mdd.polar_lda.em.parameters import EMOptions
from bayes_mdd.polar_lda.em.restarts import choose, random_starts
from bayes_mdd.streams import PolarLDAStream, spawn

#: EM of observed and permuted data; the same stopping rule for both keeps the test exact.
NULL_EM = EMOptions(max_iterations=60, tolerance=1e-5)
#: A subject with more than this share of one factor looks like a member of a subtype.
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
    r"""Fit the same model to permuted edges, which hold no pattern.

    Each edge is permuted over subjects: it keeps its values, but no longer depends on any other
    edge. The statistic is the gain of the evidence lower bound over one factor, per 1000 tokens.
    One factor fits permuted and observed edges equally well, and both are treated alike (same
    number of restarts, same stopping rule), so the p-value is exact for the hypothesis that edges
    are independent over subjects.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (subject, edge)
        As for `fit_counts`.
    n_factors : int, default 3
        Number of factors, at least 2.
    n_null : int, default 19
        Number of permutations; the smallest p-value is 1 / (n_null + 1).
    n_restarts : int, default 1
        Random starts of each fit.
    seed : int, default 1
        Seed of permutations and starts.
    n_jobs : int, optional
        Fits at once. Default all cores.

    Returns
    -------
    Dataset
        Over ``fit`` ("observed", "null 1", ...): ``gain`` (nats per 1000 tokens),
        ``composition_sd`` (SD over subjects, mean over factors), ``extreme`` (share of subjects
        with more than 0.9 of one factor) and ``agreement`` (map correlation between restarts;
        NaN if there is only one). Attributes ``p_value``, ``n_null``, ``statistic``.

    Raises
    ------
    DataContractError
        If the counts are invalid.
    SpecError
        If there are fewer than 2 factors or no permutations.
    """
    if n_factors < 2 or n_null < 1:
        raise SpecError(
            f"the null needs at least 2 factors and 1 permutation, got {n_factors} and {n_null}."
        )
    corpus = read_corpus(counts, absent_edges="keep")
    streams = spawn(seed, PolarLDAStream.NULL, n_null + 1)
    base = run_em(corpus, random_starts(1, corpus.n_edges, 1, seed)[0], NULL_EM).elbo

    def _fit(fit: tuple[int, np.random.SeedSequence]) -> list[float]:
        return _one_fit(corpus, n_factors, n_restarts, fit[1], base, permuted=fit[0] > 0)

    table = np.array(map_threads(_fit, enumerate(streams), n_jobs))
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
    """Statistics of one fit, in the order of the variables of `null_run`."""
    rng = np.random.default_rng(stream)
    if permuted:
        corpus = permute_edges(corpus, rng)
    seed = int(rng.integers(2**31))
    starts = random_starts(n_factors, corpus.n_edges, n_restarts, seed)
    solutions = [run_em(corpus, s, NULL_EM) for s in starts]
    chosen, (_, alike) = choose(solutions)
    best = solutions[chosen]
    theta = best.composition
    return [
        1000 * (best.elbo - base) / float(corpus.count.sum()),
        float(theta.std(axis=0).mean()),
        float((theta.max(axis=1) > EXTREME).mean()),
        float(np.mean(alike)),
    ]


def permute_edges(corpus: Corpus, rng: np.random.Generator) -> Corpus:
    """Permute each edge over subjects.

    Parameters
    ----------
    corpus : Corpus
        The documents.
    rng : numpy.random.Generator
        Source of the permutations.

    Returns
    -------
    Corpus
        The subjects with at least one token. A subject without tokens is dropped, which does not
        affect the others.
    """
    sign = np.where(corpus.word % 2 == 1, 1, -1)
    signed = sparse.csr_array(
        (sign * corpus.count.astype(np.int64), corpus.word // 2, corpus.start),
        shape=(corpus.n_subjects, corpus.n_edges),
    )
    dense = rng.permuted(signed.toarray(), axis=0)
    return read_corpus(dense[dense.any(axis=1)], absent_edges="keep")
