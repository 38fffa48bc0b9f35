"""Maps with one value per voxel: contrasts, FA, grey matter volume, ALFF, ReHo."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.atlas.atlases import Atlas
from bayes_mdd.features.atlas.label_images import load_volume
from bayes_mdd.features.derivatives.averaging import (
    average_regions,
    check_space,
    mask_low_coverage,
    select_atlas,
)
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.image_parts import image_parts
from bayes_mdd.features.derivatives.images import (
    NIFTI,
    ImageValues,
    name_regions,
    read_images,
    replace_nonfinite,
    summarise_coverage,
)
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading
from bayes_mdd.features.derivatives.subjects import one_file_per_subject
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.specs.derivatives import DerivativesSpec
from bayes_mdd.types import BoolArray

#: Suffixes of images that are not maps of a measure.
_NOT_MAPS = frozenset(
    ("mask", "dseg", "probseg", "boldref", "T1w", "T2w", "bold", "xfm", "aparcaseg", "dwi", "epi")
)
_MAP_UNITS = {
    "fa": "fractional anisotropy (0-1)",
    "volume": "mm3",
    "reho": "Kendall's W",
    "activation": "contrast",
}


def _find_maps(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.extension not in NIFTI or name.suffix in _NOT_MAPS:
            continue
        stat = name.entities.get("stat", "")
        if stat in ("alff", "falff", "reho"):
            kind = stat
        elif name.suffix.lower() in ("fa", "md", "rd", "ad", "alff", "falff", "reho"):
            kind = name.suffix.lower()
        elif name.suffix == "statmap":
            kind = "activation"
        else:
            kind = ""
        found.setdefault(kind, []).append(name)
    return found


def read_maps(request: FormatRequest) -> Reading:
    """Average one map per subject in an atlas.

    Parameters
    ----------
    request : FormatRequest
        The maps; its kind determines units, and sums instead of averages for ``volume``.

    Returns
    -------
    Reading
        One value per region and subject.

    Raises
    ------
    DataContractError
        If the kind or the atlas is not given, or maps cannot be used.
    """
    if not request.kind:
        raise DataContractError(
            "images", ["do not state what they hold: give kind='activation', 'fa', 'volume', ..."]
        )
    atlas, files, spec = select_atlas(request), one_file_per_subject(request.files), request.spec
    total = request.kind == "volume"

    results = read_images(
        files,
        partial(_map_values, atlas=atlas, spec=spec, total=total),
        image_parts(request, files, atlas),
    )
    return Reading(
        kind=request.kind,
        shape="regional",
        by_subject=name_regions(results, atlas, flat=True),
        units=_MAP_UNITS.get(request.kind, "not stated"),
        files=[n.path for n in files.values()],
        regions=atlas.regions,
        zero_is_missing=True,
        facts={"averaged_in": atlas.name, **summarise_coverage(results)},
    )


def _map_values(name: FileName, atlas: Atlas, spec: DerivativesSpec, *, total: bool) -> ImageValues:
    """Average a map or, for modulated grey matter, sum it to mm3."""
    check_space(name, atlas)
    image = load_volume(name.path)
    data = np.asarray(image.get_fdata(dtype=np.float32))
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise UnreadableFileError(
            f"{name.path.name} is {' x '.join(map(str, data.shape))}: expected one value per voxel."
        )
    # In maps, 0 marks voxels outside the brain; in volume images, voxels without tissue.
    mask: BoolArray = np.isfinite(data) if total else np.isfinite(data) & (data != 0)
    if total and atlas.image is None:
        raise UnreadableFileError(
            "volumes are summed over labels, because spheres do not cover whole regions: give a "
            "label image."
        )
    averages = average_regions(
        replace_nonfinite(image, data, mask),
        mask,
        atlas,
        name.path.name,
        spec,
        strategy="sum" if total else "mean",
    )
    values = mask_low_coverage(averages, spec)
    if total:
        values = values * abs(float(np.linalg.det(image.affine[:3, :3])))
    return ImageValues(values, averages.coverage)


FORMATS = (
    Format(
        name="maps",
        handles_atlas=True,
        title="images with one value per voxel (contrast, FA, volume, ALFF, ReHo), in an atlas",
        find=_find_maps,
        read=read_maps,
        yields_to=("xcpd_regional", "fmriprep_bold"),
    ),
)
