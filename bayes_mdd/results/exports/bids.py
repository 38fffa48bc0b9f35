"""BIDS derivatives: matrices of factors, and the regions as segmentation and table.

References
----------
Gorgolewski et al. (2016), The brain imaging data structure. Scientific Data 3.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bayes_mdd import __version__
from bayes_mdd.dims import FACTOR, MISSING
from bayes_mdd.files.marks import EXPORT
from bayes_mdd.files.replace import make_folder, write_text
from bayes_mdd.results.export_notes import common_note, factor_notes
from bayes_mdd.results.exports.material import Material, save_image, write_json
from bayes_mdd.results.images import XYZ
from bayes_mdd.results.regions import edge_matrix

BIDS_VERSION: Final = "1.10.0"
#: Label of the regions in file names.
ATLAS: Final = "regions"
#: Statistics of the matrices by their label in file names.
STATISTICS: Final = {
    "mean": ("mean", "posterior mean of the loading"),
    "lower": ("lower", "lower end of the interval of the loading"),
    "upper": ("upper", "upper end of the interval of the loading"),
    "ppositive": ("p_positive", "posterior probability that the loading is above 0"),
}
NUMBERS = "%.6g"
_README = """Factors of brain connectivity, written by bayes-mdd export.

group/      one matrix (relmat.tsv) per factor and statistic; the label desc-<factor> names the
            factor. The matrices are results of the whole group: there is no participant.
atlases/    the regions: a table (dseg.tsv) and, where they have a place, an image (dseg.nii.gz).

Files *_relmat.tsv follow the proposal BEP017, which is not part of the specification yet.
"""


def why_not(material: Material) -> str | None:
    """Say why a run has no matrices.

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
    """Write a dataset of derivatives.

    Parameters
    ----------
    material : Material
        The run.
    folder : Path
        An empty folder.
    """
    description = {
        "Name": "Factors of brain connectivity",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "bayes-mdd", "Version": __version__}],
    }
    write_json(folder / "dataset_description.json", description)
    write_text(folder / "README", _README)
    write_text(folder / ".bidsignore", f"{EXPORT}\n*_relmat.*\n")
    _write_regions(material, folder / "atlases" / f"atlas-{ATLAS}")
    _write_matrices(material, make_folder(folder / "group"))


def list_labels(regions: pd.DataFrame) -> np.ndarray:
    """Choose the values of the regions in an image: their atlas labels, or 1, 2, ...

    Parameters
    ----------
    regions : DataFrame
        See `bayes_mdd.results.regions.region_table`.

    Returns
    -------
    ndarray of int, shape (region,)
        Different numbers above 0.
    """
    if "label" in regions and regions["label"].notna().all():
        labels = regions["label"].to_numpy(dtype=int)
        if (labels > 0).all() and len(np.unique(labels)) == len(labels):
            return labels
    return np.arange(1, len(regions) + 1)


def _write_regions(material: Material, folder: Path) -> None:
    make_folder(folder)
    regions = material.regions
    columns = {"index": list_labels(regions), "name": regions.index.to_numpy(dtype=str)}
    columns |= {c: regions[c].to_numpy() for c in ("network", *XYZ) if c in regions}
    table = pd.DataFrame(columns)
    text = table.to_csv(sep="\t", index=False, na_rep=MISSING, float_format=NUMBERS)
    write_text(folder / f"atlas-{ATLAS}_dseg.tsv", text)
    meaning = {
        "index": "value of the region in the image",
        "name": "name of the region",
        "network": "network of the region",
        "x": "MNI coordinate",
        "y": "MNI coordinate",
        "z": "MNI coordinate",
    }
    note = {
        c: {"Description": meaning[c], **({"Units": "mm"} if c in XYZ else {})} for c in columns
    }
    write_json(folder / f"atlas-{ATLAS}_dseg.json", note)
    if material.why_no_volume():
        return
    canvas = material.canvas
    image = canvas.paint_labels(columns["index"])
    space = "MNI152NLin2009aSym" if material.atlas is None else "atlas"
    stem = f"atlas-{ATLAS}_space-{space}_dseg"
    save_image(folder / f"{stem}.nii.gz", image)
    write_json(folder / f"{stem}.json", {**canvas.how, "Manual": False})


def _write_matrices(material: Material, folder: Path) -> None:
    sig = material.sig
    shape = {
        "RelationshipMeasure": "factor loading",
        "Weighted": True,
        "Directed": False,
        "ValidDiagonal": False,
        "StorageFormat": "Full",
        "MissingValue": f"{MISSING} (the diagonal, and edges that were not analysed)",
        "Nodes": f"the columns, in the order of atlas-{ATLAS}_dseg.tsv",
    }
    for factor, one, note in factor_notes(sig):
        for stat, (name, meaning) in STATISTICS.items():
            table = edge_matrix(sig, one[name].values)
            stem = f"seg-{ATLAS}_stat-{stat}_desc-{as_label(factor)}_relmat"
            text = table.to_csv(sep="\t", index=False, na_rep=MISSING, float_format=NUMBERS)
            write_text(folder / f"{stem}.tsv", text)
            own = {"Statistic": meaning} | ({"Units": "probability"} if stat == "ppositive" else {})
            write_json(folder / f"{stem}.json", {**common_note(sig), **note, **shape, **own})


def as_label(name: str) -> str:
    """Keep the characters that BIDS allows in a label.

    Parameters
    ----------
    name : str
        For example the name of a factor.

    Returns
    -------
    str
        Letters and digits.

    Examples
    --------
    >>> as_label("F1")
    'F1'
    """
    return re.sub(r"[^A-Za-z0-9]", "", name) or FACTOR
