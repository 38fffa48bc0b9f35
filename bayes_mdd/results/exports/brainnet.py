"""BrainNet Viewer: ``.node`` and ``.edge`` files, one pair per factor."""

from __future__ import annotations

from pathlib import Path

from bayes_mdd.results.export import export_signatures
from bayes_mdd.results.exports.material import Material


def why_not(material: Material) -> str | None:
    """Say why a run has no files for BrainNet Viewer.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it has them.
    """
    if reason := material.why_no_edges():
        return reason
    if material.placed:
        return None
    return (
        "the regions have no MNI coordinates: give regions.tsv columns x, y, z and fit again "
        "(a label image does not replace them)."
    )


def write(material: Material, folder: Path) -> None:
    """Write nodes and edges, with a JSON sidecar.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    export_signatures(material.sig, folder, formats=["brainnet"])
