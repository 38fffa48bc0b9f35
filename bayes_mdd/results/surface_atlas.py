"""Surface atlases: the regions on the grayordinates of a CIFTI label file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.files.images import load_image
from bayes_mdd.files.regular import own_errors

NO_SURFACE: Final = (
    "there is no surface atlas: give that of the regions with surface_atlas=FILE "
    "(--surface-atlas FILE.dlabel.nii)."
)
#: Cortex by the name of its surface in CIFTI: hemisphere and structure in GIFTI.
CORTEX: Final = {
    "CIFTI_STRUCTURE_CORTEX_LEFT": ("L", "CortexLeft"),
    "CIFTI_STRUCTURE_CORTEX_RIGHT": ("R", "CortexRight"),
}
_WHAT: Final = "surface atlas"
_CIFTI: Any = nib.cifti2


@dataclass(frozen=True, eq=False)
class SurfaceAtlas:
    """The grayordinates of the regions.

    Parameters
    ----------
    name : str
        Name of the file.
    models : nibabel.cifti2.BrainModelAxis
        Grayordinates of the atlas.
    region : ndarray of int, shape (grayordinate,)
        Position of the region in the table, -1 outside all of them.
    names : sequence of str
        Names of the regions.
    """

    name: str
    models: Any
    region: npt.NDArray[np.intp]
    names: tuple[str, ...]

    @property
    def parcels(self) -> Any:
        """The regions as a `nibabel.cifti2.ParcelsAxis`, in the order of the table."""
        return _CIFTI.ParcelsAxis.from_brain_models(
            [(name, self.models[self.region == i]) for i, name in enumerate(self.names)]
        )

    def vertices(self, structure: str) -> npt.NDArray[np.intp] | None:
        """Find the region of every vertex of a surface.

        Parameters
        ----------
        structure : str
            A key of `CORTEX`.

        Returns
        -------
        ndarray of int, shape (vertex,), or None
            Position of the region, -1 outside all of them; None where the atlas lacks the surface.
        """
        if structure not in self.models.nvertices:
            return None
        found = np.full(self.models.nvertices[structure], -1, dtype=np.intp)
        own = self.models.name == structure
        found[self.models.vertex[own]] = self.region[own]
        return found


def read_surface_atlas(path: Path, regions: pd.DataFrame) -> SurfaceAtlas:
    """Read the regions from a CIFTI label file.

    Parameters
    ----------
    path : Path
        ``.dlabel.nii``; its first map is used.
    regions : DataFrame
        See `bayes_mdd.results.regions.region_table`. Regions are found by their name in the label
        table or, where the names differ, by the column ``label``.

    Returns
    -------
    SurfaceAtlas
        All regions have at least one grayordinate.

    Raises
    ------
    DataContractError
        If the file is no CIFTI label file, or lacks regions.
    UnreadableFileError
        If it cannot be read.
    """
    image = load_image(path, "a CIFTI label file")
    axes = [image.header.get_axis(i) for i in (0, 1)] if hasattr(image, "nifti_header") else []
    if not (
        len(axes) == 2
        and isinstance(axes[0], _CIFTI.LabelAxis)
        and isinstance(axes[1], _CIFTI.BrainModelAxis)
    ):
        raise DataContractError(
            _WHAT, [f"{path.name} is no CIFTI label file; expected an atlas as .dlabel.nii."]
        )
    with own_errors(path, "a CIFTI label file"):
        values = np.rint(np.asarray(image.dataobj)[0]).astype(np.int64)
    by_name = {str(text): int(value) for value, (text, _) in axes[0].label[0].items()}
    names = tuple(str(n) for n in regions.index)
    if set(names) <= by_name.keys():
        labels = np.array([by_name[n] for n in names])
    elif "label" in regions and regions["label"].notna().all():
        labels = regions["label"].to_numpy(dtype=np.int64)
    else:
        unknown = [n for n in names if n not in by_name]
        raise DataContractError(
            _WHAT,
            [
                f"{path.name} does not name {len(unknown)} of {len(names)} regions "
                f"({some(unknown)}), and regions.tsv has no column 'label': give the atlas with "
                "which the features were computed."
            ],
        )
    absent = [n for n, v in zip(names, labels, strict=True) if v == 0 or not (values == v).any()]
    if absent or len(np.unique(labels)) < len(labels):
        problem = (
            f"has no grayordinates for {len(absent)} of {len(names)} regions: {some(absent)}"
            if absent
            else "gives regions the same label"
        )
        raise DataContractError(
            _WHAT,
            [f"{path.name} {problem}; give the atlas with which the features were computed."],
        )
    region = np.full(len(values), -1, dtype=np.intp)
    for i, value in enumerate(labels):
        region[values == value] = i
    return SurfaceAtlas(path.name, axes[1], region, names)
