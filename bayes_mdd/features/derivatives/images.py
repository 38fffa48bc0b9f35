"""Images to regions: fMRIPrep BOLD with its confounds, and maps of one value a voxel.

References
----------
Esteban et al. (2019), fMRIPrep: a robust preprocessing pipeline for functional MRI. Nature
Methods 16.
Wang et al. (2024), Continuous evaluation of denoising strategies in resting-state fMRI
connectivity using fMRIPrep and Nilearn. PLoS Computational Biology 20.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.atlases import Atlas
from bayes_mdd.features.connectivity import MIN_VOLUMES
from bayes_mdd.features.derivatives.cells import numbers, read_cells
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.people import one_per_person
from bayes_mdd.features.derivatives.places import (
    Mask,
    atlas_of,
    average,
    check_space,
    coverage_facts,
    too_little,
)
from bayes_mdd.features.derivatives.values import Format, Measured, Reading, Request
from bayes_mdd.features.label_images import load_volume
from bayes_mdd.features.loading import Floats, Grouped, UnreadableFileError
from bayes_mdd.specs.derivatives import DerivativesSpec

_NIFTI = (".nii", ".nii.gz")
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


@dataclass(frozen=True)
class _One:
    """What the image of one person gave, or why it gave nothing."""

    values: Floats | None = None
    coverage: Floats | None = None
    facts: Mapping[str, float] | None = None
    problem: str | None = None


def _each(files: Mapping[str, FileName], read: Callable[[FileName], _One]) -> dict[str, _One]:
    """Read everybody's image, people in parallel where joblib is told so."""

    def attempt(name: FileName) -> _One:
        try:
            return read(name)
        except UnreadableFileError as error:
            return _One(problem=str(error))

    results = dict(zip(files, Parallel()(delayed(attempt)(n) for n in files.values()), strict=True))
    found = Grouped()
    for who, one in results.items():
        if one.problem is not None:
            found.add(who, one.problem)
    if found.who:
        raise DataContractError("images", found.problems())
    return results


def _people(results: Mapping[str, _One], atlas: Atlas, *, flat: bool) -> dict[str, Measured]:
    names = tuple(map(str, atlas.regions["region"]))
    return {
        who: Measured(names, one.values[0] if flat else one.values)
        for who, one in results.items()
        if one.values is not None
    }


def _coverage(results: Mapping[str, _One]) -> dict[str, float]:
    return coverage_facts({w: o.coverage for w, o in results.items() if o.coverage is not None})


# BOLD


def _bold(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.suffix == "bold" and n.extension in _NIFTI]
    found = [n for n in found if "stat" not in n.entities]
    return {FUNCTIONAL: found} if found else {}


def _read_bold(request: Request) -> Reading:
    atlas, files, spec = atlas_of(request), one_per_person(request.files), request.spec
    masks = {n.path: n for n in request.everything if n.suffix == "mask"}

    def read(name: FileName) -> _One:
        return _bold_series(name, _mask_of(name, masks.values()), atlas, spec)

    results = _each(files, read)
    covariates: dict[str, dict[str, float]] = {}
    for who, one in results.items():
        for key, value in (one.facts or {}).items():
            covariates.setdefault(key, {})[who] = value
    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        people=_people(results, atlas, flat=False),
        files=[n.path for n in files.values()],
        regions=atlas.regions,
        covariates=covariates,
        facts={"averaged_in": atlas.name, **_coverage(results)},
    )


def _mask_of(name: FileName, masks: Any) -> FileName | None:
    """Find the brain mask of a BOLD image: the same entities but ``desc``."""
    own = {k: v for k, v in name.entities.items() if k != "desc"}
    fitting = [
        m
        for m in masks
        if {k: v for k, v in m.entities.items() if k != "desc"} == own
        and m.entities.get("desc", "brain") == "brain"
    ]
    return fitting[0] if len(fitting) == 1 else None


def _bold_series(
    name: FileName, mask_name: FileName | None, atlas: Atlas, spec: DerivativesSpec
) -> _One:
    check_space(name, atlas)
    image = load_volume(name.path)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise UnreadableFileError(
            f"{name.path.name} is {' x '.join(map(str, image.shape))}: expected volumes over time."
        )
    confounds, keep, facts = load_denoising(name, image.shape[3], spec)
    data = np.asarray(image.get_fdata(dtype=np.float32))
    mask: Mask = np.isfinite(data).all(axis=3)
    mask &= np.ptp(np.where(mask[..., None], data, 0), axis=3) > 0
    if mask_name is not None:
        mask &= _brain(mask_name, image)
    averages = average(
        _plain(image, data, mask),
        mask,
        atlas,
        name.path.name,
        spec,
        confounds=confounds,
        sample_mask=keep,
    )
    return _One(too_little(averages, spec), averages.coverage, facts)


def _brain(name: FileName, image: Any) -> Mask:
    mask = load_volume(name.path)
    if mask.shape != image.shape[:3] or not np.allclose(mask.affine, image.affine, atol=1e-3):
        raise UnreadableFileError(f"{name.path.name} has another grid than the image it masks.")
    return np.asarray(mask.get_fdata(dtype=np.float32)) > 0


def _plain(image: Any, data: Any, mask: Mask) -> Any:
    """Put 0 where there are no data, so that nilearn need not; those voxels are masked."""
    from nilearn.image import new_img_like

    inside = mask[..., None] if data.ndim == 4 else mask
    return new_img_like(image, np.where(inside, data, 0).astype(np.float32), copy_header=True)


def load_denoising(
    name: FileName, volumes: int, spec: DerivativesSpec
) -> tuple[Any, Any, dict[str, float]]:
    """Load the confounds of a BOLD image and which volumes are kept.

    Parameters
    ----------
    name : FileName
        The image; fMRIPrep's confounds lie beside it.
    volumes : int
        Volumes of the image.
    spec : DerivativesSpec
        Strategy, thresholds, ``min_volumes``.

    Returns
    -------
    tuple
        Confounds, indices of kept volumes (None: all), and the facts ``mean_fd`` (mm) and
        ``volumes_kept``.

    Raises
    ------
    UnreadableFileError
        If there are no confounds, or too few volumes or degrees of freedom remain.
    """
    from nilearn.interfaces.fmriprep import load_confounds

    scrub = (
        {"fd_threshold": spec.fd_threshold, "std_dvars_threshold": spec.std_dvars_threshold}
        if "scrub" in spec.confounds
        else {}
    )
    fd = _mean_fd(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nilearn tells of columns it did not need
            confounds, keep = load_confounds(str(name.path), strategy=spec.confounds, **scrub)
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise UnreadableFileError(
            f"{name.path.name}: its confounds cannot be used ({_line(error)}). Expected "
            "*_desc-confounds_timeseries.tsv and .json of fMRIPrep 1.2 or later beside it; "
            f"strategy {', '.join(spec.confounds)}."
        ) from error
    if len(confounds) != volumes:
        raise UnreadableFileError(
            f"{name.path.name} has {volumes} volumes, its confounds {len(confounds)} rows: they do "
            "not belong together."
        )
    kept = volumes if keep is None else len(keep)
    if kept < spec.min_volumes:
        raise UnreadableFileError(
            f"{name.path.name}: {kept} of {volumes} volumes are left after scrubbing, at least "
            f"{spec.min_volumes} wanted: leave the person out, or change min_volumes or "
            "fd_threshold (DerivativesSpec)."
        )
    freedom = kept - confounds.shape[1] - 1
    if freedom < MIN_VOLUMES:
        raise UnreadableFileError(
            f"{name.path.name}: {kept} volumes less {confounds.shape[1]} confounds leave {freedom} "
            f"degrees of freedom, at least {MIN_VOLUMES} wanted: use fewer confounds."
        )
    return confounds, keep, {"volumes_kept": float(kept)} | ({} if fd is None else {"mean_fd": fd})


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _mean_fd(name: FileName) -> float | None:
    """Average framewise displacement; the first row has none and does not count as 0."""
    head = {k: v for k, v in name.entities.items() if k not in ("space", "res", "desc", "den")}
    stem = name.path.name.split("_space-")[0].split("_desc-")[0].removesuffix("_bold")
    beside = sorted(name.path.parent.glob(f"{stem}*confounds*.tsv"))
    if len(beside) != 1 or not head:
        return None
    cells = read_cells(beside[0])
    columns = [c for c in ("framewise_displacement", "FramewiseDisplacement") if c in cells.header]
    if not columns:
        return None
    place = cells.header.index(columns[0])
    values = numbers(beside[0], [[row[place]] for row in cells.body])[:, 0]
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


# Maps: contrasts, FA, grey matter volume, ALFF, ReHo


def _maps(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found: dict[str, list[FileName]] = {}
    for name in files:
        if name.extension not in _NIFTI or name.suffix in _NO_MAP:
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

    def read(name: FileName) -> _One:
        return _map_values(name, atlas, spec, total=total)

    results = _each(files, read)
    return Reading(
        kind=request.kind,
        shape="regional",
        people=_people(results, atlas, flat=True),
        units=_MAP_UNITS.get(request.kind, "not stated"),
        files=[n.path for n in files.values()],
        regions=atlas.regions,
        zero_is_missing=True,
        facts={"averaged_in": atlas.name, **_coverage(results)},
    )


def _map_values(name: FileName, atlas: Atlas, spec: DerivativesSpec, *, total: bool) -> _One:
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
        _plain(image, data, mask),
        mask,
        atlas,
        name.path.name,
        spec,
        strategy="sum" if total else "mean",
    )
    values = too_little(averages, spec)
    if total:
        values = values * abs(float(np.linalg.det(image.affine[:3, :3])))
    return _One(values, averages.coverage)


FORMATS = (
    Format(
        name="fmriprep_bold",
        finds_atlas=True,
        title="BOLD images with confounds of fMRIPrep (*_bold.nii.gz), in an atlas",
        find=_bold,
        read=_read_bold,
        yields_to=("xcpd_relmat", "xcpd_timeseries", "cifti_pconn", "cifti_ptseries"),
    ),
    Format(
        name="maps",
        finds_atlas=True,
        title="images of one value a voxel (contrast, FA, volume, ALFF, ReHo), in an atlas",
        find=_maps,
        read=_read_maps,
        yields_to=("xcpd_regional", "fmriprep_bold"),
    ),
)
