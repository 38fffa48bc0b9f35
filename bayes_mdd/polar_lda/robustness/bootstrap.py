"""Bootstrap of subjects around a fitted model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, BLOCK, FACTOR
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda.em.algorithm import run_em
from bayes_mdd.polar_lda.em.blocks import block_membership
from bayes_mdd.polar_lda.em.corpus import Corpus, read_corpus
from bayes_mdd.polar_lda.em.dims import EDGE, PERSON, RESAMPLE
from bayes_mdd.polar_lda.em.expectation import e_step
from bayes_mdd.polar_lda.em.jobs import map_threads
from bayes_mdd.polar_lda.em.matching import match_factors
from bayes_mdd.polar_lda.em.parameters import EMOptions, LDAParameters, mean_composition
from bayes_mdd.polar_lda.em.settings import read_parameters
from bayes_mdd.streams import PolarLDAStream, spawn
from bayes_mdd.types import Array, IntArray

#: EM of a resample. It starts at the fitted model, so a few dozen iterations suffice.
BOOTSTRAP_EM = EMOptions(max_iterations=60, tolerance=1e-6, fresh_iterations=1)


def bootstrap_maps(
    counts: object,
    model: xr.Dataset,
    *,
    blocks: Sequence[str] | None = None,
    strata: Sequence[str] | None = None,
    n_resamples: int = 100,
    seed: int = 1,
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Refit resampled subjects from the fitted model, as published.

    Each resample starts at the fitted beta, rho and alpha. The spread of the resamples therefore
    shows how the *fitted* solution depends on the sample. It includes neither other solutions
    (see the restarts) nor the uncertainty of the controls, who are not resampled.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (subject, edge)
        The counts to which the model was fitted.
    model : Dataset
        Result of `fit_counts`.
    blocks : sequence of str, optional
        Block of each edge; maps are also averaged over each block. Default: no blocks.
    strata : sequence of str, optional
        Group of each subject (arm); subjects are resampled within groups. Default: one group, as
        published.
    n_resamples : int, default 100
        Number of resamples, at least 2.
    seed : int, default 1
        Seed of the resamples.
    n_jobs : int, optional
        Resamples at once. Default all cores.

    Returns
    -------
    Dataset
        ``map`` and ``map_draws`` (resample, factor, edge; float32), with blocks ``block_map``
        and ``block_draws`` (resample, factor, block), with strata ``arm_draws`` (resample, arm,
        factor: mean composition of the resampled subjects of each group), and
        ``composition_draws`` (resample, person, factor): compositions of all subjects, inferred
        from the refitted model.

    Raises
    ------
    DataContractError
        If the sizes of counts, model, blocks and strata disagree.
    SpecError
        If `n_resamples` is below 2.
    """
    corpus = read_corpus(counts, absent_edges="keep")
    _check_sizes(corpus, model, blocks, strata, n_resamples)
    start = read_parameters(model, corpus.n_edges)
    names, group = np.unique(
        np.zeros(corpus.n_subjects, dtype=str) if strata is None else np.asarray(strata, dtype=str),
        return_inverse=True,
    )

    def _refit(stream: np.random.SeedSequence) -> tuple[Array, Array, Array]:
        return _one_resample(corpus, start, group, np.random.default_rng(stream))

    done = map_threads(_refit, spawn(seed, PolarLDAStream.BOOTSTRAP, n_resamples), n_jobs)
    maps, arms, theta = (np.stack([d[i] for d in done]) for i in range(3))
    found = xr.Dataset(
        {
            "map": ((FACTOR, EDGE), start.maps),
            "map_draws": ((RESAMPLE, FACTOR, EDGE), maps.astype(np.float32)),
            "composition_draws": ((RESAMPLE, PERSON, FACTOR), theta.astype(np.float32)),
        },
        coords={FACTOR: model[FACTOR].values},
        attrs={"n_resamples": n_resamples, "seed": seed},
    )
    if strata is not None:
        found["arm_draws"] = ((RESAMPLE, ARM, FACTOR), arms)
        found = found.assign_coords({ARM: names.astype(object)})
    if blocks is not None:
        found = _add_blocks(found, np.asarray(blocks, dtype=str))
    return found


def _check_sizes(
    corpus: Corpus,
    model: xr.Dataset,
    blocks: Sequence[str] | None,
    strata: Sequence[str] | None,
    n_resamples: int,
) -> None:
    if n_resamples < 2:
        raise SpecError(f"a bootstrap needs at least 2 resamples, got {n_resamples}.")
    wanted = {
        "edges of the model": (model.sizes[EDGE], corpus.n_edges),
        "participants of the model": (model.sizes[PERSON], corpus.n_subjects),
        "blocks": (corpus.n_edges if blocks is None else len(blocks), corpus.n_edges),
        "strata": (corpus.n_subjects if strata is None else len(strata), corpus.n_subjects),
    }
    problems = [
        f"{name}: {n}, expected {m} as in the counts." for name, (n, m) in wanted.items() if n != m
    ]
    if problems:
        raise DataContractError("bootstrap", problems)


def _one_resample(
    corpus: Corpus, start: LDAParameters, group: IntArray, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Return maps, mean composition of each group, and compositions of all subjects."""
    n_groups = int(group.max()) + 1
    members = [np.flatnonzero(group == g) for g in range(n_groups)]
    subjects = np.concatenate([rng.choice(m, size=m.size) for m in members])
    solution = run_em(corpus.take(subjects), start, BOOTSTRAP_EM)
    maps = solution.parameters.maps
    order, _ = match_factors(maps, start.maps)
    own = solution.composition[:, order]
    arms = np.stack([own[group[subjects] == g].mean(axis=0) for g in range(n_groups)])
    gamma, _, _ = e_step(corpus, solution.parameters, BOOTSTRAP_EM, collect=False)
    return maps[order], arms, mean_composition(gamma)[:, order]


def _add_blocks(found: xr.Dataset, blocks: NDArray[np.str_]) -> xr.Dataset:
    """Add the mean map of each block, and the block of each edge."""
    names, member = block_membership(blocks)
    weight = member / member.sum(axis=0)
    return found.assign(
        block_map=((FACTOR, BLOCK), found["map"].values @ weight),
        block_draws=((RESAMPLE, FACTOR, BLOCK), found["map_draws"].values @ weight),
    ).assign_coords({BLOCK: names.astype(object), "edge_block": (EDGE, blocks.astype(object))})
