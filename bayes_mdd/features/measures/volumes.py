"""Four-dimensional images of a subject: opened, compared with the atlas, averaged by region."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bayes_mdd.errors import DataContractError, UnreadableFileError, some
from bayes_mdd.features.file_names import FileName, parse_name
from bayes_mdd.features.image_place import place_problems
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.measures.series import MIN_VOLUMES
from bayes_mdd.features.measures.subjects import UnusableDataError
from bayes_mdd.features.repetition_time import header_repetition_time
from bayes_mdd.features.sides import side_problems
from bayes_mdd.files.images import load_image
from bayes_mdd.files.regular import own_errors

type Mask = npt.NDArray[np.bool_]

#: Largest difference between two affines (mm) of the same space.
SAME_SPACE = 1e-3


@dataclass(frozen=True, eq=False)
class Volume:
    """An image as arrays.

    Parameters
    ----------
    values : numpy.ndarray
        Voxels; if there is a time axis, it is the last one.
    affine : numpy.ndarray or None
        From voxels to mm; None for arrays without header.
    tr : float or None
        Repetition time in seconds, if the header states a unit of time.
    name : FileName or None
        The file, if the image was read from one; its sidecar may state the repetition time.
    """

    values: npt.NDArray[Any]
    affine: Floats | None = None
    tr: float | None = None
    name: FileName | None = None


def open_volume(image: Any) -> Volume:
    """Open an image from an array, a path, a nibabel image or a function.

    Parameters
    ----------
    image : array, path, nibabel image or callable
        A function without arguments is called first.

    Returns
    -------
    Volume
        Arrays of the image; floating-point data as stored (scaled), at least in single precision.

    Raises
    ------
    UnusableDataError
        If the image cannot be read, or its header does not state its place in space.
    """
    if callable(image) and not hasattr(image, "affine"):
        image = image()
    if isinstance(image, (str, os.PathLike)):
        image = _load(image)
    if not hasattr(image, "affine"):
        return Volume(np.asarray(image))
    file = image.get_filename() if hasattr(image, "get_filename") else None
    if problems := place_problems(image):
        raise UnusableDataError([f"{Path(file).name}: {p}" if file else p for p in problems])
    try:
        with own_errors(image.get_filename() or "the image", "an image"):
            values = np.asanyarray(image.dataobj)
    except UnreadableFileError as error:
        raise UnusableDataError([f"the image is truncated or damaged: {error}"]) from error
    return Volume(
        values,
        np.asarray(image.affine, dtype=np.float64),
        header_repetition_time(image.header),
        None if file is None else parse_name(Path(file)),
    )


def _load(path: str | os.PathLike[str]) -> Any:
    try:
        return load_image(Path(path))
    except UnreadableFileError as error:
        raise UnusableDataError([str(error)]) from error


@dataclass(frozen=True, eq=False)
class Parcels:
    """Regions of a table located in a label image.

    Parameters
    ----------
    position : numpy.ndarray of int, shape (x, y, z)
        Row of the region table for each voxel, -1 outside of all regions.
    affine : numpy.ndarray or None
        Affine of the label image.
    n_regions : int
        Number of rows of the region table.
    """

    position: npt.NDArray[np.intp]
    affine: Floats | None
    n_regions: int

    def mean(
        self, values: Floats, valid: Mask, least: float
    ) -> tuple[Floats, npt.NDArray[np.intp]]:
        """Average a map over the valid voxels of each region.

        Parameters
        ----------
        values : numpy.ndarray, shape (x, y, z)
            The map.
        valid : numpy.ndarray of bool, shape (x, y, z)
            Voxels with a value.
        least : float
            Smallest fraction of the voxels of a region that must be valid.

        Returns
        -------
        means : numpy.ndarray, shape (region,)
            Averages; NaN for regions with too few valid voxels.
        gaps : numpy.ndarray of int
            Positions of these regions.
        """
        inside = self.position >= 0
        size = np.bincount(self.position[inside], minlength=self.n_regions)
        used = inside & valid
        n = np.bincount(self.position[used], minlength=self.n_regions)
        total = np.bincount(self.position[used], values[used], minlength=self.n_regions)
        enough = (n > 0) & (n >= least * size)
        means = np.full(self.n_regions, np.nan)
        np.divide(total, n, out=means, where=enough)
        return means, np.flatnonzero(~enough)


def locate_parcels(
    labels: Any,
    label_of: npt.NDArray[np.int64],
    names: tuple[str, ...],
    hemispheres: Sequence[object] | None = None,
) -> Parcels:
    """Locate the regions of a table in a label image.

    Parameters
    ----------
    labels : array, path or nibabel image
        Whole numbers, 0 outside of all regions.
    label_of : numpy.ndarray of int, shape (region,)
        Value of each region in the image.
    names : tuple of str
        Names of the regions.
    hemispheres : sequence, optional
        Hemisphere of each region, where the table states it.

    Returns
    -------
    Parcels
        Regions located in the image.

    Raises
    ------
    DataContractError
        If the image is not a label image or lacks regions of the table, or if most lateral regions
        lie in the other hemisphere.
    """
    try:
        volume = open_volume(labels)
    except UnusableDataError as error:
        raise DataContractError("label image", list(error.problems)) from error
    values = np.squeeze(volume.values)
    if values.ndim != 3 or not np.isfinite(values).all() or (values % 1 != 0).any():
        raise DataContractError(
            "label image", ["expected three dimensions of whole numbers, 0 outside all regions."]
        )
    whole = values.astype(np.int64)
    order = np.argsort(label_of)
    place = np.searchsorted(label_of, whole, sorter=order).clip(max=len(order) - 1)
    position = np.where(label_of[order[place]] == whole, order[place], -1)
    absent = np.setdiff1d(np.arange(len(names)), position)
    if absent.size:
        listed = some(f"{names[i]} ({label_of[i]})" for i in absent)
        raise DataContractError(
            "label image",
            [
                f"there are no voxels of the region(s) {listed}: use the table of this image, or "
                "remove these regions from the table."
            ],
        )
    if volume.affine is not None:
        problems = _side_problems(position, volume.affine, names, hemispheres)
        if problems:
            raise DataContractError("label image", problems)
    return Parcels(position, volume.affine, len(names))


def _side_problems(
    position: npt.NDArray[np.intp],
    affine: Floats,
    names: tuple[str, ...],
    hemispheres: Sequence[object] | None,
) -> list[str]:
    """Compare the hemispheres of regions with the centres of their voxels."""
    voxels = np.argwhere(position >= 0)
    region = position[tuple(voxels.T)]
    x = (voxels @ affine[0, :3]) + affine[0, 3]
    centre = np.bincount(region, x, len(names)) / np.bincount(region, minlength=len(names))
    return side_problems(names, centre, hemispheres)


def check_bold(volume: Volume, parcels: Parcels, mask: Mask | None) -> None:
    """Check a 4-D image and compare its space with that of the label image.

    Parameters
    ----------
    volume : Volume
        Image of one subject.
    parcels : Parcels
        Regions located in the label image.
    mask : numpy.ndarray of bool or None
        Brain mask.

    Raises
    ------
    UnusableDataError
        If dimensions or spaces differ, or there are too few volumes.
    """
    values = volume.values
    if values.ndim != 4:
        raise UnusableDataError(
            [f"the image has {values.ndim} dimensions: expected (x, y, z, time)."]
        )
    if values.dtype.kind not in "fiu":
        raise UnusableDataError([f"the image has dtype {values.dtype}: expected real numbers."])
    problems = []
    if values.shape[:3] != parcels.position.shape:
        problems.append(
            f"the image is {_format_shape(values.shape[:3])}, the label image is "
            f"{_format_shape(parcels.position.shape)}: resample the label image to the image "
            "(nearest neighbour), never the image to the labels."
        )
    elif mask is not None and mask.shape != values.shape[:3]:
        problems.append(
            f"the mask is {_format_shape(mask.shape)}, the image is "
            f"{_format_shape(values.shape[:3])}: resample the mask to the image (nearest "
            "neighbour)."
        )
    elif volume.affine is not None and parcels.affine is not None:
        gap = float(np.abs(volume.affine - parcels.affine).max())
        if gap > SAME_SPACE:
            problems.append(
                f"the affines of image and label image differ (by up to {gap:.3g}): resample the "
                "label image to the image (nearest neighbour)."
            )
    if values.shape[3] < MIN_VOLUMES:
        problems.append(
            f"{values.shape[3]} volumes: at least {MIN_VOLUMES} are needed; exclude the "
            "participant."
        )
    if problems:
        raise UnusableDataError(problems)


def _format_shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def with_signal(bold: npt.NDArray[Any], mask: Mask) -> Mask:
    """Keep the voxels of a mask whose series is finite and varies.

    Parameters
    ----------
    bold : numpy.ndarray, shape (x, y, z, time)
        Series.
    mask : numpy.ndarray of bool, shape (x, y, z)
        Voxels to test.

    Returns
    -------
    numpy.ndarray of bool, shape (x, y, z)
        Subset of `mask`.
    """
    series = bold[mask]
    with np.errstate(invalid="ignore", over="ignore"):
        low, high = series.min(axis=1), series.max(axis=1)
        good = np.isfinite(low) & np.isfinite(high) & (high > low)
    kept = np.zeros_like(mask)
    kept[mask] = good
    return kept
