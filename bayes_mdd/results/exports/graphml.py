"""GraphML: one graph per factor, for Gephi, Cytoscape, igraph and NetworkX.

References
----------
Brandes et al. (2002), GraphML progress report: structural layer proposal. Graph Drawing 2001.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import BLOCK
from bayes_mdd.files.replace import write_with
from bayes_mdd.results.export_notes import common_note, factor_notes, say_name
from bayes_mdd.results.exports.material import Material, write_json
from bayes_mdd.results.regions import region_positions

NAMESPACE: Final = "http://graphml.graphdrawing.org/xmlns"
_SCHEMA: Final = f"{NAMESPACE} {NAMESPACE}/1.0/graphml.xsd"
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
#: Attributes of edges by their name in signatures.
_OF_EDGES: Final = {
    "weight": "mean",
    "sd": "sd",
    "lower": "lower",
    "upper": "upper",
    "p_positive": "p_positive",
}
NOTE: Final = {
    "Nodes": "regions: label, network, x, y, z (MNI, mm) and atlas_label, where known",
    "Edges": "weight: posterior mean loading, signed; abs_weight; sd, lower, upper, p_positive; "
    "block. Layouts that need weights above 0 take abs_weight.",
    "MissingValue": "no data element",
}


def why_not(material: Material) -> str | None:
    """Say why a run has no graphs.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it has them.
    """
    return material.why_no_edges()


def write(material: Material, folder: Path) -> None:
    """Write one graph per factor, with a JSON sidecar.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    nodes = _nodes(material)
    for factor, one, note in factor_notes(material.sig):
        tree = _graph(factor, say_name(note), nodes, *_edges(material, one))
        save = partial(tree.write, encoding="utf-8", xml_declaration=True)
        write_with(folder / f"factor-{factor}.graphml", save)
        write_json(folder / f"factor-{factor}.json", {**common_note(material.sig), **note, **NOTE})


def _nodes(material: Material) -> list[dict[str, Any]]:
    columns = {"network": "network", "x": "x", "y": "y", "z": "z", "label": "atlas_label"}
    table = material.regions.rename(columns=columns)
    kept = [c for c in columns.values() if c in table]
    rows = table[kept].to_dict("records")
    return [
        {"label": str(n), **{str(k): v for k, v in row.items()}}
        for n, row in zip(table.index, rows, strict=True)
    ]


def _edges(material: Material, one: xr.Dataset) -> tuple[Any, Any, list[dict[str, Any]]]:
    names = material.regions.index
    ends = [region_positions(material.sig, names, f"region_{s}") for s in "ab"]
    columns = {new: one[old].values.tolist() for new, old in _OF_EDGES.items()}
    columns["abs_weight"] = np.abs(one["mean"].values).tolist()
    if BLOCK in one.coords:
        columns[BLOCK] = one[BLOCK].values.astype(str).tolist()
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return ends[0], ends[1], rows


def _graph(
    key: str,
    name: str,
    nodes: list[dict[str, Any]],
    sources: Iterable[int],
    targets: Iterable[int],
    edges: list[dict[str, Any]],
) -> ET.ElementTree[ET.Element]:
    root = ET.Element(
        "graphml",
        {
            "xmlns": NAMESPACE,
            "xmlns:xsi": _INSTANCE,
            "xsi:schemaLocation": _SCHEMA,
        },
    )
    keys = {
        of: {column: f"{of[0]}{i}" for i, column in enumerate(rows[0] if rows else {})}
        for of, rows in (("node", nodes), ("edge", edges))
    }
    for of, rows in (("node", nodes), ("edge", edges)):
        for column, key in keys[of].items():
            kind = "string" if isinstance(rows[0][column], str) else "double"
            ET.SubElement(
                root, "key", {"id": key, "for": of, "attr.name": column, "attr.type": kind}
            )
    named = {"id": "g0", "for": "graph", "attr.name": "name", "attr.type": "string"}
    ET.SubElement(root, "key", named)
    graph = ET.SubElement(root, "graph", {"id": key, "edgedefault": "undirected"})
    # An attribute of the graph: networkx puts it into `graph.graph`, and igraph into its own.
    ET.SubElement(graph, "data", {"key": "g0"}).text = name
    for i, row in enumerate(nodes):
        _add_data(ET.SubElement(graph, "node", {"id": f"n{i}"}), row, keys["node"])
    for i, (a, b, row) in enumerate(zip(sources, targets, edges, strict=True)):
        ends = {"id": f"e{i}", "source": f"n{a}", "target": f"n{b}"}
        _add_data(ET.SubElement(graph, "edge", ends), row, keys["edge"])
    return ET.ElementTree(root)


def _add_data(element: ET.Element, row: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    for column, value in row.items():
        if isinstance(value, str):
            text = value
        elif np.isfinite(value):
            text = f"{value:.6g}"
        else:
            continue
        ET.SubElement(element, "data", {"key": keys[column]}).text = text
