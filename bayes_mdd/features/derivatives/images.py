"""Read images of all subjects in parallel; steps that BOLD images and maps share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.atlas.atlases import Atlas
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import SubjectValues
from bayes_mdd.features.loading import GroupedProblems, UnreadableFileError
from bayes_mdd.features.repetition_time import RepetitionTime
from bayes_mdd.parallel.fan_out import fan_out
from bayes_mdd.parallel.keep import call_once
from bayes_mdd.types import Array, BoolArray

NIFTI = (".nii", ".nii.gz")


@dataclass(frozen=True)
class ImageValues:
    """Regional values of one image, or the reason why there are none.

    Parameters
    ----------
    values : ndarray, shape (time, region), optional
        One row for a map.
    coverage : ndarray, shape (region,), optional
        Share of each region with data.
    covariates : mapping of str to float, optional
        Subject covariates by column name.
    repetition_time : RepetitionTime, optional
        Of a time series.
    notes : sequence of str
        What is missing beside the image, for the user.
    problem : str, optional
        Why there are no values.
    """

    values: Array | None = None
    coverage: Array | None = None
    covariates: Mapping[str, float] | None = None
    repetition_time: RepetitionTime | None = None
    notes: Sequence[str] = ()
    problem: str | None = None


def read_images(
    files: Mapping[str, FileName],
    read: Callable[[FileName], ImageValues],
    parts: Sequence[Path] | None = None,
) -> dict[str, ImageValues]:
    """Read the images of all subjects, in parallel under a `joblib.parallel_config`.

    Parameters
    ----------
    files : mapping of str to FileName
        Image by subject.
    read : callable
        Reads one image.
    parts : sequence of Path, optional
        Where the values of each subject are kept, from
        `bayes_mdd.features.derivatives.image_parts.image_parts`.

    Returns
    -------
    dict
        Regional values by subject.

    Raises
    ------
    DataContractError
        If images cannot be used; the message lists all of them.
    """
    kept: Sequence[Path | None] = parts or [None] * len(files)
    tasks = ((read, name, part) for name, part in zip(files.values(), kept, strict=True))
    values = fan_out(_read_or_report, tasks)
    results: dict[str, ImageValues] = dict(zip(files, values, strict=True))
    found = GroupedProblems()
    for subject, image in results.items():
        if image.problem is not None:
            found.add(subject, image.problem)
    if found.subjects:
        raise DataContractError("images", found.problems())
    return results


def _read_or_report(
    read: Callable[[FileName], ImageValues], name: FileName, part: Path | None
) -> ImageValues:
    """Read an image, or its kept values; a problem is not kept, since it may pass."""
    try:
        return read(name) if part is None else call_once(read, part, name)
    except UnreadableFileError as error:
        return ImageValues(problem=str(error))


def name_regions(
    results: Mapping[str, ImageValues], atlas: Atlas, *, flat: bool
) -> dict[str, SubjectValues]:
    """Combine regional values with the names of the regions.

    Parameters
    ----------
    results : mapping of str to One
        From `read_images`.
    atlas : Atlas
        Its regions are in the order of the values.
    flat : bool
        Whether the images are maps, with one row of values.

    Returns
    -------
    dict
        Named values by subject.
    """
    names = tuple(map(str, atlas.regions["region"]))
    return {
        subject: SubjectValues(names, image.values[0] if flat else image.values)
        for subject, image in results.items()
        if image.values is not None
    }


def summarise_coverage(results: Mapping[str, ImageValues]) -> dict[str, float]:
    """Summarise coverage over subjects and regions, for ``provenance``.

    Parameters
    ----------
    results : mapping of str to One
        From `read_images`.

    Returns
    -------
    dict
        ``coverage_min`` and ``coverage_mean``, the smallest and the mean share.
    """
    stack = np.stack([image.coverage for image in results.values() if image.coverage is not None])
    return {
        "coverage_min": round(float(stack.min()), 4),
        "coverage_mean": round(float(stack.mean()), 4),
    }


def find_signal_voxels(data: Any) -> BoolArray:
    """Find voxels that are finite in all volumes and vary over time.

    Parameters
    ----------
    data : ndarray, shape (i, j, k, time)
        The image.

    Returns
    -------
    ndarray of bool, shape (i, j, k)
        The voxels with signal.
    """
    mask = np.zeros(data.shape[:3], dtype=bool)
    for k in range(data.shape[2]):  # by slice, to avoid a copy of the whole run
        slab = data[:, :, k]
        with np.errstate(invalid="ignore"):
            mask[:, :, k] = np.isfinite(slab).all(axis=-1) & (np.ptp(slab, axis=-1) > 0)
    return mask


def replace_nonfinite(image: Any, data: Any, mask: BoolArray) -> Any:
    """Replace values that are not finite by 0, so that nilearn does not have to.

    These voxels are masked.

    Parameters
    ----------
    image : nibabel image
        The image, already in memory.
    data : ndarray
        Its values, three- or four-dimensional.
    mask : ndarray of bool
        Voxels with data.

    Returns
    -------
    nibabel image
        Finite in all voxels; `image` itself if it is finite already.
    """
    from nilearn.image import new_img_like

    same_shape = data.shape == image.shape
    if same_shape and all(np.isfinite(data[:, :, k]).all() for k in range(data.shape[2])):
        return image
    inside = mask[..., None] if data.ndim == 4 else mask
    return new_img_like(image, np.where(inside, data, 0).astype(np.float32), copy_header=True)
