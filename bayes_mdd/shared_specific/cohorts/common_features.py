"""Features that all cohorts have, and problems of their atlases."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import BLOCK, FEATURE, REGION
from bayes_mdd.errors import some
from bayes_mdd.shared_specific.tables.cohorts import LEAST_FEATURES, name_features

#: Smallest part of the features of a cohort that the others must have as well.
LEAST_COMMON: Final = 0.9
#: Largest distance in mm between the places of a region in two cohorts.
FARTHEST: Final = 5.0


def find_common(summaries: Mapping[str, xr.Dataset]) -> tuple[list[str], list[str]]:
    """Find the features that all cohorts have.

    Parameters
    ----------
    summaries : mapping of str to Dataset
        Summaries by name of the cohort.

    Returns
    -------
    common : list of str
        Names in the order of the first cohort.
    problems : list of str
        Of atlases that differ.
    """
    names = {n: name_features(s) for n, s in summaries.items()}
    problems = [
        f"{n} holds features of the same name twice."
        for n, x in names.items()
        if len(set(x)) < len(x)
    ]
    everywhere = set.intersection(*(set(x) for x in names.values()))
    first = next(iter(names.values()))
    common = [f for f in first if f in everywhere]
    least = min(len(common) / len(x) for x in names.values())
    if len(common) < LEAST_FEATURES or least < LEAST_COMMON:
        said = ", ".join(f"{n}: {len(x)} such as {some(x, 1)}" for n, x in names.items())
        problems.append(
            f"{len(common)} features are in all cohorts ({said}), less than {LEAST_COMMON:.0%} of "
            "those of a cohort: use the same atlas and names of regions."
        )
        return common, problems
    blocks = [_blocks(s, x) for s, x in zip(summaries.values(), names.values(), strict=True)]
    moved = [f for f in common if len({b[f] for b in blocks}) > 1]
    if moved:
        problems.append(
            f"{len(moved)} features are in different blocks (networks) in the cohorts, such as "
            f"{some(moved, 2)}: use the same table of regions."
        )
    return common, problems + _places(summaries)


def _blocks(s: xr.Dataset, names: list[str]) -> dict[str, str]:
    """Block of each feature, its networks in alphabetical order."""
    block = s[BLOCK].values.astype(str)
    if "network_a" in s.coords and "network_b" in s.coords:
        pairs = zip(
            s["network_a"].values.astype(str), s["network_b"].values.astype(str), strict=True
        )
        block = np.array(["--".join(sorted(p)) for p in pairs])
    return dict(zip(names, block.tolist(), strict=True))


def _places(summaries: Mapping[str, xr.Dataset]) -> list[str]:
    """Regions of one name in different places."""
    axes = [f"region_{a}" for a in "xyz"]
    placed = {
        n: s for n, s in summaries.items() if REGION in s.coords and set(axes) <= set(s.coords)
    }
    problems = []
    for (a, one), (b, other) in combinations(placed.items(), 2):
        both = [r for r in one[REGION].values if r in other[REGION].values]
        at = [
            np.stack([s[x].sel({REGION: both}).values.astype(float) for x in axes])
            for s in (one, other)
        ]
        far = np.sqrt(((at[0] - at[1]) ** 2).sum(axis=0)) > FARTHEST
        if far.any():
            away = [str(r) for r, f in zip(both, far, strict=True) if f]
            problems.append(
                f"{len(away)} regions of the same name are more than {FARTHEST:g} mm apart in {a} "
                f"and {b}, such as {some(away, 2)}: use the same atlas."
            )
    return problems


def select_features(summary: xr.Dataset, common: list[str]) -> xr.Dataset:
    """Bring the features of a summary to a common order.

    Parameters
    ----------
    summary : Dataset
        A summary.
    common : list of str
        From `check_comparable`.

    Returns
    -------
    Dataset
        With these features only.
    """
    place = {f: i for i, f in enumerate(name_features(summary))}
    return summary.isel({FEATURE: [place[f] for f in common]})
