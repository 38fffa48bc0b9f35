"""Region tables of other tools (XCP-D, BIDS, AtlasPack, ...): their columns as ours."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.cohort.tables import is_number, read_table
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.networks import Networks, fill_networks, is_network, network_of_name
from bayes_mdd.features.regions import COORDINATES, check_regions
from bayes_mdd.features.sides import stated_sides

#: Columns with the names of regions, without case and punctuation, in order of preference.
_NAMES = (
    *("region", "label", "name", "roi", "roiname", "regionname", "labelname", "parcel"),
    *("parcelname", "node", "nodename", "subregionname", "structure", "structname", "abbreviation"),
)
#: Columns with the value of the region in the label image.
_LABELS = ("label", "index", "roilabel", "value", "key", "roiid", "labelid", "parcelid")
#: Columns with networks that need no choice, in order of preference.
_NETWORKS = ("network", "networklabel", "networkname", "networks", "community", "system")
_NETWORK_LIKE = re.compile(r"(?!label|index|.*(?:id|color|colour)$).*(?:network|community|yeo\d)")
#: Columns with the atlas or the structure of regions in composed atlases.
_PARTS = ("atlasname", "component", "structure", "anatomy", "atlas")
_AXES = {"x": "x", "y": "y", "z": "z", "r": "x", "a": "y", "s": "z"}
_BACKGROUND = frozenset(("background", "unknown", "???", "clearlabel"))
#: Values of ``networks`` that are no column.
ATLAS, CIRCUIT = "atlas", "circuit"


def read_region_table(path: str | Path, networks: str = ATLAS) -> pd.DataFrame:
    """Read the region table of an atlas, in our columns or in those of another tool.

    Parameters
    ----------
    path : str or Path
        Tab- or comma-separated, e.g. ``atlas-4S156Parcels_dseg.tsv`` of XCP-D.
    networks : str, default "atlas"
        See `standardise_regions`.

    Returns
    -------
    pandas.DataFrame
        See `standardise_regions`.

    Raises
    ------
    SpecError
        If `networks` names no column.
    DataContractError
        If the file cannot be read, or lacks names of regions.
    """
    path = Path(path)
    return standardise_regions(read_table(path), what=path.name, networks=networks)


def standardise_regions(
    table: pd.DataFrame, *, what: str = "region table", networks: str = ATLAS
) -> pd.DataFrame:
    """Rename the columns of a region table to those of this package, and complete its networks.

    Parameters
    ----------
    table : pandas.DataFrame
        With names of regions (``region``; or ``label``, ``name`` of BIDS tables) and, optionally,
        the values in the image (``label`` as number, ``index``), networks (``network``,
        ``network_label``, ...), coordinates and hemisphere.
    what : str
        Name of the table in messages.
    networks : str, default "atlas"
        Column with the networks. ``atlas`` (or ``circuit``): the column ``network``,
        ``network_label`` or the only one with networks; without one, the networks in Schaefer
        names.

    Returns
    -------
    pandas.DataFrame
        Checked; ``region``, ``network`` and, if known, ``label``, ``x``, ``y``, ``z``,
        ``hemisphere``. Regions without a network belong to their atlas or structure (see
        `fill_networks`); the column ``network_from`` states this.

    Raises
    ------
    SpecError
        If `networks` names no column, or several columns could be meant.
    DataContractError
        If the table lacks names of regions, or breaks the contract.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"index": ["1", "2"], "label": ["LH_Vis_1", "RH-Thalamus"],
    ...      "network_label": ["Vis", "n/a"]}
    ... )
    >>> standardise_regions(table)[["region", "network", "label"]]
            region    network  label
    0     LH_Vis_1        Vis      1
    1  RH-Thalamus  Subcortex      2
    """
    found = {_plain(c): str(c) for c in reversed([*map(str, table.columns)])}
    table = table.set_axis(list(map(str, table.columns)), axis=1)
    label = next((found[c] for c in _LABELS if c in found and _whole(table[found[c]])), None)
    region = _region_column(table, found, label, what)
    if label is not None and {"region", "network"} <= set(table) and label != "label":
        label = None  # our own layout: other numbers of the table are not labels
    table = _without_background(table, region, label)
    filled = table_networks(table, region, what=what, networks=networks)
    return check_regions(_renamed(table, region, label, found, filled), what=what)


def table_networks(
    table: pd.DataFrame, region: str, *, what: str, networks: str = ATLAS
) -> Networks:
    """Find the network of each row of a region table.

    Parameters
    ----------
    table : pandas.DataFrame
        A region table of any tool.
    region : str
        Its column with the names of regions.
    what : str
        Name of the table in messages.
    networks : str, default "atlas"
        See `standardise_regions`.

    Returns
    -------
    Networks
        One network per row; regions without one are grouped.

    Raises
    ------
    SpecError
        If `networks` names no column, or several columns could be meant.
    """
    found = {_plain(c): str(c) for c in reversed([*map(str, table.columns)])}
    column = _network_column(table, found, networks, what)
    stated = _stated_networks(table, column, region)
    part = next((found[c] for c in _PARTS if c in found and found[c] not in (region, column)), None)
    names = table[region].astype(str).tolist()
    return fill_networks(names, stated, None if part is None else table[part].tolist())


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _whole(column: pd.Series[Any]) -> bool:
    cells = column.astype(str)
    return bool(len(cells)) and all(is_number(c) and float(c) % 1 == 0 for c in cells)


def _region_column(table: pd.DataFrame, found: dict[str, str], label: str | None, what: str) -> str:
    """Find the column with the names of regions: text, without repetitions."""
    named = [found[c] for c in _NAMES if c in found and found[c] != label]
    text = [c for c in named if not _whole(table[c])] or named
    unique = [c for c in text if not table[c].duplicated().any()]
    if text:
        own_layout = {"region", "network"} <= set(table)
        # A repeated name is reported by the check of the table.
        return "region" if own_layout else (unique or text)[0]
    near = [c for c in map(str, table.columns) if not table[c].duplicated().any()]
    raise DataContractError(
        what,
        [
            "has no column with the names of regions: expected region (or label, name); found "
            f"{some(table.columns, 12)}. Rename the column with the names to region"
            + (f" (without repetitions: {some(near)})." if near else ".")
        ],
    )


def _without_background(table: pd.DataFrame, region: str, label: str | None) -> pd.DataFrame:
    """Leave out the row of the background, with the value 0."""
    if label is None:
        return table
    zero = table[label].astype(float) == 0
    background = table[region].astype(str).str.replace(" ", "").str.lower().isin(_BACKGROUND)
    return table[~(zero & background)]


def network_columns(table: pd.DataFrame) -> list[str]:
    """List the columns of a table that may hold networks.

    Parameters
    ----------
    table : pandas.DataFrame
        A region table.

    Returns
    -------
    list of str
        Names of columns, in their order.

    Examples
    --------
    >>> network_columns(pd.DataFrame(columns=["index", "label_7network", "network_label"]))
    ['network_label']
    """
    plain = {str(c): _plain(str(c)) for c in table.columns}
    return [c for c, p in plain.items() if p in _NETWORKS or _NETWORK_LIKE.match(p)]


def _network_column(
    table: pd.DataFrame, found: dict[str, str], networks: str, what: str
) -> str | None:
    if networks not in (ATLAS, CIRCUIT):
        return _requested_column(table, networks, what)
    usual = [found[c] for c in _NETWORKS if c in found]
    choices = network_columns(table)
    if usual or len(choices) < 2:
        return next(iter(usual or choices), None)
    seven = [c for c in choices if "7network" in _plain(c) and "17network" not in _plain(c)]
    if len(seven) == 1 and "networklabel7network" in found:
        return seven[0]
    raise SpecError(
        f"{what} has several columns with networks: choose one with networks= (--networks), "
        f"{' or '.join(map(repr, choices))}."
    )


def _requested_column(table: pd.DataFrame, networks: str, what: str) -> str:
    if networks in table:
        return networks
    columns = list(map(str, table.columns))
    near = get_close_matches(networks, columns, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise SpecError(
        f"networks must be 'atlas', 'circuit' or a column of {what}, got {networks!r}; columns "
        f"with networks: {some(network_columns(table)) or 'none'}; all columns: "
        f"{some(columns, 12)}.{hint}"
    )


def _stated_networks(table: pd.DataFrame, column: str | None, region: str) -> list[object]:
    if column is None:
        return [network_of_name(str(n)) for n in table[region]]
    cells = [None if pd.isna(c) else str(c).strip() for c in table[column]]
    # In columns of numbered networks (Yeo), 0 means that a region belongs to none.
    numbered = all(c is None or not is_network(c) or is_number(c) for c in cells)
    return [None if numbered and c == "0" else c for c in cells]


def _renamed(
    table: pd.DataFrame, region: str, label: str | None, found: dict[str, str], filled: Networks
) -> pd.DataFrame:
    keep = list(map(str, table.columns)) if {"region", "network"} <= set(table) else []
    out = pd.DataFrame({"region": table[region], "network": list(filled.names)}, index=table.index)
    if label is not None:
        out["label"] = table[label]
    for name in ("hemisphere", "circuit", "radius", "structure"):
        if name in found and found[name] != region:
            out[name] = table[found[name]]
    sides = stated_sides(table)
    if sides is not None and "hemisphere" not in out:
        out["hemisphere"] = np.asarray(sides, dtype=object)
    for axis, source in _coordinates(found).items():
        out[axis] = table[source].mask(table[source].astype(str).isin([MISSING, "", "nan"]))
    others = [c for c in keep if c not in out]
    out = out.assign(**{c: table[c] for c in others})
    # Text numbers of optional columns of our own layout are converted as `read_regions` does.
    if "radius" in out:
        out["radius"] = pd.to_numeric(out["radius"], errors="coerce")
    return out.assign(network_from=list(filled.origin)) if filled.groups else out


def _coordinates(found: dict[str, str]) -> dict[str, str]:
    """Columns of the three coordinates; none unless all three are there."""
    for pattern in ("{}", "mni{}", "{}mni", "{}mm", "center{}", "centroid{}"):
        for axes in (COORDINATES, ("r", "a", "s")):
            names = [pattern.format(axis) for axis in axes]
            if all(n in found for n in names):
                return {_AXES[a]: found[n] for a, n in zip(axes, names, strict=True)}
    return {}
