"""Numbers of people joined by the names of regions; what is missing is refused or listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.values import Measured, Reading
from bayes_mdd.features.loading import Floats, Grouped
from bayes_mdd.features.matrices import empty_regions, gap_problems
from bayes_mdd.features.regions import check_regions, network_of_name

#: Below this share of common names two files are of different atlases.
_SAME_ATLAS = 0.5

type Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Joined:
    """Everybody's numbers on the same regions.

    Parameters
    ----------
    regions : pandas.DataFrame
        Checked region table; its order is that of the numbers.
    people : mapping of str to numpy.ndarray
        As `Measured.values`, regions in the order of the table.
    facts : dict
        What was left out, for ``provenance``.
    """

    regions: pd.DataFrame
    people: Mapping[str, Floats]
    facts: dict[str, Any] = field(default_factory=dict)


def join_regions(
    reading: Reading, people: Mapping[str, Measured], regions: pd.DataFrame | None, *, drop: bool
) -> Joined:
    """Join the numbers of people by the names of regions.

    Parameters
    ----------
    reading : Reading
        For what zeros mean, and for its own region table.
    people : mapping of str to Measured
        The people, by ``participant_id``.
    regions : pandas.DataFrame or None
        Region table of the caller; it decides which regions are taken, and their order.
    drop : bool
        Whether regions that somebody lacks are left out for everybody instead of refused.

    Returns
    -------
    Joined
        No region of it is without data in anybody.

    Raises
    ------
    DataContractError
        If names do not fit the table, atlases are mixed, or (unless `drop`) regions are missing.
    """
    table, own = _region_table(reading, people, regions)
    names = [str(r) for r in table["region"]]
    check_names_fit(people, names, given=regions is not None)
    gaps, lacking = Grouped(), np.zeros(len(names), dtype=bool)
    aligned: dict[str, Floats] = {}
    for who, measured in people.items():
        values = _aligned(measured, names)
        empty = _empty(values, reading)
        for i in np.flatnonzero(empty):
            gaps.add(who, names[i])
        lacking |= empty
        aligned[who] = values
    if lacking.any() and not drop:
        raise DataContractError(
            reading.kind,
            [
                *gap_problems(gaps),
                "regions covered less than min_coverage count as without data; missing='drop' "
                "(DerivativesSpec) leaves out for everybody what somebody lacks, and lists it.",
            ],
        )
    facts: dict[str, Any] = dict(own)
    if lacking.any():
        facts["regions_left_out"] = {r: sorted(who) for r, who in gaps.who.items()}
    extra = _extra_names(people, names)
    if extra:
        facts["not_in_regions"] = extra
    keep = ~lacking
    if keep.sum() < (1 if reading.shape == "regional" else 2):
        raise DataContractError(reading.kind, ["no region has data in everybody."])
    kept = table.loc[keep].reset_index(drop=True)
    return Joined(kept, {w: _kept(v, keep, reading.shape) for w, v in aligned.items()}, facts)


def _region_table(
    reading: Reading, people: Mapping[str, Measured], regions: pd.DataFrame | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    if regions is not None:
        return check_regions(regions), {}
    if reading.regions is not None:
        return check_regions(reading.regions), {}
    names = list(next(iter(people.values())).names)
    networks = [network_of_name(n) for n in names]
    if all(networks):
        return check_regions(pd.DataFrame({"region": names, "network": networks})), {}
    table = check_regions(pd.DataFrame({"region": names, "network": "all"}))
    return table, {"networks": "none given: all regions are one network"}


def check_names_fit(
    people: Mapping[str, Measured], names: Sequence[str], *, given: bool = True
) -> None:
    """Refuse numbers whose names are not those of the region table.

    Parameters
    ----------
    people : mapping of str to Measured
        The people.
    names : sequence of str
        Regions of the table.
    given : bool
        Whether the table is the caller's (else it is the first person's names).

    Raises
    ------
    DataContractError
        If somebody's names repeat, or fewer than half of the table's regions are among them.
    """
    found, wanted = Grouped(), set(names)
    for who, measured in people.items():
        twice = [n for n, k in Counter(measured.names).items() if k > 1]
        if twice:
            found.add(who, f"region name(s) {some(twice)} occur more than once: rename them.")
        n_common = len(wanted & set(measured.names))
        # Nobody's coverage is so bad that half of an atlas is not even named.
        if n_common < _SAME_ATLAS * max(len(wanted), 0 if given else len(measured.names)):
            whose = "the region table's" if given else "the first person's"
            found.add(
                who,
                f"has {len(measured.names)} regions ({some(measured.names, 3)}), of {whose} "
                f"{len(names)} ({some(names, 3)}) only {n_common} are among them: another atlas. "
                "Choose the files of one atlas, or give its region table.",
            )
    if found.who:
        raise DataContractError("region names", found.problems())


def _extra_names(people: Mapping[str, Measured], names: Sequence[str]) -> list[str]:
    wanted = set(names)
    return sorted({n for m in people.values() for n in m.names if n not in wanted})


def _aligned(measured: Measured, names: Sequence[str]) -> Floats:
    """Bring numbers into the order of the table; NaN where a region is absent."""
    place = {n: i for i, n in enumerate(measured.names)}
    index = np.array([place.get(n, -1) for n in names], dtype=np.intp)
    values = np.array(measured.values, dtype=np.float64)
    if measured.values.ndim == 2 and len(measured.names) == len(values) == values.shape[1]:
        square = values[np.ix_(index, index)]
        square[index < 0, :] = np.nan
        square[:, index < 0] = np.nan
        return square
    out = values[..., index]
    out[..., index < 0] = np.nan
    return out


def _empty(values: Floats, reading: Reading) -> Flags:
    if reading.shape == "matrix":
        return np.asarray(empty_regions(values))
    if reading.shape == "series":
        size = np.nanmax(np.abs(values), axis=0, initial=0.0)
        flat = np.ptp(np.nan_to_num(values), axis=0) <= 1e-12 * size
        return np.asarray(np.isnan(values).all(axis=0) | flat)
    return np.asarray(np.isnan(values) | (reading.zero_is_missing & (values == 0)))


def _kept(values: Floats, keep: Flags, shape: str) -> Floats:
    return values[np.ix_(keep, keep)] if shape == "matrix" else values[..., keep]
