"""Where a finding lies on the maps of a fit: sets of regions, and the mean over their features."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE
from bayes_mdd.errors import SpecError, some
from bayes_mdd.evidence.tables import read_region_names
from bayes_mdd.evidence.words import INSTEAD, NETWORK_WORDS, match_value, plain
from bayes_mdd.features.sides import hemispheres
from bayes_mdd.results.regions import is_edges, region_positions, region_table
from bayes_mdd.types import Array, BoolArray, IntArray

#: Features of findings by the kind of features of a fit.
FEATURES_OF_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "functional_connectivity": ("functional_connectivity", "functional_connectivity_strength"),
    "structural_connectivity": ("structural_connectivity",),
    "structural_count": ("structural_connectivity",),
    "structural_fa": ("fractional_anisotropy",),
    "volume": ("volume", "gray_matter_volume"),
    "gray_matter_volume": ("volume", "gray_matter_volume"),
    "thickness": ("cortical_thickness",),
    "alff": ("alff",),
    "reho": ("reho",),
}
_SIDES = re.compile(r"\b(?:l|r|lh|rh|left|right|ctx)\b")


@dataclass(frozen=True, eq=False)
class Atlas:
    """Regions of a map with what is needed to place findings.

    Parameters
    ----------
    names, networks : tuple of str
        One per region.
    sides : tuple of str
        ``L``, ``R`` or empty.
    edges : bool
        Whether features are pairs of regions.
    first, second : ndarray of int, shape (feature,)
        Regions of each feature; equal for regional features.
    kind : str
        Kind of the features.
    """

    names: tuple[str, ...]
    networks: tuple[str, ...]
    sides: tuple[str, ...]
    edges: bool
    first: IntArray
    second: IntArray
    kind: str

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """Names without sides, in lower case words."""
        return tuple(" ".join(_SIDES.sub(" ", plain(n)).split()) or plain(n) for n in self.names)

    @cached_property
    def groups(self) -> IntArray:
        """Number of the base name of each region: both sides of a structure share one."""
        return np.unique(np.array(self.bases), return_inverse=True)[1].astype(np.int64)

    @cached_property
    def network_codes(self) -> IntArray:
        """Number of the network of each region."""
        return np.unique(np.array(self.networks), return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class End:
    """One end of a finding: regions by structure and side, or networks.

    Parameters
    ----------
    groups : tuple of int
        Structures, see `Atlas.groups`; empty for networks.
    side : str
        ``L`` or ``R`` where the finding names one side.
    networks : tuple of int
        Networks, see `Atlas.network_codes`; empty for structures.
    """

    groups: tuple[int, ...] = ()
    side: str = ""
    networks: tuple[int, ...] = ()

    def regions(
        self, atlas: Atlas, groups: IntArray | None = None, networks: IntArray | None = None
    ) -> IntArray:
        """List the regions of the end.

        Parameters
        ----------
        atlas : Atlas
            The regions.
        groups, networks : ndarray of int, optional
            Permutations of structures and networks.

        Returns
        -------
        ndarray of int
            Positions of regions.
        """
        if self.networks:
            wanted = networks[list(self.networks)] if networks is not None else self.networks
            return np.flatnonzero(np.isin(atlas.network_codes, wanted))
        chosen = groups[list(self.groups)] if groups is not None else self.groups
        inside = np.isin(atlas.groups, chosen)
        on_side = inside & (np.array(atlas.sides) == self.side) if self.side else inside
        return np.flatnonzero(on_side if on_side.any() else inside)


@dataclass(frozen=True, eq=False)
class Place:
    """A finding on a map.

    Parameters
    ----------
    first : End
        One end, or the region.
    second : End or None
        The other end of a connection; None for regional features, and where the finding names one
        end only: then all edges that touch it count.
    """

    first: End
    second: End | None

    def features(self, atlas: Atlas) -> BoolArray:
        """Find the features of the place.

        Parameters
        ----------
        atlas : Atlas
            The regions.

        Returns
        -------
        ndarray of bool, shape (feature,)
            Whether a feature belongs to it.
        """
        a = np.isin(np.arange(len(atlas.names)), self.first.regions(atlas))
        if not atlas.edges:
            return np.asarray(a[atlas.first])
        b = np.ones_like(a)
        if self.second is not None:
            b = np.isin(np.arange(len(atlas.names)), self.second.regions(atlas))
        return np.asarray((a[atlas.first] & b[atlas.second]) | (b[atlas.first] & a[atlas.second]))

    def mean(
        self,
        atlas: Atlas,
        total: Array,
        count: Array,
        groups: IntArray | None = None,
        networks: IntArray | None = None,
    ) -> Array:
        """Average a map over the place.

        Parameters
        ----------
        atlas : Atlas
            The regions.
        total : ndarray, shape (map, region, region) or (map, region)
            Value of each edge (symmetric, 0 where there is none) or region.
        count : ndarray, shape (region, region) or (region,)
            Number of features behind each value.
        groups, networks : ndarray of int, optional
            Permutations of structures and networks.

        Returns
        -------
        ndarray, shape (map,)
            NaN where the place has no feature.
        """
        a = self.first.regions(atlas, groups, networks)
        if not atlas.edges:
            n = count[a].sum()
            return np.asarray(total[:, a].sum(axis=1) / (n or np.nan))
        b = np.arange(len(atlas.names))
        if self.second is not None:
            b = self.second.regions(atlas, groups, networks)
        both = np.intersect1d(a, b)
        n = count[np.ix_(a, b)].sum() - count[np.ix_(both, both)].sum() / 2
        value = total[:, a[:, None], b].sum(axis=(1, 2))
        value = value - total[:, both[:, None], both].sum(axis=(1, 2)) / 2
        return np.asarray(value / (n or np.nan))


def read_atlas_of(sig: xr.Dataset) -> Atlas:
    """Read the regions behind the features of one kind.

    Parameters
    ----------
    sig : Dataset
        Loadings or signatures with the metadata of the features.

    Returns
    -------
    Atlas
        The regions.

    Raises
    ------
    DataContractError
        If the features name no regions.
    """
    table = region_table(sig)
    edges = is_edges(sig)
    columns = ("region_a", "region_b") if edges else ("region_name", "region_name")
    first, second = (region_positions(sig, table.index, c) for c in columns)
    names = tuple(str(n) for n in table.index)
    networks = table["network"].astype(str) if "network" in table else [""] * len(names)
    kind = str(sig["kind"].values[0]) if "kind" in sig.coords and sig.sizes[FEATURE] else ""
    return Atlas(
        names, tuple(networks), tuple(hemispheres(names)), edges,
        first.astype(np.int64), second.astype(np.int64), kind,
    )  # fmt: skip


def arrange(atlas: Atlas, values: Array) -> Array:
    """Arrange values of features by region.

    Parameters
    ----------
    atlas : Atlas
        The regions.
    values : ndarray, shape (map, feature)
        One number per feature.

    Returns
    -------
    ndarray, shape (map, region, region) or (map, region)
        Symmetric for edges; 0 where there is no feature.
    """
    n = len(atlas.names)
    shape = (n, n) if atlas.edges else (n,)
    at = (atlas.first, atlas.second) if atlas.edges else (atlas.first,)
    found = np.zeros((len(values), *shape))
    for row, value in zip(found, values, strict=True):
        np.add.at(row, at, value)
    return found + np.swapaxes(found, 1, 2) if atlas.edges else found


def place_findings(
    findings: pd.DataFrame,
    atlas: Atlas,
    regions: Mapping[str, Sequence[str]] | None = None,
    networks: Mapping[str, Sequence[str]] | None = None,
) -> tuple[dict[str, Place], dict[str, str]]:
    """Place findings on the regions of a map.

    Parameters
    ----------
    findings : DataFrame
        From `find_evidence`.
    atlas : Atlas
        The regions.
    regions, networks : mapping of str to sequence of str, optional
        Regions (networks) of the map by the name in the findings, where names do not agree.

    Returns
    -------
    places : dict of str to Place
        By ``finding_id``.
    reasons : dict of str to str
        Why a finding has no place, by ``finding_id``.

    Raises
    ------
    SpecError
        If `regions` or `networks` have unknown names; every problem is listed.
    """
    own = {"region": dict(regions or {}), "network": dict(networks or {})}
    _check_own(own, findings, atlas)
    places: dict[str, Place] = {}
    reasons: dict[str, str] = {}
    wanted = FEATURES_OF_KIND.get(atlas.kind, ())
    for row in findings.to_dict("records"):
        name = str(row["finding_id"])
        if row["feature"] not in wanted:
            reasons[name] = f"measures {row['feature'] or 'nothing stated'}"
            continue
        ends, unknown = _ends(row, atlas, own)
        if unknown:
            reasons[name] = f"no region or network of the map is {some(unknown)}"
        elif not ends:
            reasons[name] = "names no region or network"
        elif not atlas.edges and len(ends) > 1:
            reasons[name] = "is about a connection"
        else:
            place = Place(ends[0], ends[1] if len(ends) > 1 else None)
            if place.features(atlas).any():
                places[name] = place
            else:
                reasons[name] = "the map has no feature there"
    return places, reasons


def _ends(
    row: Mapping[Any, Any], atlas: Atlas, own: Mapping[str, Mapping[str, Sequence[str]]]
) -> tuple[list[End], list[str]]:
    """Find the ends of a finding on the map, and names that the map does not have."""
    side = row["hemisphere"] if row["hemisphere"] in ("L", "R") else ""
    found: list[End] = []
    unknown: list[str] = []
    stated = [("region", row[c]) for c in ("region_a", "region_b") if row[c]]
    of_networks = [("network", row[c]) for c in ("network_a", "network_b") if row[c]]
    # Of two regions, networks say where they belong; of one region, a network is the other end.
    if len(stated) < 2 and (atlas.edges or not stated):
        stated += of_networks[: 2 - len(stated)]
    for what, name in stated:
        end = _end(what, str(name), side, atlas, own[what])
        found += [end] if end else []
        unknown += [] if end else [str(name)]
    return found, unknown


def _end(
    what: str, name: str, side: str, atlas: Atlas, own: Mapping[str, Sequence[str]]
) -> End | None:
    if what == "network":
        return _network_end(name, atlas, own)
    if name in own:
        wanted = set(own[name])
        groups = {int(g) for g, n in zip(atlas.groups, atlas.names, strict=True) if n in wanted}
    else:
        words = _words_of_region(name)
        groups = {int(g) for g, b in zip(atlas.groups, atlas.bases, strict=True) if b in words}
    return End(groups=tuple(sorted(groups)), side=side) if groups else None


def _network_end(name: str, atlas: Atlas, own: Mapping[str, Sequence[str]]) -> End | None:
    """Find a network, or the one that most parcellations have in its place."""
    tiers = [own[name]] if name in own else [
        NETWORK_WORDS.get(n, (n,)) for n in (name, INSTEAD.get(name, name))
    ]  # fmt: skip
    networks = [plain(n).removesuffix(" network") for n in atlas.networks]
    for tier in tiers:
        words = {plain(w).removesuffix(" network") for w in tier}
        codes = {int(c) for c, n in zip(atlas.network_codes, networks, strict=True) if n in words}
        if codes:
            return End(networks=tuple(sorted(codes)))
    return None


def _words_of_region(name: str) -> set[str]:
    """Spellings of a region: its name, its full name, and labels of atlases."""
    words = {plain(name)}
    table = read_region_names()
    if name in table.index:
        row = table.loc[name]
        words.add(plain(str(row["full_name"]).split("(", maxsplit=1)[0]))
        labels = str(row["suggested_harvard_oxford_or_aseg_label"]).split(";")
        words |= {plain(x) for x in labels if x.strip()}
    return words


def _check_own(
    own: Mapping[str, Mapping[str, Sequence[str]]], findings: pd.DataFrame, atlas: Atlas
) -> None:
    problems = []
    present = {"region": atlas.names, "network": tuple(dict.fromkeys(atlas.networks))}
    for what, named in own.items():
        columns = [f"{what}_a", f"{what}_b"]
        allowed = [str(v) for c in columns for v in findings[c].unique() if v]
        for name, members in named.items():
            if name not in allowed:
                problems.append(match_value(what, name, allowed)[1] or f"{what} '{name}': write it "
                                "as in the findings.")  # fmt: skip
            if isinstance(members, str):
                problems.append(f"{what}s of '{name}' must be a list, got '{members}'.")
                continue
            if lost := [m for m in members if m not in present[what]]:
                problems.append(f"{what}s {some(lost)} given for '{name}' are not on the map.")
    if problems:
        raise SpecError(" ".join(problems))
