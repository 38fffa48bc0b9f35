"""Label images: their region tables, checked against the image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayes_mdd.cohort.tables import is_number, read_table
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, UnreadableFileError, some
from bayes_mdd.features.atlas.region_tables import ATLAS, table_networks
from bayes_mdd.features.companions import find_inherited, list_siblings
from bayes_mdd.features.file_names import parse_name
from bayes_mdd.features.image_place import place_problems
from bayes_mdd.features.sides import side_problems, stated_sides
from bayes_mdd.files.images import load_image_data
from bayes_mdd.files.regular import require_file

#: Smallest share of published centroids that must lie on their own label. Below it, table and
#: image have different orders.
_MIN_MATCHING = 0.5


def load_volume(path: Path) -> Any:
    """Open an image and load its data, so that truncated files are detected.

    Parameters
    ----------
    path : Path
        NIfTI file (``.nii`` or ``.nii.gz``).

    Returns
    -------
    nibabel.spatialimages.SpatialImage
        The image, with its data in memory.

    Raises
    ------
    UnreadableFileError
        If the file is missing, empty, truncated, not an image, or its content was not downloaded,
        or if its header does not state its place in space.
    """
    image: Any = load_image_data(path, np.float32)[0]
    if problems := place_problems(image):
        raise UnreadableFileError(f"{path.name}: {problems[0]}")
    return image


def label_values(image: Any, what: str) -> npt.NDArray[np.int64]:
    """Extract the values of a label image as whole numbers.

    Parameters
    ----------
    image : nibabel image
        Three-dimensional (a fourth axis of length 1 is dropped).
    what : str
        Name of the image in messages.

    Returns
    -------
    numpy.ndarray of int, shape (i, j, k)
        Label of each voxel.

    Raises
    ------
    UnreadableFileError
        If the image is not three-dimensional or its values are not whole numbers.
    """
    data = np.asarray(image.get_fdata(dtype=np.float32))
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise UnreadableFileError(
            f"{what} has {data.ndim} dimensions: expected a label image with 3. Choose one volume."
        )
    if not np.isfinite(data).all() or (data % 1 != 0).any():
        raise UnreadableFileError(
            f"{what} has values that are not whole numbers: expected a label image. Check whether "
            "it was resampled with interpolation, or is a probability map."
        )
    return data.astype(np.int64)


def image_regions(path: Path, table: Path | None, networks: str = ATLAS) -> pd.DataFrame:
    """Read the regions of a label image.

    Parameters
    ----------
    path : Path
        The image.
    table : Path or None
        Its table; if None, the table next to the image is used.
    networks : str, default "atlas"
        Column with the networks, see `read_atlas`.

    Returns
    -------
    pandas.DataFrame
        ``region``, ``network``, ``label``, ``x``, ``y``, ``z`` (mm in the space of the image: the
        coordinates of the table or, if it has none, centres of mass; NaN for labels that are not
        in the image).

    Raises
    ------
    DataContractError
        If there is no table, it lacks values of the image, its coordinates show that its order is
        different (e.g. 7 networks for an image with 17), or the image is mirrored: most regions
        lie in the other hemisphere than their name or the column ``hemisphere`` states.
    """
    try:
        require_file(path)
    except UnreadableFileError as error:
        raise DataContractError(
            str(path), [f"{error} Give a label image (.nii, .nii.gz)."]
        ) from error
    table = _find_table(path) if table is None else table
    regions = _read_labels(table, networks)
    try:
        image = load_volume(path)
        values = label_values(image, path.name)
    except UnreadableFileError as error:
        raise DataContractError(str(path), [str(error)]) from error
    present = np.unique(values)
    unnamed = [int(v) for v in present if v and v not in set(regions["label"])]
    if unnamed:
        raise DataContractError(
            f"{path.name} and {table.name}",
            [
                f"the table has no row for the value(s) {some(unnamed)} of the image: use the "
                "table of this atlas."
            ],
        )
    check_label_sides(regions, values, image.affine, path.name)
    if {"x", "y", "z"} <= set(regions):
        _check_order(regions, values, np.asarray(image.affine), path, table)
        return regions
    return regions.assign(**_centres(regions["label"].to_numpy(), values, image.affine))


def _find_table(path: Path) -> Path:
    stem = re.sub(r"\.nii(\.gz)?$", "", path.name)
    # Labels do not depend on the resolution: in BIDS, images of all resolutions share one table.
    bare = re.sub(r"_(?:res|den)-[A-Za-z0-9]+", "", stem)
    for file in dict.fromkeys((f"{stem}.tsv", f"{bare}.tsv", f"{stem}.csv")):
        if (path.parent / file).exists():
            return path.parent / file
    try:
        name = parse_name(path, path.parent)
        tables = [n for n in list_siblings(name) if n.extension in (".tsv", ".csv")]
        found = find_inherited(name, tables, "table of labels")
    except UnreadableFileError as error:
        raise DataContractError(str(path), [f"{error} Pass labels=..."]) from error
    if found is not None:
        return found.path
    raise DataContractError(
        str(path),
        [
            f"there is no table of its labels in the same folder (expected {stem}.tsv): pass "
            "labels=... (a table with the columns index and name)."
        ],
    )


def _is_whole(cell: str) -> bool:
    return is_number(cell) and float(cell).is_integer()


def _read_labels(path: Path, networks: str) -> pd.DataFrame:
    table = read_table(path)
    number = "index" if "index" in table else "label"
    name = next((c for c in ("region", "name", "label") if c in table and c != number), None)
    if number not in table or name is None:
        raise DataContractError(
            path.name,
            [
                "expected the columns index and name (or label and region); found "
                f"{some(table.columns, 12)}. Rename the columns."
            ],
        )
    bad = table.loc[~table[number].map(_is_whole), name]
    if len(bad):
        raise DataContractError(
            path.name,
            [
                f"column {number} must contain whole numbers; found other values for {some(bad)}. "
                "Correct these cells."
            ],
        )
    labels = table[number].astype(float).astype(int)
    regions = pd.DataFrame({"region": table[name], "network": MISSING, "label": labels})
    known = table_networks(table, name, what=path.name, networks=networks)
    regions["network"] = list(known.names)
    if known.groups:
        regions["network_from"] = list(known.origin)
    for axis in ("x", "y", "z"):
        if axis in table:
            regions[axis] = table[axis].mask(table[axis] == MISSING)
    sides = stated_sides(table)
    if sides is not None:
        regions["hemisphere"] = np.asarray(sides, dtype=object)
    return regions[regions["label"] > 0].reset_index(drop=True)


def check_label_sides(
    regions: pd.DataFrame,
    values: npt.NDArray[np.int64],
    affine: npt.NDArray[np.floating[Any]],
    what: str,
) -> None:
    """Compare the hemispheres of regions with the centres of their labels.

    Parameters
    ----------
    regions : pandas.DataFrame
        ``region``, ``label`` and optionally ``hemisphere``.
    values : ndarray of int, shape (i, j, k)
        The label image.
    affine : ndarray, shape (4, 4)
        From voxels to mm.
    what : str
        Name of the image in messages.

    Raises
    ------
    DataContractError
        If most lateral regions lie in the other hemisphere, so that the image is mirrored or the
        table has another order.
    """
    x = _centres(regions["label"].to_numpy(), values, affine)["x"]
    names = regions["region"].astype(str).tolist()
    problems = side_problems(names, x, stated_sides(regions))
    if problems:
        raise DataContractError(what, problems)


def _check_order(
    regions: pd.DataFrame,
    values: npt.NDArray[np.int64],
    affine: npt.NDArray[np.floating[Any]],
    path: Path,
    table: Path,
) -> None:
    """Compare the coordinates of the table with the image, to verify the order of the labels."""
    xyz = regions[["x", "y", "z"]].astype(float).to_numpy()
    known = np.isfinite(xyz).all(axis=1)
    if not known.any():
        return
    voxels = np.rint((xyz[known] - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)
    inside = ((voxels >= 0) & (voxels < values.shape)).all(axis=1)
    found = np.zeros(len(voxels), dtype=int)
    found[inside] = values[tuple(voxels[inside].T)]
    agree = float((found == regions.loc[known, "label"].to_numpy()).mean())
    if agree < _MIN_MATCHING:
        raise DataContractError(
            f"{path.name} and {table.name}",
            [
                f"only {100 * agree:.0f} % of the coordinates in the table lie on their own label: "
                "the table has another order or space. Use the table of this image (Schaefer "
                "images with 7 and with 17 networks number the parcels differently)."
            ],
        )


def _centres(
    labels: npt.NDArray[np.integer[Any]],
    values: npt.NDArray[np.int64],
    affine: npt.NDArray[np.floating[Any]],
) -> dict[str, npt.NDArray[np.float64]]:
    from nibabel.affines import apply_affine
    from scipy.ndimage import center_of_mass

    centres = np.full((len(labels), 3), np.nan)
    present = np.isin(labels, values)
    if present.any():
        centres[present] = center_of_mass(values > 0, values, labels[present])
    xyz = np.asarray(apply_affine(affine, centres), dtype=np.float64)
    return {axis: xyz[:, i].round(2) for i, axis in enumerate(("x", "y", "z"))}
