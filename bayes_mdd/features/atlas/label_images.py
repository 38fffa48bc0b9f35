"""Label images: their table, where their regions lie, whether the two belong together."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayes_mdd.cohort.tables import is_number, read_table
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.loading import UnreadableFileError, require_file
from bayes_mdd.features.regions import network_of_name

#: Below this share of published centroids on their own label, table and image are of two orders.
_SAME_ORDER = 0.5
_NETWORK_COLUMNS = ("network", "network_label", "network_name")


def load_volume(path: Path) -> Any:
    """Open an image and read it through, so that a truncated one is found here.

    Parameters
    ----------
    path : Path
        NIfTI, plain or ``.gz``.

    Returns
    -------
    nibabel.spatialimages.SpatialImage
        The image, its data in memory.

    Raises
    ------
    UnreadableFileError
        If it is absent, annexed, empty, truncated or no image.
    """
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    require_file(path)
    try:
        image: Any = nib.load(path)
        image.get_fdata(dtype=np.float32)
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        raise UnreadableFileError(
            f"{path.name} cannot be read as an image (truncated?): {error}."
        ) from error
    return image


def label_values(image: Any, what: str) -> npt.NDArray[np.int64]:
    """Give the values of a label image as whole numbers.

    Parameters
    ----------
    image : nibabel image
        Three-dimensional (a fourth axis of length 1 is dropped).
    what : str
        Name for messages.

    Returns
    -------
    numpy.ndarray of int
        (i, j, k).

    Raises
    ------
    UnreadableFileError
        If it has another shape or values that are no whole numbers.
    """
    data = np.asarray(image.get_fdata(dtype=np.float32))
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise UnreadableFileError(f"{what} has {data.ndim} axes: expected a label image of 3.")
    if not np.isfinite(data).all() or (data % 1 != 0).any():
        raise UnreadableFileError(
            f"{what} holds values that are no whole numbers: a label image is wanted (was it "
            "resampled with interpolation, or is it a probability map?)."
        )
    return data.astype(np.int64)


def image_regions(path: Path, table: Path | None) -> pd.DataFrame:
    """Read the regions of a label image.

    Parameters
    ----------
    path : Path
        The image.
    table : Path or None
        Its table; None looks beside the image.

    Returns
    -------
    pandas.DataFrame
        ``region``, ``network``, ``label``, ``x``, ``y``, ``z`` (mm in the space of the image;
        centre of mass, or as the table says). Labels that the image lacks have no place.

    Raises
    ------
    DataContractError
        If there is no table, it lacks values of the image, or its coordinates say that it
        is of another order (such as 7 networks for an image of 17).
    """
    table = _table_beside(path) if table is None else table
    regions = _named_labels(table)
    try:
        image = load_volume(path)
        values = label_values(image, path.name)
    except UnreadableFileError as error:
        raise DataContractError(str(path), [str(error)]) from error
    there = np.unique(values)
    unnamed = [int(v) for v in there if v and v not in set(regions["label"])]
    if unnamed:
        raise DataContractError(
            f"{path.name} and {table.name}",
            [f"the table does not name the value(s) {some(unnamed)} of the image: another atlas?"],
        )
    if {"x", "y", "z"} <= set(regions):
        _check_order(regions, values, np.asarray(image.affine), path, table)
        return regions
    return regions.assign(**_centres(regions["label"].to_numpy(), values, image.affine))


def _table_beside(path: Path) -> Path:
    stem = re.sub(r"\.nii(\.gz)?$", "", path.name)
    # Resolution is no matter of labels: BIDS puts one table beside the images of all.
    bare = re.sub(r"_(?:res|den)-[A-Za-z0-9]+", "", stem)
    for name in dict.fromkeys((f"{stem}.tsv", f"{bare}.tsv", f"{stem}.csv")):
        if (path.parent / name).exists():
            return path.parent / name
    raise DataContractError(
        str(path),
        [f"no table of its labels beside it ({stem}.tsv): give labels=... (index, name)."],
    )


def _named_labels(path: Path) -> pd.DataFrame:
    table = read_table(path)
    number = "index" if "index" in table else "label"
    name = next((c for c in ("region", "name", "label") if c in table and c != number), None)
    if number not in table or name is None:
        raise DataContractError(
            path.name,
            [f"expected the columns index and name (or label and region); found {list(table)}."],
        )
    bad = table.loc[~table[number].map(is_number), name]
    if len(bad):
        raise DataContractError(
            path.name, [f"column {number} wants whole numbers; not so for {some(bad)}."]
        )
    labels = table[number].astype(float).astype(int)
    regions = pd.DataFrame({"region": table[name], "network": MISSING, "label": labels})
    networks = next((c for c in _NETWORK_COLUMNS if c in table), None)
    own = [network_of_name(n) for n in table[name]]
    if networks is not None:
        regions["network"] = table[networks].replace(MISSING, "none")
    else:
        regions["network"] = own if all(own) else "all"
    for axis in ("x", "y", "z"):
        if axis in table:
            regions[axis] = table[axis].mask(table[axis] == MISSING)
    return regions[regions["label"] > 0].reset_index(drop=True)


def _check_order(
    regions: pd.DataFrame,
    values: npt.NDArray[np.int64],
    affine: npt.NDArray[np.floating[Any]],
    path: Path,
    table: Path,
) -> None:
    """Hold the published places against the image: the order of labels has no other witness."""
    places = regions[["x", "y", "z"]].astype(float).to_numpy()
    known = np.isfinite(places).all(axis=1)
    if not known.any():
        return
    voxels = np.rint((places[known] - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)
    inside = ((voxels >= 0) & (voxels < values.shape)).all(axis=1)
    found = np.zeros(len(voxels), dtype=int)
    found[inside] = values[tuple(voxels[inside].T)]
    agree = float((found == regions.loc[known, "label"].to_numpy()).mean())
    if agree < _SAME_ORDER:
        raise DataContractError(
            f"{path.name} and {table.name}",
            [
                f"only {agree:.0%} of the table's coordinates lie on their own label: the table "
                "is of another order or space (Schaefer images of 7 and of 17 networks number "
                "the same parcels differently)."
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
    there = np.isin(labels, values)
    if there.any():
        centres[there] = center_of_mass(values > 0, values, labels[there])
    places = np.asarray(apply_affine(affine, centres), dtype=np.float64)
    return {axis: places[:, i].round(2) for i, axis in enumerate(("x", "y", "z"))}
