"""fMRIPrep: regional time series from BOLD images and their confounds.

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
from bayes_mdd.features.derivatives.averaging import (
    average_regions,
    check_space,
    mask_low_coverage,
    select_atlas,
)
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.images import (
    NIFTI,
    ImageValues,
    find_signal_voxels,
    name_regions,
    read_images,
    replace_nonfinite,
    summarise_coverage,
)
from bayes_mdd.features.derivatives.interface import Format, FormatRequest, Reading
from bayes_mdd.features.derivatives.subjects import one_file_per_subject
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.features.loading import UnreadableFileError
from bayes_mdd.specs.derivatives import DerivativesSpec
from bayes_mdd.types import BoolArray

#: Smallest number of degrees of freedom for a usable correlation.
_MIN_DEGREES_OF_FREEDOM = 20


def _find_bold(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.suffix == "bold" and n.extension in NIFTI]
    found = [n for n in found if "stat" not in n.entities]
    return {FUNCTIONAL: found} if found else {}


def _read_bold(request: FormatRequest) -> Reading:
    atlas, files, spec = select_atlas(request), one_file_per_subject(request.files), request.spec
    masks = {n.path: n for n in request.all_files if n.suffix == "mask"}

    def read(name: FileName) -> ImageValues:
        return _bold_series(name, _mask_of(name, masks.values()), atlas, spec)

    results = read_images(files, read)
    covariates: dict[str, dict[str, float]] = {}
    for subject, image in results.items():
        for key, value in (image.covariates or {}).items():
            covariates.setdefault(key, {})[subject] = value
    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        by_subject=name_regions(results, atlas, flat=False),
        files=[n.path for n in files.values()],
        regions=atlas.regions,
        covariates=covariates,
        facts={"averaged_in": atlas.name, **summarise_coverage(results)},
    )


def _mask_of(name: FileName, masks: Any) -> FileName | None:
    """Find the brain mask of a BOLD image, which has the same entities except ``desc``."""
    entities = {k: v for k, v in name.entities.items() if k != "desc"}
    found = [
        m
        for m in masks
        if {k: v for k, v in m.entities.items() if k != "desc"} == entities
        and m.entities.get("desc", "brain") == "brain"
    ]
    return found[0] if len(found) == 1 else None


def _bold_series(
    name: FileName, mask_name: FileName | None, atlas: Atlas, spec: DerivativesSpec
) -> ImageValues:
    check_space(name, atlas)
    image = load_volume(name.path)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise UnreadableFileError(
            f"{name.path.name} is {' x '.join(map(str, image.shape))}: expected a time series."
        )
    confounds, keep, covariates = load_denoising(name, image.shape[3], spec)
    data = np.asarray(image.get_fdata(dtype=np.float32))
    mask = find_signal_voxels(data)
    if mask_name is not None:
        mask &= _brain_mask(mask_name, image)
    averages = average_regions(
        replace_nonfinite(image, data, mask),
        mask,
        atlas,
        name.path.name,
        spec,
        confounds=confounds,
        sample_mask=keep,
    )
    return ImageValues(mask_low_coverage(averages, spec), averages.coverage, covariates)


def _brain_mask(name: FileName, image: Any) -> BoolArray:
    mask = load_volume(name.path)
    if mask.shape != image.shape[:3] or not np.allclose(mask.affine, image.affine, atol=1e-3):
        raise UnreadableFileError(f"{name.path.name} and the image it masks have different grids.")
    return np.asarray(mask.get_fdata(dtype=np.float32)) > 0


def load_denoising(
    name: FileName, volumes: int, spec: DerivativesSpec
) -> tuple[Any, Any, dict[str, float]]:
    """Load the confounds of a BOLD image and determine which volumes are kept.

    Parameters
    ----------
    name : FileName
        The image; the confounds of fMRIPrep are in the same folder.
    volumes : int
        Number of volumes of the image.
    spec : DerivativesSpec
        Confound strategy, thresholds and ``min_volumes``.

    Returns
    -------
    tuple
        Confounds, indices of kept volumes (None: all), and the subject covariates ``mean_fd`` (mm)
        and ``volumes_kept``.

    Raises
    ------
    UnreadableFileError
        If the confounds are missing or unusable, or too few volumes or degrees of freedom remain.
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
            warnings.simplefilter("ignore")  # about columns that are not needed
            confounds, keep = load_confounds(str(name.path), strategy=spec.confounds, **scrub)
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise UnreadableFileError(
            f"{name.path.name}: its confounds cannot be used ({_one_line(error)}). Expected "
            "*_desc-confounds_timeseries.tsv and .json of fMRIPrep 1.2 or later in the same "
            f"folder; strategy {', '.join(spec.confounds)}."
        ) from error
    if len(confounds) != volumes:
        raise UnreadableFileError(
            f"{name.path.name} has {volumes} volumes, its confounds {len(confounds)} rows: the two "
            "files do not belong together."
        )
    kept = volumes if keep is None else len(keep)
    if kept < spec.min_volumes:
        raise UnreadableFileError(
            f"{name.path.name}: {kept} of {volumes} volumes remain after scrubbing, at least "
            f"{spec.min_volumes} required: exclude the participant, or change min_volumes or "
            "fd_threshold (DerivativesSpec)."
        )
    remaining = kept - confounds.shape[1] - 1
    if remaining < _MIN_DEGREES_OF_FREEDOM:
        raise UnreadableFileError(
            f"{name.path.name}: {kept} volumes and {confounds.shape[1]} confounds leave "
            f"{remaining} degrees of freedom, at least {_MIN_DEGREES_OF_FREEDOM} required: use "
            "fewer confounds."
        )
    return confounds, keep, {"volumes_kept": float(kept)} | ({} if fd is None else {"mean_fd": fd})


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _mean_fd(name: FileName) -> float | None:
    """Mean framewise displacement. The first row has no value and does not count as 0."""
    entities = {k: v for k, v in name.entities.items() if k not in ("space", "res", "desc", "den")}
    stem = name.path.name.split("_space-")[0].split("_desc-")[0].removesuffix("_bold")
    found = sorted(name.path.parent.glob(f"{stem}*confounds*.tsv"))
    if len(found) != 1 or not entities:
        return None
    cells = read_cells(found[0])
    columns = [c for c in ("framewise_displacement", "FramewiseDisplacement") if c in cells.header]
    if not columns:
        return None
    column = cells.header.index(columns[0])
    values = parse_numbers(found[0], [[row[column]] for row in cells.body])[:, 0]
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


FORMATS = (
    Format(
        name="fmriprep_bold",
        handles_atlas=True,
        title="BOLD images with confounds of fMRIPrep (*_bold.nii.gz), in an atlas",
        find=_find_bold,
        read=_read_bold,
        has_series=True,
        yields_to=("xcpd_relmat", "xcpd_timeseries", "cifti_pconn", "cifti_ptseries"),
    ),
)
