"""GIFTI: regions on the vertices of the cortex, one file per factor and hemisphere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from bayes_mdd.dims import FACTOR
from bayes_mdd.results.export_notes import common_note, factor_notes, say_name
from bayes_mdd.results.exports.material import Material, save_image, write_json
from bayes_mdd.results.surface_atlas import CORTEX, NO_SURFACE

_GIFTI: Any = nib.gifti


def why_not(material: Material) -> str | None:
    """Say why a run has no GIFTI files.

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
    if material.surface_atlas is None:
        return NO_SURFACE
    surfaces = [material.surface.vertices(s) for s in CORTEX]
    if any(of is not None and (of >= 0).any() for of in surfaces):
        return None
    return f"{material.surface.name} has no region on the cortical surface."


def write(material: Material, folder: Path) -> None:
    """Write the maps of the cortex, each file with a JSON sidecar.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    atlas, maps = material.surface, material.region_maps
    for factor, _, note in factor_notes(material.sig):
        for structure, (hemi, anatomy) in CORTEX.items():
            region = atlas.vertices(structure)
            if region is None or not (region >= 0).any():
                continue
            image = nib.GiftiImage(meta=_GIFTI.GiftiMetaData(AnatomicalStructurePrimary=anatomy))
            for short, values in maps.values.items():
                # Position -1, outside all regions, reads the NaN at the end.
                padded = np.append(values.sel({FACTOR: factor}).values, np.nan)
                array = _GIFTI.GiftiDataArray(
                    padded[region].astype(np.float32),
                    intent="NIFTI_INTENT_ESTIMATE",
                    meta=_GIFTI.GiftiMetaData(Name=f"{say_name(note)}, {short}"),
                )
                image.add_gifti_data_array(array)
            stem = f"factor-{factor}_hemi-{hemi}_regions"
            save_image(folder / f"{stem}.func.gii", image)
            own = {
                "SurfaceAtlas": atlas.name,
                "Vertices": len(region),
                "Maps": dict(maps.meaning),
                "MissingValue": "NaN (vertices outside the regions, or not analysed)",
                **({"Limitation": maps.note} if maps.note else {}),
            }
            write_json(folder / f"{stem}.json", {**common_note(material.sig), **note, **own})
