"""Brain images with one number per region; voxels outside all regions are NaN."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from bayes_mdd.errors import DataContractError, UnreadableFileError, some
from bayes_mdd.features.atlas.label_images import check_label_sides
from bayes_mdd.features.image_place import place_problems
from bayes_mdd.files.images import load_image
from bayes_mdd.files.regular import own_errors

XYZ = ["x", "y", "z"]
Floats = npt.NDArray[np.floating[Any]]
#: NIfTI codes of spaces: MNI152, and aligned to another image where the header says nothing.
MNI_CODE, ALIGNED_CODE = 4, 2


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Which voxel belongs to which region.

    Parameters
    ----------
    region : ndarray of int, shape (x, y, z)
        Position of the region in the table, -1 outside all of them.
    affine : ndarray, shape (4, 4)
        Voxel to world coordinates.
    how : dict
        What a reader must know about the painting, for the sidecar.
    space_code : int, default 4
        NIfTI code of the space: 4 for MNI152, that of the atlas for a label image.
    """

    region: npt.NDArray[np.intp]
    affine: Floats
    how: dict[str, Any]
    space_code: int = MNI_CODE

    def paint(self, values: npt.ArrayLike, *, name: str = "") -> nib.Nifti1Image:
        """Put one number per region into an image.

        Parameters
        ----------
        values : array_like, shape (region,)
            In the order of the table of regions.
        name : str, default ""
            What the numbers are, for the header; at most 15 ASCII characters are kept.

        Returns
        -------
        nibabel.Nifti1Image
            float32, NaN outside the regions; units mm, intent "estimate".
        """
        padded = np.append(np.asarray(values, dtype=np.float32), np.float32(np.nan))
        # Position -1, outside all regions, reads the NaN at the end.
        return self._image(padded[self.region], "estimate", name)

    def paint_labels(self, labels: npt.ArrayLike) -> nib.Nifti1Image:
        """Put the label of every region into an image.

        Parameters
        ----------
        labels : array_like of int, shape (region,)
            In the order of the table of regions, above 0.

        Returns
        -------
        nibabel.Nifti1Image
            int32, 0 outside the regions; units mm, intent "label".
        """
        padded = np.append(np.asarray(labels, dtype=np.int32), np.int32(0))
        return self._image(padded[self.region], "label", "regions")

    def _image(self, data: Any, intent: str, name: str) -> nib.Nifti1Image:
        image = nib.Nifti1Image(data, self.affine)
        image.set_sform(self.affine, code=self.space_code)
        image.set_qform(self.affine, code=self.space_code)
        image.header.set_xyzt_units("mm")
        image.header.set_intent(intent, name=name.encode("ascii", "replace")[:15].decode())
        image.header["descrip"] = b"bayes_mdd"
        return image


def build_label_canvas(regions: pd.DataFrame, atlas_img: Any) -> Canvas:
    """Use the voxels of a label image.

    Parameters
    ----------
    regions : pandas.DataFrame
        See `bayes_mdd.results.regions.region_table`; needs the column ``label``.
    atlas_img : path or nibabel image
        Whole numbers, matched to regions through ``label``.

    Returns
    -------
    Canvas
        On the grid of the atlas.

    Raises
    ------
    DataContractError
        If regions have no label, the image cannot be read, has no place in space or is not a label
        image, labels do not occur in it, or most regions lie in the other hemisphere.
    """
    labels, affine, name, space_code = _read_atlas(atlas_img)
    if "label" not in regions or regions["label"].isna().any():
        raise DataContractError(
            "atlas image",
            ["regions have no atlas labels; give regions.tsv a whole-number column 'label'."],
        )
    wanted = regions["label"].astype(int)
    present = np.unique(labels)
    absent = wanted[~wanted.isin(present)]
    problems = []
    if len(absent):
        listed = some([f"{r} (label {v})" for r, v in absent.items()])
        problems.append(
            f"{name} has no voxel for {len(absent)} of {len(wanted)} regions: {listed}; "
            "give the atlas with which the features were computed."
        )
    if wanted.duplicated().any():
        problems.append(f"regions share a label: {some(wanted.index[wanted.duplicated()])}.")
    if (wanted == 0).any():
        problems.append(f"label 0 is background; given to {some(wanted.index[wanted == 0])}.")
    if problems:
        raise DataContractError("atlas image", problems)
    table = regions.assign(region=[str(r) for r in regions.index], label=wanted)
    check_label_sides(table, labels, affine, name)
    order = np.argsort(wanted.to_numpy())
    ranked = wanted.to_numpy()[order]
    at = np.clip(np.searchsorted(ranked, labels), 0, len(ranked) - 1)
    region = np.where(ranked[at] == labels, order[at], -1)
    unused = int((~np.isin(present, [0, *wanted])).sum())
    how = {
        "Painting": "voxels of the atlas label of each region",
        "Atlas": name,
        "AtlasLabelsWithoutRegion": unused,
    }
    return Canvas(region=region, affine=affine, how=how, space_code=space_code)


def _read_atlas(atlas_img: Any) -> tuple[npt.NDArray[np.int64], Floats, str, int]:
    """Voxels, affine, name and code of the space of a label image."""
    name = Path(atlas_img).name if isinstance(atlas_img, (str, Path)) else "atlas image"
    try:
        image: Any = load_image(atlas_img) if isinstance(atlas_img, (str, Path)) else atlas_img
        with own_errors(name, "an image"):
            data = np.asanyarray(image.dataobj)
    except UnreadableFileError as error:
        raise DataContractError("atlas image", [str(error)]) from error
    if problems := place_problems(image):
        raise DataContractError("atlas image", [f"{name}: {p}" for p in problems])
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise DataContractError(
            "atlas image", [f"{name} has shape {data.shape}; expected one volume of labels."]
        )
    rounded = np.rint(np.nan_to_num(data)).astype(np.int64)
    if not np.allclose(np.nan_to_num(data), rounded, atol=1e-3):
        raise DataContractError(
            "atlas image",
            [f"{name} holds non-integer values; expected labels, not a statistical map."],
        )
    return rounded, np.asarray(image.affine, dtype=float), name, _space_code(image)


def _space_code(image: Any) -> int:
    """Read the code of the form that gives the affine; other formats than NIfTI have none."""
    codes = [int(image.header[key]) for key in ("sform_code", "qform_code") if key in image.header]
    return next((code for code in codes if code > 0), ALIGNED_CODE)


def build_sphere_canvas(regions: pd.DataFrame, *, radius: float = 5.0) -> Canvas:
    """Use spheres around MNI coordinates, on nilearn's 2 mm MNI152 grid.

    Parameters
    ----------
    regions : pandas.DataFrame
        See `bayes_mdd.results.regions.region_table`; needs the columns ``x``, ``y``, ``z``.
    radius : float, default 5.0
        In mm; a voxel in reach of several centres belongs to the nearest.

    Returns
    -------
    Canvas
        Regions without coordinates are listed in ``how["RegionsNotPainted"]``.

    Raises
    ------
    DataContractError
        If no region has coordinates, or a sphere holds no voxel of the grid.
    """
    from nilearn.datasets import load_mni152_template

    if not radius > 0:
        raise DataContractError("spheres", [f"radius must be above 0 mm, got {radius}."])
    placed = place_regions(regions)
    if not placed.any():
        raise DataContractError(
            "spheres",
            ["no region has MNI coordinates; give regions.tsv x, y, z, or pass atlas_img."],
        )
    template = load_mni152_template(resolution=2)
    shape, affine = template.shape[:3], np.asarray(template.affine, dtype=float)
    grid = np.indices(shape).reshape(3, -1).T
    world = nib.affines.apply_affine(affine, grid)
    centres = regions.loc[placed, XYZ].to_numpy(dtype=float)
    _, nearest = cKDTree(centres).query(world, distance_upper_bound=radius * (1 + 1e-9))
    # A voxel out of reach gets the index past the last centre, which reads the -1 at the end.
    owner = np.append(np.flatnonzero(placed), -1)[nearest]
    empty = regions.index[placed & ~np.isin(np.arange(len(regions)), owner)]
    if len(empty):
        raise DataContractError(
            "spheres",
            [
                f"no 2 mm voxel of the MNI152 grid falls into the {radius} mm sphere of "
                f"{some(empty)}; check that x, y, z are MNI coordinates in mm, or increase "
                "the radius."
            ],
        )
    how: dict[str, Any] = {
        "Painting": f"spheres of {radius:g} mm around MNI coordinates, nearest centre wins",
        "SphereRadius": {"Value": radius, "Units": "mm"},
        "Grid": "MNI152 template of nilearn, 2 mm",
        "RegionsNotPainted": [str(r) for r in regions.index[~placed]],
    }
    return Canvas(region=owner.reshape(shape), affine=affine, how=how)


def place_regions(regions: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which regions have MNI coordinates.

    Parameters
    ----------
    regions : pandas.DataFrame
        See `bayes_mdd.results.regions.region_table`.

    Returns
    -------
    ndarray of bool, shape (region,)
        False throughout when the table has no coordinates.
    """
    if not set(XYZ) <= set(regions.columns):
        return np.zeros(len(regions), dtype=bool)
    return np.asarray(np.isfinite(regions[XYZ].to_numpy(dtype=float)).all(axis=1))
