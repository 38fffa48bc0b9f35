"""Four-dimensional images of one person: opened, held against the atlas, averaged by region."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.measures.series import MIN_VOLUMES
from bayes_mdd.features.measures.subjects import UnusableDataError

type Mask = npt.NDArray[np.bool_]

#: Largest difference of two affines (mm) that counts as the same space.
SAME_SPACE = 1e-3
#: Seconds in the units of time that a NIfTI header can name.
SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}


@dataclass(frozen=True, eq=False)
class Volume:
    """An image as arrays.

    Parameters
    ----------
    values : numpy.ndarray
        Voxels; time, if any, last.
    affine : numpy.ndarray or None
        From voxels to mm; None for a plain array.
    tr : float or None
        Seconds between volumes, where the header names a unit of time.
    """

    values: npt.NDArray[Any]
    affine: Floats | None = None
    tr: float | None = None


def open_volume(image: Any) -> Volume:
    """Open an image, whatever it comes as.

    Parameters
    ----------
    image : array, path, nibabel image or callable
        A function without arguments is called first.

    Returns
    -------
    Volume
        Its arrays; floating images come as they are stored (scaled), in single precision at least.

    Raises
    ------
    UnusableDataError
        If it cannot be read.
    """
    if callable(image) and not hasattr(image, "affine"):
        image = image()
    if isinstance(image, (str, os.PathLike)):
        image = _load(image)
    if not hasattr(image, "affine"):
        return Volume(np.asarray(image))
    unit = image.header.get_xyzt_units()[1] if hasattr(image.header, "get_xyzt_units") else ""
    zooms = image.header.get_zooms()
    tr = float(zooms[3]) * SECONDS[unit] if len(zooms) > 3 and unit in SECONDS else None
    try:
        values = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError) as error:
        raise UnusableDataError([f"the image is truncated or damaged: {error}."]) from error
    return Volume(values, np.asarray(image.affine, dtype=np.float64), tr or None)


def _load(path: str | os.PathLike[str]) -> Any:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    if os.path.islink(path) and not os.path.exists(path):  # noqa: PTH110, PTH114
        raise UnusableDataError(
            [f"{path} is a link to content that is not here (annexed?): run 'datalad get'."]
        )
    try:
        return nibabel.load(path)
    except (OSError, EOFError, ImageFileError) as error:
        raise UnusableDataError([f"{path} cannot be read as an image: {error}."]) from error


@dataclass(frozen=True, eq=False)
class Parcels:
    """A label image, and where each region of the table lies in it.

    Parameters
    ----------
    position : numpy.ndarray of int, shape (x, y, z)
        Row of the region table of every voxel, -1 outside.
    affine : numpy.ndarray or None
        Of the label image.
    n_regions : int
        Rows of the region table.
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
            Share of a region's voxels that must be valid.

        Returns
        -------
        means : numpy.ndarray, shape (region,)
            NaN for regions without enough voxels.
        gaps : numpy.ndarray of int
            Positions of those regions.
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


def locate_parcels(labels: Any, label_of: npt.NDArray[np.int64], names: tuple[str, ...]) -> Parcels:
    """Find the regions of a table in a label image, by the value each has there.

    Parameters
    ----------
    labels : array, path or nibabel image
        Whole numbers, 0 outside.
    label_of : numpy.ndarray of int, shape (region,)
        Value of every region.
    names : tuple of str
        Names of the regions.

    Returns
    -------
    Parcels
        Where they lie.

    Raises
    ------
    DataContractError
        If the image is not one of labels, or regions are not in it.
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
                f"has no voxel of the region(s) {listed}: take the table that belongs to this "
                "image, or leave these regions out of the table."
            ],
        )
    return Parcels(position, volume.affine, len(names))


def check_bold(volume: Volume, parcels: Parcels, mask: Mask | None) -> None:
    """Hold a 4-D image against the label image.

    Parameters
    ----------
    volume : Volume
        The image of one person.
    parcels : Parcels
        Where the regions lie.
    mask : numpy.ndarray of bool or None
        Brain mask.

    Raises
    ------
    UnusableDataError
        If dimensions or spaces differ or there are too few volumes.
    """
    values = volume.values
    if values.ndim != 4:
        raise UnusableDataError([f"the image has {values.ndim} dims: expected (x, y, z, time)."])
    if values.dtype.kind not in "fiu":
        raise UnusableDataError([f"the image holds {values.dtype}: expected real numbers."])
    problems = []
    if values.shape[:3] != parcels.position.shape:
        problems.append(
            f"the image is {_times(values.shape[:3])}, the label image "
            f"{_times(parcels.position.shape)}: resample the labels onto the image (nearest "
            "neighbour), never the other way round."
        )
    elif mask is not None and mask.shape != values.shape[:3]:
        problems.append(f"the mask is {_times(mask.shape)}, the image {_times(values.shape[:3])}.")
    elif volume.affine is not None and parcels.affine is not None:
        gap = float(np.abs(volume.affine - parcels.affine).max())
        if gap > SAME_SPACE:
            problems.append(
                f"image and label image lie in different places (affines differ by {gap:.3g}): "
                "resample the labels onto the image (nearest neighbour)."
            )
    if values.shape[3] < MIN_VOLUMES:
        problems.append(
            f"{values.shape[3]} volumes: at least {MIN_VOLUMES} are needed; leave the person out."
        )
    if problems:
        raise UnusableDataError(problems)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def with_signal(bold: npt.NDArray[Any], mask: Mask) -> Mask:
    """Keep the voxels of a mask whose series is finite and varies.

    Parameters
    ----------
    bold : numpy.ndarray, shape (x, y, z, time)
        Series.
    mask : numpy.ndarray of bool, shape (x, y, z)
        Where to look.

    Returns
    -------
    numpy.ndarray of bool, shape (x, y, z)
        Part of `mask`.
    """
    series = bold[mask]
    with np.errstate(invalid="ignore", over="ignore"):
        low, high = series.min(axis=1), series.max(axis=1)
        good = np.isfinite(low) & np.isfinite(high) & (high > low)
    kept = np.zeros_like(mask)
    kept[mask] = good
    return kept
