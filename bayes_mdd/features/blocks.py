"""Coordinates of features: the regions and the block of each edge or regional value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayes_mdd.dims import BLOCK_SEPARATOR, EDGE_SEPARATOR
from bayes_mdd.errors import DataContractError, some

type Text = npt.NDArray[np.str_]
type Index = npt.NDArray[np.intp]


def edge_index(n_regions: int) -> tuple[Index, Index]:
    """Rows and columns of the upper triangle; the package orders edges this way throughout.

    Parameters
    ----------
    n_regions : int
        Number of regions.

    Returns
    -------
    tuple of numpy.ndarray
        ``numpy.triu_indices(n_regions, 1)``.
    """
    first, second = np.triu_indices(n_regions, 1)
    return first, second


def edge_labels(regions: pd.DataFrame) -> Text:
    """Labels ``A--B`` of all edges in the order of `edge_index`.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table (see `read_regions`).

    Returns
    -------
    numpy.ndarray of str
        One label per edge.

    Examples
    --------
    >>> edge_labels(pd.DataFrame({"region": ["a", "b", "c"]})).tolist()
    ['a--b', 'a--c', 'b--c']
    """
    names = np.asarray(regions["region"], dtype=np.str_)
    first, second = edge_index(len(names))
    return np.strings.add(np.strings.add(names[first], EDGE_SEPARATOR), names[second])


def edge_blocks(regions: pd.DataFrame, first: Index, second: Index) -> Text:
    """Name the block of each edge: its pair of networks, in order of first appearance.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table with ``network``.
    first, second : numpy.ndarray of int
        Rows of the two regions of each edge.

    Returns
    -------
    numpy.ndarray of str
        For example ``DMN-CCN`` for all edges between these networks, whichever region comes first.

    Raises
    ------
    DataContractError
        If two different pairs of networks would get the same name.

    Examples
    --------
    >>> table = pd.DataFrame({"region": ["a", "b", "c"], "network": ["DMN", "CCN", "DMN"]})
    >>> edge_blocks(table, *edge_index(3)).tolist()
    ['DMN-CCN', 'DMN-DMN', 'DMN-CCN']
    """
    code, networks = pd.factorize(np.asarray(regions["network"], dtype=object))
    n = len(networks)
    names = np.array([[f"{a}{BLOCK_SEPARATOR}{b}" for b in networks] for a in networks], np.str_)
    low, high = edge_index(n)
    pair_names = np.concatenate([names[low, high], np.diag(names)])
    unique, count = np.unique(pair_names, return_counts=True)
    if (count > 1).any():
        raise DataContractError(
            "networks of regions.tsv",
            [
                f"different pairs of networks would share the block name(s) "
                f"{some(unique[count > 1])}: rename the networks that contain '{BLOCK_SEPARATOR}'."
            ],
        )
    a, b = code[first], code[second]
    blocks: Text = names[np.minimum(a, b), np.maximum(a, b)]
    return blocks


def edge_coordinates(
    regions: pd.DataFrame, first: Index, second: Index, *, kind: str
) -> dict[str, Any]:
    """Build the coordinates of edges that the feature contract requires.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table.
    first, second : numpy.ndarray of int
        Rows of the two regions of each edge.
    kind : str
        Kind of data, e.g. ``functional_connectivity``.

    Returns
    -------
    dict
        Name to ``("feature", values)``.
    """
    names = np.asarray(regions["region"], dtype=np.str_)
    networks = np.asarray(regions["network"], dtype=np.str_)
    labels = np.strings.add(np.strings.add(names[first], EDGE_SEPARATOR), names[second])
    columns: dict[str, Any] = {
        "feature": labels,
        "block": edge_blocks(regions, first, second),
        "region_a": names[first],
        "region_b": names[second],
        "network_a": networks[first],
        "network_b": networks[second],
        "kind": np.full(len(labels), kind),
    }
    return {name: ("feature", values) for name, values in columns.items()}


def regional_coordinates(regions: pd.DataFrame, rows: Index, *, kind: str) -> dict[str, Any]:
    """Build the coordinates of regional features that the feature contract requires.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table.
    rows : numpy.ndarray of int
        Row of the region of each feature.
    kind : str
        Kind of data, e.g. ``reho``.

    Returns
    -------
    dict
        Name to ``("feature", values)``; the block is the network of the region. MNI coordinates are
        named ``mni_x``, ``mni_y`` and ``mni_z``, because ``y`` holds the measurements.
    """
    chosen = regions.iloc[rows]
    names = np.asarray(chosen["region"], dtype=np.str_)
    networks = np.asarray(chosen["network"], dtype=np.str_)
    columns: dict[str, Any] = {
        "feature": names,
        "block": networks,
        "region_name": names,
        "network": networks,
        "kind": np.full(len(names), kind),
    }
    for axis in ("x", "y", "z"):
        if axis in chosen.columns:
            columns[f"mni_{axis}"] = np.asarray(chosen[axis], dtype=np.float64)
    return {name: ("feature", values) for name, values in columns.items()}


def region_coordinates(regions: pd.DataFrame) -> dict[str, Any]:
    """Build the coordinates of the dimension ``region``: all regions in atlas order.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table.

    Returns
    -------
    dict
        Name to ``("region", values)``.
    """
    coords: dict[str, Any] = {
        "region": ("region", np.asarray(regions["region"], dtype=np.str_)),
        "region_network": ("region", np.asarray(regions["network"], dtype=np.str_)),
    }
    types: dict[str, Any] = {
        "x": np.float64,
        "y": np.float64,
        "z": np.float64,
        "label": np.int64,
        "hemisphere": np.str_,
    }
    for name, kind in types.items():
        if name in regions.columns:
            coords[f"region_{name}"] = ("region", np.asarray(regions[name], dtype=kind))
    return coords
