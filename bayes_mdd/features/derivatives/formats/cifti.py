"""CIFTI: parcellated connectivity and time series (``.pconn.nii``, ``.ptseries.nii``).

References
----------
Glasser et al. (2013), The minimal preprocessing pipelines for the Human Connectome Project.
NeuroImage 80.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import (
    Format,
    FormatRequest,
    Reading,
    Shape,
    SubjectValues,
)
from bayes_mdd.features.derivatives.subjects import one_file_per_subject, read_subjects
from bayes_mdd.features.repetition_time import (
    REPETITION_TIME,
    RepetitionTime,
    describe_repetition_times,
    find_repetition_time,
)
from bayes_mdd.files.images import load_image, load_image_data
from bayes_mdd.files.regular import own_errors
from bayes_mdd.types import Array

#: Parcels that are not brain regions, in lower case.
_NOT_REGIONS = ("???", "medial.wall", "medial_wall", "unknown", "l_???", "r_???")


def _find_as(extension: str) -> Any:
    def find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
        found = [n for n in files if n.extension == extension]
        return {FUNCTIONAL: found} if found else {}

    return find


def load_parcels(path: Path, *, square: bool) -> tuple[SubjectValues, list[str]]:
    """Read a parcellated CIFTI file.

    Parameters
    ----------
    path : Path
        The file.
    square : bool
        Whether both axes are parcels (pconn); otherwise the first is time (ptseries).

    Returns
    -------
    tuple
        The values, NaN in parcels without a vertex or voxel, and the names of parcels left out
        because they are not regions.

    Raises
    ------
    UnreadableFileError
        If the file is truncated or has other axes.
    """
    from nibabel.cifti2.cifti2_axes import ParcelsAxis, SeriesAxis

    image, data = load_image_data(path, what="CIFTI")
    with own_errors(path, "CIFTI"):
        axes: list[Any] = [image.header.get_axis(i) for i in range(2)]
        values = np.array(data, dtype=np.float64)
    first = ParcelsAxis if square else SeriesAxis
    if not (isinstance(axes[0], first) and isinstance(axes[1], ParcelsAxis)):
        found = " by ".join(type(a).__name__ for a in axes)
        raise UnreadableFileError(
            f"{path.name} is {found}: expected {'parcels' if square else 'a series'} by parcels."
        )
    rows, columns = ([str(n) for n in getattr(axis, "name", ())] for axis in axes)
    if square and rows != columns:
        raise UnreadableFileError(f"{path.name}: rows and columns have different parcels.")
    if values.shape != tuple(len(axis) for axis in axes):
        raise UnreadableFileError(
            f"{path.name} has data of shape {values.shape}, but axes of {len(axes[0])} and "
            f"{len(axes[1])} entries: the file is damaged."
        )
    with own_errors(path, "CIFTI"):
        return _select_regions(axes[1], values, square)


def _select_regions(axis: Any, values: Array, square: bool) -> tuple[SubjectValues, list[str]]:
    names = [str(n) for n in axis.name]
    size = [
        len(voxels) + sum(len(v) for v in vertices.values())
        for voxels, vertices in zip(axis.voxels, axis.vertices, strict=True)
    ]
    empty = np.array(size) == 0
    values[..., empty] = np.nan
    if square:
        values[empty] = np.nan
    keep = np.array([n.lower() not in _NOT_REGIONS for n in names])
    kept = tuple(n for n, k in zip(names, keep, strict=True) if k)
    values = values[np.ix_(keep, keep)] if square else values[:, keep]
    return SubjectValues(kept, values), [n for n, k in zip(names, keep, strict=True) if not k]


def series_repetition_time(path: Path) -> float | None:
    """Read the repetition time from the series axis of a CIFTI file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    float or None
        Seconds; None if the first axis is not a series in seconds.
    """
    from nibabel.cifti2.cifti2_axes import SeriesAxis

    with own_errors(path, "CIFTI"):
        axis: Any = load_image(path).header.get_axis(0)
        if not isinstance(axis, SeriesAxis) or str(axis.unit).upper() != "SECOND":
            return None
        step = round(float(axis.step), 6)
    return step if 0 < step < float("inf") else None


def _read_as(shape: Shape) -> Any:
    def read(request: FormatRequest) -> Reading:
        files = one_file_per_subject(request.files)
        left_out: set[str] = set()
        repetition: dict[str, RepetitionTime] = {}

        def read_file(name: FileName) -> SubjectValues:
            if shape == "series":
                header = series_repetition_time(name.path)
                repetition[name.subject_id] = find_repetition_time(name, header)
            values, not_regions = load_parcels(name.path, square=shape == "matrix")
            left_out.update(not_regions)
            return values

        by_subject = read_subjects(files, read_file)
        times, facts, notes = describe_repetition_times(repetition)
        if left_out:
            facts["parcels_that_are_no_regions"] = sorted(left_out)
        return Reading(
            kind=FUNCTIONAL,
            shape=shape,
            by_subject=by_subject,
            files=[n.path for n in files.values()],
            covariates={REPETITION_TIME: times} if times else {},
            facts=facts,
            notes=notes,
        )

    return read


FORMATS = (
    Format(
        name="cifti_pconn",
        title="parcellated connectivity (.pconn.nii)",
        find=_find_as(".pconn.nii"),
        read=_read_as("matrix"),
        yields_to=("xcpd_relmat",),
    ),
    Format(
        name="cifti_ptseries",
        title="parcellated time series (.ptseries.nii)",
        find=_find_as(".ptseries.nii"),
        read=_read_as("series"),
        has_series=True,
        yields_to=("xcpd_relmat", "xcpd_timeseries", "cifti_pconn"),
    ),
)
