"""What BOLD images and maps have in common: read one by one, people in parallel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.atlas.atlases import Atlas
from bayes_mdd.features.derivatives.locations import coverage_facts
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.spheres import Mask
from bayes_mdd.features.derivatives.values import Measured
from bayes_mdd.features.loading import Floats, Grouped, UnreadableFileError

NIFTI = (".nii", ".nii.gz")


@dataclass(frozen=True)
class One:
    """What the image of one person gave, or why it gave nothing.

    Parameters
    ----------
    values : numpy.ndarray, optional
        (time, region), one row for a map.
    coverage : numpy.ndarray, optional
        Share of every region with data.
    facts : mapping of str to float, optional
        Facts about the person, by name of a column.
    problem : str, optional
        Why there are no values.
    """

    values: Floats | None = None
    coverage: Floats | None = None
    facts: Mapping[str, float] | None = None
    problem: str | None = None


def each(files: Mapping[str, FileName], read: Callable[[FileName], One]) -> dict[str, One]:
    """Read everybody's image, people in parallel where joblib is told so.

    Parameters
    ----------
    files : mapping of str to FileName
        Person to image.
    read : callable
        Reads one image.

    Returns
    -------
    dict
        Person to what the image gave.

    Raises
    ------
    DataContractError
        If images cannot be used; all of them are named.
    """
    tried = Parallel()(delayed(_attempt)(read, name) for name in files.values())
    results: dict[str, One] = dict(zip(files, tried, strict=True))
    found = Grouped()
    for who, one in results.items():
        if one.problem is not None:
            found.add(who, one.problem)
    if found.who:
        raise DataContractError("images", found.problems())
    return results


def _attempt(read: Callable[[FileName], One], name: FileName) -> One:
    try:
        return read(name)
    except UnreadableFileError as error:
        return One(problem=str(error))


def people_of(results: Mapping[str, One], atlas: Atlas, *, flat: bool) -> dict[str, Measured]:
    """Put the names of regions to the numbers.

    Parameters
    ----------
    results : mapping of str to One
        As `each` gives them.
    atlas : Atlas
        Its regions are in the order of the numbers.
    flat : bool
        Whether there is one row, of a map.

    Returns
    -------
    dict
        Person to numbers with names.
    """
    names = tuple(map(str, atlas.regions["region"]))
    return {
        who: Measured(names, one.values[0] if flat else one.values)
        for who, one in results.items()
        if one.values is not None
    }


def coverage_of(results: Mapping[str, One]) -> dict[str, float]:
    """Summarise coverage over people.

    Parameters
    ----------
    results : mapping of str to One
        As `each` gives them.

    Returns
    -------
    dict
        ``coverage_min`` and ``coverage_mean``.
    """
    return coverage_facts({w: o.coverage for w, o in results.items() if o.coverage is not None})


def voxels_with_signal(data: Any) -> Mask:
    """Mark voxels that are finite in every volume and vary over volumes.

    Parameters
    ----------
    data : numpy.ndarray
        (i, j, k, time).

    Returns
    -------
    numpy.ndarray of bool
        (i, j, k).
    """
    mask = np.zeros(data.shape[:3], dtype=bool)
    for k in range(data.shape[2]):  # a copy of a slice is small, one of a long run is not
        slab = data[:, :, k]
        with np.errstate(invalid="ignore"):
            mask[:, :, k] = np.isfinite(slab).all(axis=-1) & (np.ptp(slab, axis=-1) > 0)
    return mask


def plain(image: Any, data: Any, mask: Mask) -> Any:
    """Put 0 where numbers are not finite, so that nilearn need not; those voxels are masked.

    Parameters
    ----------
    image : nibabel image
        Read already.
    data : numpy.ndarray
        Its numbers, three- or four-dimensional.
    mask : numpy.ndarray of bool
        Voxels that hold data.

    Returns
    -------
    nibabel image
        Finite everywhere; the image itself where it is so already.
    """
    from nilearn.image import new_img_like

    same = data.shape == image.shape
    if same and all(np.isfinite(data[:, :, k]).all() for k in range(data.shape[2])):
        return image
    inside = mask[..., None] if data.ndim == 4 else mask
    return new_img_like(image, np.where(inside, data, 0).astype(np.float32), copy_header=True)
