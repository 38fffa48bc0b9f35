"""fMRIPrep: BOLD images with their confounds to regional series.

References
----------
Esteban et al. (2019), fMRIPrep: a robust preprocessing pipeline for functional MRI. Nature
Methods 16.
Wang et al. (2024), Continuous evaluation of denoising strategies in resting-state fMRI
connectivity using fMRIPrep and Nilearn. PLoS Computational Biology 20.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.atlas.atlases import Atlas
from bayes_mdd.features.atlas.label_images import load_volume
from bayes_mdd.features.derivatives.cells import numbers, read_cells
from bayes_mdd.features.derivatives.images import (
    NIFTI,
    One,
    coverage_of,
    each,
    people_of,
    plain,
    voxels_with_signal,
)
from bayes_mdd.features.derivatives.locations import atlas_of, average, check_space, too_little
from bayes_mdd.features.derivatives.names import FileName
from bayes_mdd.features.derivatives.spheres import Mask
from bayes_mdd.features.derivatives.subjects import one_per_person
from bayes_mdd.features.derivatives.values import Format, Reading, Request
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.specs.derivatives import DerivativesSpec

#: Fewer degrees of freedom than this give no usable correlation.
_MIN_FREEDOM = 20


def _bold(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.suffix == "bold" and n.extension in NIFTI]
    found = [n for n in found if "stat" not in n.entities]
    return {FUNCTIONAL: found} if found else {}


def _read_bold(request: Request) -> Reading:
    atlas, files, spec = atlas_of(request), one_per_person(request.files), request.spec
    masks = {n.path: n for n in request.everything if n.suffix == "mask"}

    def read(name: FileName) -> One:
        return _bold_series(name, _mask_of(name, masks.values()), atlas, spec)

    results = each(files, read)
    covariates: dict[str, dict[str, float]] = {}
    for who, one in results.items():
        for key, value in (one.facts or {}).items():
            covariates.setdefault(key, {})[who] = value
    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        people=people_of(results, atlas, flat=False),
        files=[n.path for n in files.values()],
        regions=atlas.regions,
        covariates=covariates,
        facts={"averaged_in": atlas.name, **coverage_of(results)},
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
) -> One:
    check_space(name, atlas)
    image = load_volume(name.path)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise UnreadableFileError(
            f"{name.path.name} is {' x '.join(map(str, image.shape))}: expected volumes over time."
        )
    confounds, keep, facts = load_denoising(name, image.shape[3], spec)
    data = np.asarray(image.get_fdata(dtype=np.float32))
    mask = voxels_with_signal(data)
    if mask_name is not None:
        mask &= _brain(mask_name, image)
    averages = average(
        plain(image, data, mask),
        mask,
        atlas,
        name.path.name,
        spec,
        confounds=confounds,
        sample_mask=keep,
    )
    return One(too_little(averages, spec), averages.coverage, facts)


def _brain(name: FileName, image: Any) -> Mask:
    mask = load_volume(name.path)
    if mask.shape != image.shape[:3] or not np.allclose(mask.affine, image.affine, atol=1e-3):
        raise UnreadableFileError(f"{name.path.name} has another grid than the image it masks.")
    return np.asarray(mask.get_fdata(dtype=np.float32)) > 0


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
    if freedom < _MIN_FREEDOM:
        raise UnreadableFileError(
            f"{name.path.name}: {kept} volumes less {confounds.shape[1]} confounds leave {freedom} "
            f"degrees of freedom, at least {_MIN_FREEDOM} wanted: use fewer confounds."
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


FORMATS = (
    Format(
        name="fmriprep_bold",
        finds_atlas=True,
        title="BOLD images with confounds of fMRIPrep (*_bold.nii.gz), in an atlas",
        find=_bold,
        read=_read_bold,
        yields_to=("xcpd_relmat", "xcpd_timeseries", "cifti_pconn", "cifti_ptseries"),
    ),
)
