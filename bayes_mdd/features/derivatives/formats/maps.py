"""Images of one value a voxel to regions: contrasts, FA, grey matter volume, ALFF, ReHo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.atlas.atlases import Atlas
from bayes_mdd.features.atlas.label_images import load_volume
from bayes_mdd.features.derivatives.images import NIFTI, One, coverage_of, each, people_of, plain
from bayes_mdd.features.derivatives.locations import atlas_of, average, check_space, too_little
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.spheres import Mask
from bayes_mdd.features.derivatives.subjects import one_per_person
from bayes_mdd.features.derivatives.values import Format, Reading, Request
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.specs.derivatives import DerivativesSpec

#: Images of something else than one value of interest a voxel.
_NO_MAP = frozenset(
    ("mask", "dseg", "probseg", "boldref", "T1w", "T2w", "bold", "xfm", "aparcaseg", "dwi", "epi")
)
_MAP_UNITS = {
    "fa": "fractional anisotropy (0-1)",
    "volume": "mm3",
    "reho": "Kendall's W",
    "activation": "contrast",
}


def _maps(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.extension not in NIFTI or name.suffix in _NO_MAP:
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


def _read_maps(request: Request) -> Reading:
    if not request.kind:
        raise DataContractError(
            "images", ["do not say what they hold: give kind='activation', 'fa', 'volume', ..."]
        )
    atlas, files, spec = atlas_of(request), one_per_person(request.files), request.spec
    total = request.kind == "volume"

    def read(name: FileName) -> One:
        return _map_values(name, atlas, spec, total=total)

    results = each(files, read)
    return Reading(
        kind=request.kind,
        shape="regional",
        people=people_of(results, atlas, flat=True),
        units=_MAP_UNITS.get(request.kind, "not stated"),
        files=[n.path for n in files.values()],
        regions=atlas.regions,
        zero_is_missing=True,
        facts={"averaged_in": atlas.name, **coverage_of(results)},
    )


def _map_values(name: FileName, atlas: Atlas, spec: DerivativesSpec, *, total: bool) -> One:
    """Average a map, or (modulated grey matter) add it up to mm3."""
    check_space(name, atlas)
    image = load_volume(name.path)
    data = np.asarray(image.get_fdata(dtype=np.float32))
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise UnreadableFileError(
            f"{name.path.name} is {' x '.join(map(str, data.shape))}: expected one value a voxel."
        )
    # 0 is how maps mark what lies outside; of a volume image it is a voxel without tissue.
    mask: Mask = np.isfinite(data) if total else np.isfinite(data) & (data != 0)
    if total and atlas.image is None:
        raise UnreadableFileError(
            "volumes are added up in labels: spheres cut regions; give a label image."
        )
    averages = average(
        plain(image, data, mask),
        mask,
        atlas,
        name.path.name,
        spec,
        strategy="sum" if total else "mean",
    )
    values = too_little(averages, spec)
    if total:
        values = values * abs(float(np.linalg.det(image.affine[:3, :3])))
    return One(values, averages.coverage)


FORMATS = (
    Format(
        name="maps",
        finds_atlas=True,
        title="images of one value a voxel (contrast, FA, volume, ALFF, ReHo), in an atlas",
        find=_maps,
        read=_read_maps,
        yields_to=("xcpd_regional", "fmriprep_bold"),
    ),
)
