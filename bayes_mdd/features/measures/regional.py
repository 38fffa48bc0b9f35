"""One value a region from fluctuations: ALFF, fALFF and ReHo, from series or from images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.features.assemble import regional_features as assemble_regions
from bayes_mdd.features.measures.regional_tasks import (
    Kind,
    Task,
    image_task,
    series_task,
    with_volumes,
)
from bayes_mdd.features.measures.series import Series, named_series
from bayes_mdd.features.measures.subjects import Missing, measure_people
from bayes_mdd.features.provenance import left_out_text, provenance_text
from bayes_mdd.features.regions import check_regions

Scale = Literal["none", "mean"]
UNITS = {"alff": "signal", "falff": "fraction", "reho": "Kendall's W"}


def regional_features(
    data: Series | Mapping[str, Any],
    regions: pd.DataFrame,
    kind: Kind = "alff",
    *,
    tr: float | None = None,
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
    """Compute one value a region: the amplitude of fluctuations, or their local agreement.

    Parameters
    ----------
    data : mapping of str to array or image, or array
        Without `labels`: regional time series as for `connectivity_from_timeseries`. With
        `labels`: a 4-D image a person (path, nibabel image, array (x, y, z, time), or a function
        that reads one); the value is computed voxel by voxel and averaged over each region.
    regions : pandas.DataFrame
        Region table: ``region``, ``network``, optional ``x``, ``y``, ``z``; with `labels` also
        ``label``, the value of the region in that image.
    kind : {"alff", "falff", "reho"}, default "alff"
        ``alff``: twice the mean of the square root of the periodogram in the band, as XCP-D
        computes it. ``falff``: its sum in the band over that of all frequencies. ``reho``:
        Kendall's W of a voxel and its 26 neighbours, as AFNI's 3dReHo; needs images.
    tr : float, optional
        Seconds between volumes; needed for series, read from the header of images.
    band : tuple of float, default (0.01, 0.08)
        Hz. The series must not have been filtered to it before.
    labels : array, path or nibabel image, optional
        Label image in the space of the images.
    mask : array, path or nibabel image, optional
        Voxels that may be neighbours (``reho``) and count; default all with a signal.
    min_coverage : float, default 0.5
        Share of a region's voxels that must have a signal in a person, else the region is missing.
    scale : {"none", "mean"}, default "none"
        Divide by the person's mean over the regions (mALFF), which takes out units that differ
        between scanners.
    kept_volumes : mapping of str to array of bool, optional
        Which of all volumes were kept (True) where high-motion volumes were censored, a mask a
        person. Series and images may hold all volumes or only the kept ones. Without it,
        volumes are taken to be evenly spaced: never give censored series without it.
    participants : pandas.DataFrame, optional
        Indexed by ``participant_id``; its columns become coordinates of the subjects.
    missing : {"refuse", "drop-regions", "drop-people"}, default "refuse"
        As in `connectivity_from_timeseries`.
    n_jobs : int, optional
        As in `connectivity_from_timeseries`.

    Returns
    -------
    xarray.Dataset
        Feature set with one value a region, the block being its network.

    Raises
    ------
    SpecError
        If an option is unknown, `tr` is missing, or `band` cannot be had from the data.
    DataContractError
        If series or images do not serve, are in another space than the labels, or were low-pass
        filtered before fALFF; all people in one error.

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
    table = check_regions(regions)
    if labels is None:
        people: Any = named_series(data, participants)
        task: Task = series_task(table, kind, tr, band)
    else:
        people, task = data, image_task(table, kind, tr, band, labels, mask, min_coverage)
    measured = measure_people(
        with_volumes(people, kept_volumes),
        tuple(map(str, table["region"])),
        task,
        what="time series" if labels is None else "images",
        label=kind,
        missing=missing,
        n_jobs=n_jobs,
    )
    values = np.stack(measured.values)
    if scale == "mean":
        values = values / values.mean(axis=1, keepdims=True)
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
            tr=None if kind == "reho" else tr,
            scale=scale,
            censored=None if kept_volumes is None else True,
            min_coverage=None if labels is None else min_coverage,
        ),
    )
    return out.assign_attrs(left_out_text(missing, measured.left_out))


def _check_options(kind: str, scale: str, min_coverage: float) -> None:
    for name, value, choices in (
        ("kind", kind, get_args(Kind)),
        ("scale", scale, get_args(Scale)),
    ):
        if value not in choices:
            raise SpecError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
    if not 0 <= min_coverage <= 1:
        raise SpecError(f"min_coverage is a share between 0 and 1; got {min_coverage}.")
