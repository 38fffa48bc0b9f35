"""Networks of regions: from a table, from region names, and groups for regions without one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import some

#: Networks of the Schaefer atlases in 7 and 17 networks (and of older 17-network releases).
SCHAEFER_NETWORKS = frozenset(
    (
        *("Vis", "SomMot", "DorsAttn", "SalVentAttn", "Limbic", "Cont", "Default"),
        *("VisCent", "VisPeri", "SomMotA", "SomMotB", "DorsAttnA", "DorsAttnB", "SalVentAttnA"),
        *("SalVentAttnB", "LimbicA", "LimbicB", "ContA", "ContB", "ContC", "DefaultA"),
        *("DefaultB", "DefaultC", "TempPar"),
    )
)
#: Cells that state no network, in lower case.
_NO_NETWORK = frozenset(("", MISSING, "na", "nan", "none", "null", "-", "unassigned", "unknown"))
#: Network of regions that belong to no network and to no known structure.
UNASSIGNED = "unassigned"
#: Network of all regions, where no region has one.
ALL = "all"
#: Anatomical group by the words or abbreviations of region names, first match first.
_STRUCTURES = (
    ("Cerebellum", r"cereb(?:ell|elum)|vermis|\bcrus\b|\blobule"),
    (
        "Brainstem",
        r"brain.?stem|midbrain|pons\b|medulla|substantia.?nigra|red.?nucleus|tegment|raphe"
        r"|\b(?:vta|snc|snr|rn|pbp)\b",
    ),
    (
        "Subcortex",
        r"thalam|pulvinar|hippocamp|amygdal|caudat|putamen|pallid|accumb|striat|habenul|mammill"
        r"|geniculat|subcort|diencephal|ventral.?dc|claustrum"
        r"|\b(?:ca|pu|nac|exa|gpe|gpi|vep|sth|hth|hn|mn|an|vlp|va|vl|mgn|lgn|pul|md|gp|nacc)\b",
    ),
)
_SIDES = re.compile(r"[_\-./ ()]+")


def network_of_name(name: str) -> str | None:
    """Extract the network from the name of a Schaefer region.

    Parameters
    ----------
    name : str
        Name of a region.

    Returns
    -------
    str or None
        The network; None if the name has another form or names no Schaefer network.

    Examples
    --------
    >>> network_of_name("17Networks_LH_VisCent_ExStr_1"), network_of_name("Left-Amygdala")
    ('VisCent', None)
    >>> network_of_name("LH_Hippocampus") is None
    True
    """
    match = re.fullmatch(r"(?:\d+Networks_)?[LR]H_([A-Za-z]+)(?:_.*)?", name)
    return match[1] if match and match[1] in SCHAEFER_NETWORKS else None


def structure_of_name(name: str) -> str | None:
    """Find the anatomical group of a subcortical or cerebellar region by its name.

    Parameters
    ----------
    name : str
        Name of a region, in any of the usual spellings.

    Returns
    -------
    str or None
        ``Subcortex``, ``Cerebellum`` or ``Brainstem``; None for other names.

    Examples
    --------
    >>> [structure_of_name(n) for n in ("RH-Thalamus", "Cerebellar_Region3", "LH_Vis_1")]
    ['Subcortex', 'Cerebellum', None]
    """
    words = " ".join(_SIDES.split(name)).lower()
    return next((group for group, pattern in _STRUCTURES if re.search(pattern, words)), None)


def is_network(cell: object) -> bool:
    """Whether the cell of a table states a network.

    Parameters
    ----------
    cell : object
        The cell; None and NaN state none.

    Returns
    -------
    bool
        False for marks of missing values and for ``none``, ``unassigned`` and ``unknown``.

    Examples
    --------
    >>> [is_network(c) for c in ("DMN", "n/a", "None", None)]
    [True, False, False, False]
    """
    return cell is not None and str(cell).strip().lower() not in _NO_NETWORK


@dataclass(frozen=True)
class Networks:
    """The network of each region, and which regions have none of their own.

    Parameters
    ----------
    names : tuple of str
        One network per region.
    groups : dict
        For regions without a network: the regions by the group that stands for the network.
    """

    names: tuple[str, ...]
    groups: dict[str, list[str]] = field(default_factory=dict)

    @property
    def origin(self) -> tuple[str, ...]:
        """``group`` for regions without a network of their own, else ``atlas``."""
        return tuple("group" if n in self.groups else "atlas" for n in self.names)

    @property
    def facts(self) -> dict[str, Any]:
        """Entries for ``provenance``."""
        if set(self.names) == {ALL} and self.groups:
            return {"networks": "none given: all regions are one network"}
        return {"regions_without_network": self.groups} if self.groups else {}

    @property
    def notes(self) -> list[str]:
        """Description for the user of what stands for missing networks."""
        if not self.groups or set(self.names) == {ALL}:
            return []
        listed = "; ".join(
            f"{group} ({len(regions)}: {some(regions, 3)})"
            for group, regions in self.groups.items()
        )
        n = sum(map(len, self.groups.values()))
        return [
            f"{n} of {len(self.names)} regions have no network and form blocks of their own: "
            f"{listed}. For other blocks, give a region table with a column network."
        ]


def fill_networks(
    regions: Sequence[str],
    networks: Sequence[object],
    parts: Sequence[object] | None = None,
) -> Networks:
    """Give regions without a network a named group of their own.

    Parameters
    ----------
    regions : sequence of str
        Names of the regions.
    networks : sequence
        Network of each region; None, NaN, ``n/a``, ``none``, ... where there is none.
    parts : sequence, optional
        Atlas or structure of each region, for atlases that are composed of others.

    Returns
    -------
    Networks
        Regions without a network belong to their part, if it holds no region with a network; else
        to ``Subcortex``, ``Cerebellum`` or ``Brainstem`` by their name; else to ``unassigned``. If
        no region has a network and there are no parts, all belong to ``all``.

    Examples
    --------
    >>> got = fill_networks(["LH_Vis_1", "RH-Thalamus", "X"], ["Vis", None, "n/a"])
    >>> got.names
    ('Vis', 'Subcortex', 'unassigned')
    >>> got.groups
    {'Subcortex': ['RH-Thalamus'], 'unassigned': ['X']}
    """
    known = [is_network(n) for n in networks]
    own = parts if parts is not None else [None] * len(regions)
    taken = {str(p) for p, k in zip(own, known, strict=True) if k}
    usable = [is_network(p) and str(p) not in taken for p in own]
    if not any(known) and len({str(p) for p, u in zip(own, usable, strict=True) if u}) < 2:
        return Networks((ALL,) * len(regions), {ALL: list(regions)} if len(regions) else {})
    names: list[str] = []
    groups: dict[str, list[str]] = {}
    for region, network, has_one, part, part_usable in zip(
        regions, networks, known, own, usable, strict=True
    ):
        if has_one:
            names.append(str(network).strip())
            continue
        group = str(part) if part_usable else structure_of_name(region) or UNASSIGNED
        names.append(group)
        groups.setdefault(group, []).append(region)
    return Networks(tuple(names), groups)


def networks_of_table(regions: pd.DataFrame) -> Networks:
    """Read from a checked region table which regions have no network of their own.

    Parameters
    ----------
    regions : pandas.DataFrame
        With ``region``, ``network`` and, where regions lack a network, ``network_from``.

    Returns
    -------
    Networks
        One network per region.
    """
    names = tuple(map(str, regions["network"]))
    if "network_from" not in regions:
        return Networks(names)
    groups: dict[str, list[str]] = {}
    for region, network, origin in zip(
        regions["region"], names, regions["network_from"], strict=True
    ):
        if origin == "group":
            groups.setdefault(network, []).append(str(region))
    return Networks(names, groups)
