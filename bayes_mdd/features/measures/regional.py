"""Regional measures of BOLD fluctuations (ALFF, fALFF, ReHo) from time series or images."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.features.assemble import regional_features as assemble_regions
from bayes_mdd.features.measures.recordings import as_recordings
from bayes_mdd.features.measures.regional_tasks import (
    Kind,
    Task,
    image_task,
    series_task,
)
from bayes_mdd.features.measures.series import Series, named_series
from bayes_mdd.features.measures.subjects import Missing, check_missing, measure_subjects
from bayes_mdd.features.provenance import left_out_text, provenance_text
from bayes_mdd.features.regions import check_regions
from bayes_mdd.features.repetition_time import REPETITION_TIME, describe_repetition_times

Scale = Literal["none", "mean"]
UNITS = {"alff": "signal", "falff": "fraction", "reho": "Kendall's W"}


def regional_features(
    data: Series | Mapping[str, Any],
    regions: pd.DataFrame,
    kind: Kind = "alff",
    *,
    tr: float | Mapping[str, float] | None = None,
    band: tuple[float, float] = (0.01, 0.08),
    labels: Any = None,
    mask: Any = None,
    min_coverage: float = 0.5,
    scale: Scale = "none",
    kept_volumes: Mapping[str, npt.ArrayLike] | None = None,
    participants: pd.DataFrame | None = None,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Compute amplitude of low-frequency fluctuations or local homogeneity of all regions.

    Parameters
    ----------
    data : mapping of str to array or image, or array
        Without `labels`: regional time series as for `connectivity_from_timeseries`. With
        `labels`: one 4-D image per subject (path, nibabel image, array (x, y, z, time), or a
        function that reads one); the measure is computed per voxel and averaged over each region.
    regions : pandas.DataFrame
        Region table: ``region``, ``network``, optional ``x``, ``y``, ``z``; with `labels` also
        ``label``, the value of the region in the label image.
    kind : {"alff", "falff", "reho"}, default "alff"
        ``alff``: twice the mean of the square root of the periodogram in the band, as in XCP-D.
        ``falff``: sum of the square root of the periodogram in the band, divided by its sum over
        all frequencies. ``reho``: Kendall's W of a voxel and its 26 neighbours, as in AFNI's
        3dReHo; needs images.
    tr : float or mapping of str to float, optional
        Repetition time in seconds, of all subjects or by subject; required for series. For images,
        it is read from ``RepetitionTime`` of the JSON sidecar (which may lie in a folder above, as
        in BIDS) and from the header. A sidecar and a header that contradict each other are refused,
        except for known faults of headers (exactly 1 s, milliseconds), which are reported; so is a
        value for all subjects that contradicts them. Values by subject overrule both.
    band : tuple of float, default (0.01, 0.08)
        Lower and upper edge in Hz. The data must not be filtered to this band before.
    labels : array, path or nibabel image, optional
        Label image in the space of the images.
    mask : array, path or nibabel image, optional
        Voxels to include, also as neighbours (``reho``). Default: all voxels with a signal.
    min_coverage : float, default 0.5
        Fraction of the voxels of a region that must have a signal. Below it, the region counts as
        missing in this subject.
    scale : {"none", "mean"}, default "none"
        ``mean`` divides by the mean of the subject over all regions (mALFF), which removes
        differences in units between scanners.
    kept_volumes : mapping of str to array of bool, optional
        Masks of volumes by subject, True for retained volumes, if high-motion volumes were
        censored. Series and images may contain all volumes or only the retained ones. Without
        masks, volumes are assumed to be evenly spaced; masks are required for censored series.
    participants : pandas.DataFrame, optional
        Indexed by ``participant_id``; its columns become coordinates of the subjects.
    missing : {"refuse", "drop-regions", "drop-subjects"}, default "refuse"
        See `connectivity_from_timeseries`.
    n_jobs : int, optional
        See `connectivity_from_timeseries`.

    Returns
    -------
    xarray.Dataset
        Feature set with one value per region; the block is the network of the region. The
        coordinate ``repetition_time`` (s) holds what was used for each subject.

    Raises
    ------
    SpecError
        If an option is unknown, `tr` is missing, or the data cannot resolve `band`.
    DataContractError
        If series or images cannot be used, have no place in space, are in another space than the
        labels, have contradictory repetition times, or (for fALFF) were low-pass filtered; or if
        the label image is mirrored. The error lists all problems of all subjects.

    Warns
    -----
    UserWarning
        If the subjects have different repetition times, on which ALFF and fALFF depend, or a
        stated one was overruled.

    See Also
    --------
    connectivity_from_timeseries : Edges from the same series.

    References
    ----------
    .. [1] Zang, Y.-F. et al. (2007). Brain and Development, 29, 83-91 (ALFF).
    .. [2] Zou, Q.-H. et al. (2008). Journal of Neuroscience Methods, 172, 137-141 (fALFF).
    .. [3] Zang, Y. et al. (2004). NeuroImage, 22, 394-400 (ReHo).

    Examples
    --------
    >>> table = pd.DataFrame({"region": ["a", "b"], "network": ["N", "M"]})
    >>> series = np.random.default_rng(0).normal(size=(3, 200, 2))
    >>> features = regional_features(series, table, "falff", tr=2.0)
    >>> features["y"].shape, features["block"].values.tolist()
    ((3, 2), ['N', 'M'])
    """
    _check_options(kind, scale, min_coverage)
    missing = check_missing(missing)
    table = check_regions(regions)
    if labels is None:
        by_subject: Any = named_series(data, participants)
        task: Task = series_task(table, kind, tr, band)
    else:
        by_subject, task = data, image_task(table, kind, tr, band, labels, mask, min_coverage)
    measured = measure_subjects(
        as_recordings(by_subject, kept_volumes, tr),
        tuple(map(str, table["region"])),
        task,
        what="time series" if labels is None else "images",
        label=kind,
        missing=missing,
        n_jobs=n_jobs,
    )
    values = np.stack([own.values for own in measured.values])
    if scale == "mean":
        values = values / values.mean(axis=1, keepdims=True)
    times, facts, notes = describe_repetition_times(
        {s: v.repetition for s, v in zip(measured.subjects, measured.values, strict=True)}
    )
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    kept = table.iloc[measured.kept].reset_index(drop=True)
    out = assemble_regions(
        values,
        measured.subjects,
        kept,
        np.arange(len(kept)),
        kind=kind,
        participants=participants,
        units="ratio to the person's mean" if scale == "mean" else UNITS[kind],
        provenance=provenance_text(
            source="timeseries" if labels is None else "images",
            measure=kind,
            band=None if kind == "reho" else list(band),
            tr=facts.get(REPETITION_TIME),
            scale=scale,
            censored=None if kept_volumes is None else True,
            min_coverage=None if labels is None else min_coverage,
        ),
    )
    if times and REPETITION_TIME not in out.coords:
        seconds = [times.get(str(s), np.nan) for s in out["subject"].values]
        out = out.assign_coords({REPETITION_TIME: ("subject", seconds)})
    return out.assign_attrs(left_out_text(missing, measured.left_out))


def _check_options(kind: str, scale: str, min_coverage: float) -> None:
    for name, value, choices in (
        ("kind", kind, get_args(Kind)),
        ("scale", scale, get_args(Scale)),
    ):
        if value not in choices:
            raise SpecError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
    if not 0 <= min_coverage <= 1:
        raise SpecError(f"min_coverage must be between 0 and 1; got {min_coverage}.")
