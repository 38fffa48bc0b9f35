"""CIFTI: regions as ``.pscalar.nii``, edges as ``.pconn.nii``, for Connectome Workbench.

References
----------
Glasser et al. (2013), The minimal preprocessing pipelines for the Human Connectome Project.
NeuroImage 80.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np

from bayes_mdd.dims import FACTOR
from bayes_mdd.results.export_notes import common_note, factor_notes, say_name
from bayes_mdd.results.exports.bids import STATISTICS
from bayes_mdd.results.exports.material import Material, save_image, write_json
from bayes_mdd.results.regions import edge_matrix
from bayes_mdd.results.surface_atlas import NO_SURFACE

_CIFTI: Any = nib.cifti2
_SCALARS: Final = "NIFTI_INTENT_CONNECTIVITY_PARCELLATED_SCALAR"
_MATRIX: Final = "NIFTI_INTENT_CONNECTIVITY_PARCELLATED"


def why_not(material: Material) -> str | None:
    """Say why a run has no CIFTI files.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it has them.
    """
    if reason := material.why_no_regions():
        return reason
    return NO_SURFACE if material.surface_atlas is None else None


def write(material: Material, folder: Path) -> None:
    """Write one file of region maps per factor and, for edges, one matrix per statistic.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    atlas, maps = material.surface, material.region_maps
    parcels = atlas.parcels
    where = {"SurfaceAtlas": atlas.name, "MissingValue": "NaN (the diagonal, or not analysed)"}
    limits = {"Limitation": maps.note} if maps.note else {}
    for factor, one, note in factor_notes(material.sig):
        common = {**common_note(material.sig), **note, **where}
        rows = np.stack([v.sel({FACTOR: factor}).values for v in maps.values.values()])
        names = _CIFTI.ScalarAxis([f"{say_name(note)}, {short}" for short in maps.values])
        stem = f"factor-{factor}_regions"
        _save(folder / f"{stem}.pscalar.nii", rows, (names, parcels), _SCALARS)
        write_json(folder / f"{stem}.json", {**common, "Maps": dict(maps.meaning), **limits})
        if not material.edges:
            continue
        for stat, (name, meaning) in STATISTICS.items():
            square = edge_matrix(material.sig, one[name].values).to_numpy()
            stem = f"factor-{factor}_stat-{stat}_edges"
            _save(folder / f"{stem}.pconn.nii", square, (parcels, parcels), _MATRIX)
            write_json(folder / f"{stem}.json", {**common, "Statistic": meaning})


def _save(path: Path, values: Any, axes: tuple[Any, Any], intent: str) -> None:
    image = _CIFTI.Cifti2Image(np.asarray(values, dtype=np.float32), axes)
    image.nifti_header.set_intent(intent)
    save_image(path, image)
