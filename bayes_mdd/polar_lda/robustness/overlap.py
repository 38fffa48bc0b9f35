"""Which parts of the maps factors share: the published rule, and joint probabilities."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.stats import false_discovery_control, norm

from bayes_mdd.dims import BLOCK, FACTOR
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda.em.dims import EDGE, RESAMPLE
from bayes_mdd.types import BoolArray


def published_overlap(
    boot: xr.Dataset, *, level: str = BLOCK, q: float = 0.05, p_max: float | None = None
) -> xr.Dataset:
    """Classify parts of the maps as shared or unique by the published rule.

    z is the map divided by the SD of its resamples, p is two-sided normal. Factors in which a part
    is significant (false discovery rate over all factors and parts) are counted: a part is
    "unique" with one, a "conjunction" with two or more. Signs need not agree. "Significant in one
    and not in another" is not a test of a difference: compare `posterior_overlap`.

    Parameters
    ----------
    boot : Dataset
        From `bootstrap_maps`.
    level : {"block", "edge"}, default "block"
        Whether blocks or edges are the parts.
    q : float, default 0.05
        False discovery rate (Benjamini-Hochberg).
    p_max : float, optional
        Fixed threshold of p instead of `q` (the published one was .0186).

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
    value, draws = _select_level(boot, level)
    sd = draws.std(RESAMPLE, ddof=1).values
    size = value.values
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(sd > 0, size / sd, np.where(size == 0, 0.0, np.inf))
    z = np.where(np.isinf(z), np.sign(size) * np.inf, z)
    p = 2 * norm.sf(np.abs(z))
    adjusted = p if p_max is not None else false_discovery_control(p.ravel()).reshape(p.shape)
    survives: BoolArray = np.asarray(adjusted <= (q if p_max is None else p_max))
    count = survives.sum(axis=0)
    dims = value.dims
    return xr.Dataset(
        {
            "z": (dims, z),
            "p": (dims, p),
            "survives": (dims, survives),
            "count": (dims[1:], count),
            "unique": (dims, survives & (count == 1)),
            "conjunction": (dims[1:], count >= 2),
            "all_factors": (dims[1:], count == len(size)),
        },
        coords=value.coords,
        attrs={"rule": f"FDR {q}" if p_max is None else f"p <= {p_max}", "level": level},
    )


def posterior_overlap(
    draws: xr.DataArray, *, delta: float | None = None, probability: float = 0.9
) -> xr.Dataset:
    r"""Classify parts of the maps as shared or unique by their joint probability.

    With :math:`L_k` the map of factor k at one part and :math:`\delta` the smallest relevant size,
    a part is unique to k with probability :math:`P(|L_k| > \delta, |L_j| \le \delta
    \;\forall j \ne k)`, and shared with probability :math:`P(|L_k| > \delta \;\forall k` *with
    equal sign*). Factors of opposite sign at a part do not share it.

    Parameters
    ----------
    draws : DataArray
        Draws of the maps. All dimensions are draws except ``factor`` and the last one (parts).
    delta : float, optional
        Smallest relevant size, in units of the maps. Default: half the root mean square of the
        mean map.
    probability : float, default 0.9
        A part is classified as shared or unique when its probability exceeds this.

    Returns
    -------
    Dataset
        ``p_unique`` (factor, part), ``p_shared`` and ``p_opposed`` (part: all above delta, not
        all of one sign), ``unique``, ``shared``. Attributes ``delta``, ``probability``.

    Raises
    ------
    SpecError
        If `delta` is not above 0.

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


def _select_level(boot: xr.Dataset, level: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the map and its draws, by block or by edge."""
    if level not in (BLOCK, EDGE):
        raise SpecError(f'level must be "block" or "edge", got {level!r}.')
    names = ("block_map", "block_draws") if level == BLOCK else ("map", "map_draws")
    if names[0] not in boot:
        raise DataContractError(
            "bootstrap", ["no blocks: pass blocks to bootstrap_maps, or use level='edge'."]
        )
    value = boot[names[0]]
    return value.reset_coords(drop=True), boot[names[1]].astype(np.float64)
