"""Maps over resampled people, and which parts of them factors share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm

from bayes_mdd.dims import BLOCK, FACTOR
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda.em.algorithm import (
    EMOptions,
    LDAParameters,
    Solution,
    e_step,
    run_em,
)
from bayes_mdd.polar_lda.em.corpus import Corpus, read_corpus
from bayes_mdd.polar_lda.em.fitting import EDGE, PERSON
from bayes_mdd.polar_lda.em.matching import match_factors
from bayes_mdd.polar_lda.em.restarts import factor_maps
from bayes_mdd.types import Array

RESAMPLE = "resample"

#: Resamples start at the fitted model, so a few dozen iterations bring them to rest.
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
    """Refit resampled people from the fitted model, as published.

    Each resample starts at the fitted beta, rho and alpha, so what it shows is how the *fitted*
    solution moves with the people. It says nothing of other solutions (see the restarts), nor of
    the controls, who are not resampled.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (person, edge)
        The counts the model was fitted to.
    model : Dataset
        What `fit_counts` returned.
    blocks : sequence of str, optional
        Block of each edge; maps are also averaged over each. Default: no blocks.
    strata : sequence of str, optional
        People are resampled within these groups (arms). Default all together, as published.
    n_resamples : int, default 100
        Resamples.
    seed : int, default 1
        Of the resamples.
    n_jobs : int, optional
        Resamples at once. Default all cores.

    Returns
    -------
    Dataset
        ``map`` and ``map_draws`` (resample, factor, edge; float32), with blocks ``block_map``
        and ``block_draws`` (resample, factor, block), with strata ``arm_draws`` (resample, arm,
        factor: mean composition of the resampled people of each group), and ``composition_draws``
        (resample, person, factor): everybody placed in the refitted model.

    Raises
    ------
    DataContractError
        If counts, model, blocks and strata do not belong together.
    SpecError
        If fewer than 2 resamples are asked for.
    """
    corpus = read_corpus(counts, absent_edges="keep")
    _check(corpus, model, blocks, strata, n_resamples)
    start = LDAParameters(model["beta"].values, model["rho"].values, float(model.attrs["alpha"]))
    group = np.zeros(corpus.n_people, dtype=int)
    names: list[str] = []
    if strata is not None:
        names, group = np.unique(np.asarray(strata, dtype=str), return_inverse=True)  # type: ignore[assignment]
    jobs = int(cpu_count()) if n_jobs in (None, -1) else n_jobs
    done = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(_one_resample)(corpus, start, group, np.random.default_rng(stream))
        for stream in np.random.SeedSequence([seed, 2]).spawn(n_resamples)
    )
    maps, arms, theta = (np.stack([d[i] for d in done]) for i in range(3))
    found = xr.Dataset(
        {
            "map": ((FACTOR, EDGE), factor_maps(start)),
            "map_draws": ((RESAMPLE, FACTOR, EDGE), maps.astype(np.float32)),
            "composition_draws": ((RESAMPLE, PERSON, FACTOR), theta.astype(np.float32)),
        },
        coords={FACTOR: model[FACTOR].values},
        attrs={"n_resamples": n_resamples, "seed": seed},
    )
    if strata is not None:
        found["arm_draws"] = ((RESAMPLE, "arm", FACTOR), arms)
        found = found.assign_coords(arm=np.asarray(names, dtype=object))
    if blocks is not None:
        found = _with_blocks(found, np.asarray(blocks, dtype=str))
    return found


def _check(
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
        "people of the model": (model.sizes[PERSON], corpus.n_people),
        "blocks": (corpus.n_edges if blocks is None else len(blocks), corpus.n_edges),
        "strata": (corpus.n_people if strata is None else len(strata), corpus.n_people),
    }
    problems = [
        f"{name}: {n}, but the counts have {m}." for name, (n, m) in wanted.items() if n != m
    ]
    if problems:
        raise DataContractError("bootstrap", problems)


def _one_resample(
    corpus: Corpus, start: LDAParameters, group: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Return maps, mean composition of each group, and everybody's in the refitted model."""
    n_groups = int(group.max()) + 1
    members = [np.flatnonzero(group == g) for g in range(n_groups)]
    people = np.concatenate([rng.choice(m, size=m.size) for m in members])
    solution: Solution = run_em(corpus.take(people), start, BOOTSTRAP_EM)
    maps = factor_maps(solution.parameters)
    order, _ = match_factors(maps, factor_maps(start))
    own = (solution.gamma / solution.gamma.sum(axis=1, keepdims=True))[:, order]
    arms = np.stack([own[group[people] == g].mean(axis=0) for g in range(n_groups)])
    gamma, _, _ = e_step(corpus, solution.parameters, BOOTSTRAP_EM, collect=False)
    theta = (gamma / gamma.sum(axis=1, keepdims=True))[:, order]
    return maps[order], arms, theta


def _with_blocks(found: xr.Dataset, blocks: NDArray[np.str_]) -> xr.Dataset:
    names, first, at = np.unique(blocks, return_index=True, return_inverse=True)
    order = np.argsort(first)
    weight = (at[:, None] == order[None, :]).astype(np.float64)
    weight /= weight.sum(axis=0)
    return found.assign(
        block_map=((FACTOR, BLOCK), found["map"].values @ weight),
        block_draws=((RESAMPLE, FACTOR, BLOCK), found["map_draws"].values @ weight),
    ).assign_coords(
        {BLOCK: names[order].astype(object), "edge_block": (EDGE, blocks.astype(object))}
    )


def published_overlap(
    boot: xr.Dataset, *, level: str = BLOCK, q: float = 0.05, p_max: float | None = None
) -> xr.Dataset:
    """Call parts of the maps shared or unique by the published rule.

    z is the map over the SD of its resamples, p two-sided normal. What survives the false
    discovery rate over all factors and parts is counted over factors: once is "unique", more often
    "conjunction". Signs need not agree. "Significant in one and not in another" is no test of a
    difference: compare `posterior_overlap`.

    Parameters
    ----------
    boot : Dataset
        From `bootstrap_maps`.
    level : {"block", "edge"}, default "block"
        Of what.
    q : float, default 0.05
        False discovery rate (Benjamini-Hochberg).
    p_max : float, optional
        A fixed threshold of p instead (the published one was .0186).

    Returns
    -------
    Dataset
        ``z``, ``p``, ``survives`` (factor, part), ``count`` (part), ``unique`` (factor, part),
        ``conjunction`` and ``all_factors`` (part).

    Raises
    ------
    DataContractError
        If the bootstrap has no blocks.
    SpecError
        If `level` is unknown.

    References
    ----------
    .. [1] Benjamini, Y. & Hochberg, Y. (1995). Controlling the false discovery rate. Journal of
       the Royal Statistical Society B, 57, 289-300.
    """
    value, draws = _level(boot, level)
    sd = draws.std(RESAMPLE, ddof=1)
    size = value.values
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(sd.values > 0, size / sd.values, np.where(size == 0, 0.0, np.inf))
    z = np.where(np.isinf(z), np.sign(size) * np.inf, z)
    p = 2 * norm.sf(np.abs(z))
    adjusted = p if p_max is not None else false_discovery_control(p.ravel()).reshape(p.shape)
    alive: NDArray[np.bool_] = np.asarray(adjusted <= (q if p_max is None else p_max))
    count = alive.sum(axis=0)
    dims = value.dims
    return xr.Dataset(
        {
            "z": (dims, z),
            "p": (dims, p),
            "survives": (dims, alive),
            "count": (dims[1:], count),
            "unique": (dims, alive & (count == 1)),
            "conjunction": (dims[1:], count >= 2),
            "all_factors": (dims[1:], count == len(size)),
        },
        coords=value.coords,
        attrs={"rule": f"FDR {q}" if p_max is None else f"p <= {p_max}", "level": level},
    )


def posterior_overlap(
    draws: xr.DataArray, *, delta: float | None = None, probability: float = 0.9
) -> xr.Dataset:
    r"""Call parts of the maps shared or unique by their joint probability.

    With :math:`L_k` the map of factor k at one part and :math:`\delta` the smallest size that
    matters, a part is unique to k with probability :math:`P(|L_k| > \delta, |L_j| \le \delta
    \;\forall j \ne k)`, and shared with :math:`P(|L_k| > \delta \;\forall k` *with equal sign*).
    Where two factors disagree in sign, that is a difference, not something shared.

    Parameters
    ----------
    draws : DataArray
        Draws of the maps; all dims but ``factor`` and the last one are draws.
    delta : float, optional
        Smallest size that matters, in units of the maps; default half the root mean square of
        the mean map.
    probability : float, default 0.9
        Above which a part is called shared or unique.

    Returns
    -------
    Dataset
        ``p_unique`` (factor, part), ``p_shared`` and ``p_opposed`` (part: all above delta, not
        all of one sign), ``unique``, ``shared``. Attribute ``delta``.

    Examples
    --------
    >>> draws = xr.DataArray([[[1.0, 0.0], [1.0, 1.0]]] * 3, dims=("draw", "factor", "edge"))
    >>> found = posterior_overlap(draws, delta=0.5)
    >>> found["p_shared"].values.tolist(), found["p_unique"].values.tolist()
    ([1.0, 0.0], [[0.0, 0.0], [0.0, 1.0]])
    """
    part = draws.dims[-1]
    over = [d for d in draws.dims if d not in (FACTOR, part)]
    if delta is None:
        delta = 0.5 * float(np.sqrt((draws.mean(over) ** 2).mean()))
    if not delta > 0:
        raise SpecError(f"delta must be above 0, got {delta}.")
    large = (draws > delta) | (draws < -delta)
    n_large = large.sum(FACTOR)
    every = n_large == draws.sizes[FACTOR]
    one_sign = (draws > 0).all(FACTOR) | (draws < 0).all(FACTOR)
    found = xr.Dataset(
        {
            "p_unique": (large & (n_large == 1)).mean(over),
            "p_shared": (every & one_sign).mean(over),
            "p_opposed": (every & ~one_sign).mean(over),
        }
    )
    return found.assign(
        unique=found["p_unique"] > probability, shared=found["p_shared"] > probability
    ).assign_attrs(delta=float(delta), probability=probability)


def _level(boot: xr.Dataset, level: str) -> tuple[xr.DataArray, xr.DataArray]:
    if level not in (BLOCK, EDGE):
        raise SpecError(f'level must be "block" or "edge", got {level!r}.')
    names = ("block_map", "block_draws") if level == BLOCK else ("map", "map_draws")
    if names[0] not in boot:
        raise DataContractError(
            "bootstrap", ["there are no blocks: pass blocks to bootstrap_maps, or level='edge'."]
        )
    value = boot[names[0]]
    return value.reset_coords(drop=True), boot[names[1]].astype(np.float64)
