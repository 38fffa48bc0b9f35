"""NeuroVault: images and the metadata that its form asks for.

References
----------
Gorgolewski et al. (2015), NeuroVault.org: a web-based repository for collecting and sharing
unthresholded statistical maps of the human brain. Frontiers in Neuroinformatics 9.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.files.replace import write_text
from bayes_mdd.results.export_notes import common_note, say_name
from bayes_mdd.results.exports.material import Material, write_json
from bayes_mdd.results.exports.nifti import write_images
from bayes_mdd.results.images import MNI_CODE
from bayes_mdd.results.region_maps import PARTS

_NO_MNI: Final = (
    "NeuroVault takes images in MNI space, and the header of the atlas image names another: give "
    "the atlas in MNI152 space (code 4), or leave --atlas out where the regions have MNI "
    "coordinates."
)


def why_not(material: Material) -> str | None:
    """Say why a run has no images for NeuroVault.

    Parameters
    ----------
    material : Material
        The run.

    Returns
    -------
    str or None
        None where it has them.
    """
    if reason := material.why_no_volume():
        return reason
    return None if material.canvas.space_code == MNI_CODE else _NO_MNI


def write(material: Material, folder: Path) -> None:
    """Write images, ``images.tsv`` (one row per image) and ``collection.json``.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    rows: list[dict[str, Any]] = []
    for stem, note in write_images(material, folder, PARTS if material.edges else ("mean",)):
        rows.append(
            {
                "file": f"{stem}.nii.gz",
                "name": f"{say_name(note)}, {stem.split('_')[1].removeprefix('stat-')}",
                "map_type": "Other",
                "modality": "Other",
                "analysis_level": "group",
                "target_template_image": "GenericMNI",
                "is_thresholded": "False",
                "number_of_subjects": material.n_participants,
                "statistic": note["Statistic"],
                "units": note["Units"],
                "description": _describe(note),
            }
        )
    text = pd.DataFrame(rows).to_csv(sep="\t", index=False)
    write_text(folder / "images.tsv", text)
    collection = {
        "name": "Factors of brain connectivity",
        "description": (
            f"Region maps of the factors of a Bayesian factor model ({material.model}, bayes-mdd) "
            f"of {material.n_participants} participants. Voxels of a region share one number; "
            "voxels outside the regions are NaN."
        ),
    }
    write_json(folder / "collection.json", {**collection, "Source": common_note(material.sig)})


def _describe(note: dict[str, Any]) -> str:
    said = [f"{note['Statistic']}. Factor {say_name(note)}; label: {note.get('Label', MISSING)}."]
    if "Stability" in note:
        said.append(f"Stability: {note['Stability']}.")
    said += [str(note[key]) for key in ("Note", "Painting") if key in note]
    return " ".join(said)
