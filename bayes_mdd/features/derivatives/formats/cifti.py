"""CIFTI parcellated connectivity and series (``.pconn.nii``, ``.ptseries.nii``).

References
----------
Glasser et al. (2013), The minimal preprocessing pipelines for the Human Connectome Project.
NeuroImage 80.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.subjects import one_per_person, read_people
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request, Shape
from bayes_mdd.features.loading import Floats, UnreadableFileError, require_file

#: Parcels that are no regions of cortex; compared in lower case.
_NO_REGION = ("???", "medial.wall", "medial_wall", "unknown", "l_???", "r_???")
_BROKEN = (OSError, ValueError, EOFError, KeyError, TypeError, zlib.error)


def _find_as(extension: str) -> Any:
    def find(files: Sequence[FileName]) -> dict[str, list[FileName]]:
        held = [n for n in files if n.extension == extension]
        return {FUNCTIONAL: held} if held else {}

    return find


def load_parcels(path: Path, *, square: bool) -> tuple[Measured, list[str]]:
    """Read a parcellated CIFTI file.

    Parameters
    ----------
    path : Path
        The file.
    square : bool
        Whether both axes are parcels (pconn), or the first is time (ptseries).

    Returns
    -------
    tuple
        The numbers, NaN for parcels without a vertex or voxel, and the parcels that are no
        regions, which were left out.

    Raises
    ------
    UnreadableFileError
        If the file is truncated, or its axes are others.
    """
    import nibabel as nib
    from nibabel.cifti2.cifti2_axes import ParcelsAxis, SeriesAxis
    from nibabel.filebasedimages import ImageFileError

    require_file(path)
    try:
        image: Any = nib.load(path)
        axes: list[Any] = [image.header.get_axis(i) for i in range(2)]
        values = np.asarray(image.get_fdata(dtype=np.float64))
    except (*_BROKEN, AttributeError, ImageFileError) as error:
        raise UnreadableFileError(
            f"{path.name} cannot be read as CIFTI (truncated?): {error}."
        ) from error
    first = ParcelsAxis if square else SeriesAxis
    if not (isinstance(axes[0], first) and isinstance(axes[1], ParcelsAxis)):
        found = " by ".join(type(a).__name__ for a in axes)
        raise UnreadableFileError(
            f"{path.name} is {found}: expected {'parcels' if square else 'a series'} by parcels."
        )
    rows, columns = ([str(n) for n in getattr(axis, "name", ())] for axis in axes)
    if square and rows != columns:
        raise UnreadableFileError(f"{path.name}: rows and columns are different parcels.")
    return _cleaned(axes[1], values, square)


def _cleaned(axis: Any, values: Floats, square: bool) -> tuple[Measured, list[str]]:
    names = [str(n) for n in axis.name]
    size = [
        len(voxels) + sum(len(v) for v in vertices.values())
        for voxels, vertices in zip(axis.voxels, axis.vertices, strict=True)
    ]
    void = np.array(size) == 0
    values[..., void] = np.nan
    if square:
        values[void] = np.nan
    keep = np.array([n.lower() not in _NO_REGION for n in names])
    kept = tuple(n for n, k in zip(names, keep, strict=True) if k)
    values = values[np.ix_(keep, keep)] if square else values[:, keep]
    return Measured(kept, values), [n for n, k in zip(names, keep, strict=True) if not k]


def _read_as(shape: Shape) -> Any:
    def read(request: Request) -> Reading:
        files = one_per_person(request.files)
        left_out: set[str] = set()

        def one(name: FileName) -> Measured:
            measured, walls = load_parcels(name.path, square=shape == "matrix")
            left_out.update(walls)
            return measured

        people = read_people(files, one)
        return Reading(
            kind=FUNCTIONAL,
            shape=shape,
            people=people,
            files=[n.path for n in files.values()],
            facts={"parcels_that_are_no_regions": sorted(left_out)} if left_out else {},
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
        yields_to=("xcpd_relmat", "xcpd_timeseries", "cifti_pconn"),
    ),
)
