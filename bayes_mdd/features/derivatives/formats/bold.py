"""fMRIPrep: regional time series from BOLD images and their confounds.

References
----------
Esteban et al. (2019), fMRIPrep: a robust preprocessing pipeline for functional MRI. Nature
Methods 16.
Wang et al. (2024), Continuous evaluation of denoising strategies in resting-state fMRI
connectivity using fMRIPrep and Nilearn. PLoS Computational Biology 20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.atlas.atlases import Atlas
from bayes_mdd.features.atlas.label_images import load_volume
from bayes_mdd.features.companions import find_companion
from bayes_mdd.features.derivatives.averaging import (
    average_regions,
    check_space,
    mask_low_coverage,
    select_atlas,
)
from bayes_mdd.features.derivatives.confounds import is_confounds_name, load_denoising
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.image_parts import image_parts
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
from bayes_mdd.features.loading import GroupedProblems, UnreadableFileError
from bayes_mdd.features.repetition_time import (
    REPETITION_TIME,
    RepetitionTime,
    describe_repetition_times,
    find_repetition_time,
    header_repetition_time,
)
from bayes_mdd.specs.derivatives import DerivativesSpec
from bayes_mdd.types import BoolArray

_NO_MASK = "there is no brain mask beside the image; all voxels with a signal were used."


def _find_bold(files: Sequence[FileName]) -> dict[str, list[FileName]]:
    found = [n for n in files if n.suffix == "bold" and n.extension in NIFTI]
    found = [n for n in found if "stat" not in n.entities]
    return {FUNCTIONAL: found} if found else {}


def _read_bold(request: FormatRequest) -> Reading:
    atlas, files, spec = select_atlas(request), one_file_per_subject(request.files), request.spec
    companions = [n for n in request.all_files if n.suffix == "mask" or is_confounds_name(n)]

    def read(name: FileName) -> ImageValues:
        return _bold_series(name, companions, atlas, spec)

    results = read_images(files, read, image_parts(request, files, atlas))
    covariates: dict[str, dict[str, float]] = {}
    for subject, image in results.items():
        for key, value in (image.covariates or {}).items():
            covariates.setdefault(key, {})[subject] = value
    times, facts, notes = describe_repetition_times(
        {s: image.repetition_time or RepetitionTime() for s, image in results.items()}
    )
    if times:
        covariates[REPETITION_TIME] = times
    return Reading(
        kind=FUNCTIONAL,
        shape="series",
        by_subject=name_regions(results, atlas, flat=False),
        files=[n.path for n in files.values()],
        regions=atlas.regions,
        covariates=covariates,
        facts={"averaged_in": atlas.name, **summarise_coverage(results), **facts},
        notes=[*_notes_of(results), *notes],
    )


def _notes_of(results: Mapping[str, ImageValues]) -> list[str]:
    """List notes on the images, each with the subjects it concerns."""
    found = GroupedProblems()
    without = [s for s, image in results.items() if _NO_MASK in image.notes]
    for subject, image in results.items():
        for note in image.notes:
            if note != _NO_MASK or len(without) < len(results):
                found.add(subject, note)
    return found.problems()


def _mask_of(name: FileName, files: Sequence[FileName]) -> FileName | None:
    """Find the brain mask of a BOLD image, which is on the same grid."""
    masks = [m for m in files if m.suffix == "mask" and m.extension in NIFTI]
    masks = [m for m in masks if m.entities.get("desc", "brain") == "brain"]
    return find_companion(name, masks, "brain mask", require=("space", "res", "den", "cohort"))


def _bold_series(
    name: FileName, beside: Sequence[FileName], atlas: Atlas, spec: DerivativesSpec
) -> ImageValues:
    check_space(name, atlas)
    image = load_volume(name.path)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise UnreadableFileError(
            f"{name.path.name} is {' x '.join(map(str, image.shape))}: expected a time series."
        )
    denoising = load_denoising(name, beside, image.shape[3], spec)
    data = np.asarray(image.get_fdata(dtype=np.float32))
    mask, mask_name = find_signal_voxels(data), _mask_of(name, beside)
    if mask_name is not None:
        mask &= _brain_mask(mask_name, image)
    averages = average_regions(
        replace_nonfinite(image, data, mask),
        mask,
        atlas,
        name.path.name,
        spec,
        confounds=denoising.confounds,
        sample_mask=denoising.keep,
    )
    return ImageValues(
        mask_low_coverage(averages, spec),
        averages.coverage,
        denoising.covariates,
        find_repetition_time(name, header_repetition_time(image.header)),
        denoising.notes if mask_name is not None else (*denoising.notes, _NO_MASK),
    )


def _brain_mask(name: FileName, image: Any) -> BoolArray:
    mask = load_volume(name.path)
    if mask.shape != image.shape[:3] or not np.allclose(mask.affine, image.affine, atol=1e-3):
        raise UnreadableFileError(f"{name.path.name} and the image it masks have different grids.")
    return np.asarray(mask.get_fdata(dtype=np.float32)) > 0


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
