"""Join the values of all subjects by region name; refuse or list missing regions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.hints import setting_hint
from bayes_mdd.features.derivatives.interface import Reading, Shape, SubjectValues
from bayes_mdd.features.loading import GroupedProblems
from bayes_mdd.features.matrices import empty_regions, gap_problems
from bayes_mdd.features.networks import fill_networks, network_of_name, networks_of_table
from bayes_mdd.features.regions import check_regions
from bayes_mdd.types import Array, BoolArray

#: With a smaller share of common region names, two files are of different atlases.
_MIN_COMMON_NAMES = 0.5


@dataclass(frozen=True)
class JoinedRegions:
    """Values of all subjects on the same regions.

    Parameters
    ----------
    regions : pandas.DataFrame
        Checked region table, in the order of the values.
    by_subject : mapping of str to numpy.ndarray
        As `SubjectValues.values`, regions in the order of the table.
    facts : dict
        Regions left out, for ``provenance``.
    """

    regions: pd.DataFrame
    by_subject: Mapping[str, Array]
    facts: dict[str, Any] = field(default_factory=dict)


def join_regions(
    reading: Reading,
    by_subject: Mapping[str, SubjectValues],
    regions: pd.DataFrame | None,
    *,
    drop: bool,
) -> JoinedRegions:
    """Join the values of all subjects by region name.

    Parameters
    ----------
    reading : Reading
        What the format reader returned; gives the meaning of zeros and its own region table.
    by_subject : mapping of str to SubjectValues
        Values by ``participant_id``.
    regions : pandas.DataFrame or None
        Region table of the caller, which determines the regions and their order.
    drop : bool
        Whether regions that at least one subject lacks are left out for all subjects instead of
        refused.

    Returns
    -------
    JoinedRegions
        All regions have data in all subjects.

    Raises
    ------
    DataContractError
        If names do not match the table, atlases are mixed, or (unless `drop`) regions are
        missing.
    """
    table, table_facts = _region_table(reading, by_subject, regions)
    names = [str(r) for r in table["region"]]
    check_names_fit(by_subject, names, from_caller=regions is not None)
    gaps, lacking = GroupedProblems(), np.zeros(len(names), dtype=bool)
    aligned: dict[str, Array] = {}
    for subject, own in by_subject.items():
        values = _align(own, names, reading.shape)
        empty = _empty(values, reading)
        for i in np.flatnonzero(empty):
            gaps.add(subject, names[i])
        lacking |= empty
        aligned[subject] = values
    if lacking.any() and not drop:
        raise DataContractError(
            reading.kind,
            [
                *gap_problems(gaps),
                "regions with coverage below min_coverage count as missing. To leave out, for all "
                "participants, the regions that at least one participant lacks, set "
                f"{setting_hint('missing_regions', 'drop')}.",
            ],
        )
    facts: dict[str, Any] = dict(table_facts)
    if lacking.any():
        facts["regions_left_out"] = {r: sorted(subjects) for r, subjects in gaps.subjects.items()}
    extra = _extra_names(by_subject, names)
    if extra:
        facts["not_in_regions"] = extra
    keep = ~lacking
    least = 1 if reading.shape == "regional" else 2
    if keep.sum() < least:
        raise DataContractError(
            reading.kind,
            [f"{keep.sum()} regions have data in all participants, at least {least} required."],
        )
    return JoinedRegions(
        table.loc[keep].reset_index(drop=True),
        {s: _select_regions(v, keep, reading.shape) for s, v in aligned.items()},
        facts,
    )


def _region_table(
    reading: Reading, by_subject: Mapping[str, SubjectValues], regions: pd.DataFrame | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    given = reading.regions if regions is None else regions
    if given is None:
        given = regions_of_names(next(iter(by_subject.values())).names)
    table = check_regions(given)
    return table, networks_of_table(table).facts


def regions_of_names(names: Sequence[str]) -> pd.DataFrame:
    """Build a region table from names alone.

    Parameters
    ----------
    names : sequence of str
        Names of the regions.

    Returns
    -------
    pandas.DataFrame
        ``region``, ``network`` (from Schaefer names) and, where regions have none,
        ``network_from`` (see `fill_networks`).
    """
    filled = fill_networks(names, [network_of_name(n) for n in names])
    table = pd.DataFrame({"region": list(names), "network": list(filled.names)})
    return table.assign(network_from=list(filled.origin)) if filled.groups else table


def check_names_fit(
    by_subject: Mapping[str, SubjectValues], names: Sequence[str], *, from_caller: bool = True
) -> None:
    """Check that the region names of all subjects match the region table.

    Parameters
    ----------
    by_subject : mapping of str to SubjectValues
        Values by subject.
    names : sequence of str
        Regions of the table.
    from_caller : bool
        Whether the table is the caller's; otherwise it lists the regions of the first subject.

    Raises
    ------
    DataContractError
        If region names repeat within a subject, or fewer than half of the table's regions are
        among them.
    """
    found, expected = GroupedProblems(), set(names)
    for subject, own in by_subject.items():
        repeated = [n for n, k in Counter(own.names).items() if k > 1]
        if repeated:
            found.add(
                subject, f"region name(s) {some(repeated)} occur more than once: rename them."
            )
        n_common = len(expected & set(own.names))
        # Poor coverage does not explain this: parcels without data are still named.
        n_own = 0 if from_caller else len(own.names)
        if n_common < _MIN_COMMON_NAMES * max(len(expected), n_own):
            whose = "the region table" if from_caller else "the first participant"
            found.add(
                subject,
                f"has {len(own.names)} regions ({some(own.names, 3)}), but only {n_common} "
                f"of the {len(names)} regions of {whose} ({some(names, 3)}): another atlas? "
                "Select the files of one atlas, or give its region table.",
            )
    if found.subjects:
        raise DataContractError("region names", found.problems())


def _extra_names(by_subject: Mapping[str, SubjectValues], names: Sequence[str]) -> list[str]:
    wanted = set(names)
    return sorted({n for m in by_subject.values() for n in m.names if n not in wanted})


def _align(own: SubjectValues, names: Sequence[str], shape: Shape) -> Array:
    """Sort values by the region table; NaN where a region is absent."""
    position = {n: i for i, n in enumerate(own.names)}
    index = np.array([position.get(n, -1) for n in names], dtype=np.intp)
    values = np.array(own.values, dtype=np.float64)
    if shape == "matrix":
        square = values[np.ix_(index, index)]
        square[index < 0, :] = np.nan
        square[:, index < 0] = np.nan
        return square
    out = values[..., index]
    out[..., index < 0] = np.nan
    return out


def _empty(values: Array, reading: Reading) -> BoolArray:
    if reading.shape == "matrix":
        return np.asarray(empty_regions(values))
    if reading.shape == "series":
        size = np.nanmax(np.abs(values), axis=0, initial=0.0)
        flat = np.ptp(np.nan_to_num(values), axis=0) <= 1e-12 * size
        return np.asarray(np.isnan(values).all(axis=0) | flat)
    return np.asarray(np.isnan(values) | (reading.zero_is_missing & (values == 0)))


def _select_regions(values: Array, keep: BoolArray, shape: Shape) -> Array:
    return values[np.ix_(keep, keep)] if shape == "matrix" else values[..., keep]
