"""One value a region from fluctuations: ALFF, fALFF and ReHo, from series or from images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.ndimage import binary_dilation

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features.amplitude import amplitude, check_band, looks_filtered
from bayes_mdd.features.assemble import regional_features as assemble_regions
from bayes_mdd.features.blocks import Index
from bayes_mdd.features.homogeneity import CHUNK, regional_homogeneity
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.people import Measured, Missing, UnusableDataError, measure_people
from bayes_mdd.features.provenance import left_out_text, provenance_text
from bayes_mdd.features.regions import check_regions
from bayes_mdd.features.series import Series, measure_series, named_series
from bayes_mdd.features.volumes import (
    Mask,
    Parcels,
    check_bold,
    locate_parcels,
    open_volume,
    with_signal,
)

Kind = Literal["alff", "falff", "reho"]
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
        measured = _from_series(data, table, participants, kind, tr, band, missing, n_jobs)
    else:
        measured = _from_images(
            data, table, kind, tr, band, labels, mask, min_coverage, missing, n_jobs
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


def _from_series(
    data: Any,
    table: pd.DataFrame,
    participants: pd.DataFrame | None,
    kind: Kind,
    tr: float | None,
    band: tuple[float, float],
    missing: Missing,
    n_jobs: int | None,
) -> Measured:
    if kind == "reho":
        raise SpecError(
            "reho compares neighbouring voxels, which regional series no longer have: give 4-D "
            "images and labels, or read the maps of XCP-D or AFNI."
        )
    check_band(tr, band)
    measure = partial(_amplitude_of, kind=kind, tr=float(tr or 0), band=band)
    names = tuple(map(str, table["region"]))
    series = named_series(data, participants)
    return measure_series(series, names, measure, label=kind, missing=missing, n_jobs=n_jobs)


def _amplitude_of(
    values: Floats, names: tuple[str, ...], *, kind: Kind, tr: float, band: tuple[float, float]
) -> Floats:
    try:
        if kind == "falff" and looks_filtered(values, tr, band):
            raise UnusableDataError([_FILTERED.format(*band)])
        alff, falff = amplitude(values, tr, band)
    except SpecError as error:  # too short to resolve the band
        raise UnusableDataError([str(error)]) from error
    return np.asarray(alff if kind == "alff" else falff, dtype=np.float64)


_FILTERED = (
    "the series hold next to nothing above {1:g} Hz, so they were filtered before; fALFF would be "
    "near 1 whatever the brain does. Take unfiltered series, or kind 'alff'."
)


@dataclass(frozen=True, eq=False)
class _ImageTask:
    """What is done with the image of one person."""

    kind: Kind
    tr: float | None
    band: tuple[float, float]
    parcels: Parcels
    mask: Mask | None
    names: tuple[str, ...]
    min_coverage: float

    def __call__(self, image: Any, kept: Index | None) -> Floats:
        volume = open_volume(image)
        check_bold(volume, self.parcels, self.mask)
        near = self.parcels.position >= 0
        if self.kind == "reho":  # neighbours count wherever they lie
            near = binary_dilation(near, np.ones((3, 3, 3), dtype=bool))
        if self.mask is not None:
            near &= self.mask
        signal = with_signal(volume.values, near)
        if not signal.any():
            raise UnusableDataError(["no voxel of the regions has a signal: is it this atlas?"])
        values = self._map(volume.values, signal, self.tr or volume.tr)
        means, gaps = self.parcels.mean(values, np.isfinite(values), self.min_coverage)
        if kept is not None:
            return means[kept]
        if gaps.size:
            raise UnusableDataError([], [self.names[i] for i in gaps])
        return means

    def _map(self, bold: npt.NDArray[Any], signal: Mask, tr: float | None) -> Floats:
        if self.kind == "reho":
            return regional_homogeneity(bold, signal)
        if tr is None:
            raise UnusableDataError(["the header names no repetition time: give tr (seconds)."])
        try:
            check_band(tr, self.band)
        except SpecError as error:
            raise UnusableDataError([str(error)]) from error
        series = bold[signal]
        parts = [
            _amplitude_of(
                series[i : i + CHUNK].T.astype(np.float64),
                (),
                kind=self.kind,
                tr=tr,
                band=self.band,
            )
            for i in range(0, len(series), CHUNK)
        ]
        values = np.full(signal.shape, np.nan)
        values[signal] = np.concatenate(parts)
        return values


def _from_images(
    data: Any,
    table: pd.DataFrame,
    kind: Kind,
    tr: float | None,
    band: tuple[float, float],
    labels: Any,
    mask: Any,
    min_coverage: float,
    missing: Missing,
    n_jobs: int | None,
) -> Measured:
    if tr is not None and kind != "reho":
        check_band(tr, band)
    if not isinstance(data, Mapping):
        raise DataContractError("images", ["expected a mapping from person to 4-D image."])
    if "label" not in table.columns:
        raise DataContractError(
            "regions table", ["missing column label: the value of each region in the label image."]
        )
    names = tuple(map(str, table["region"]))
    task = _ImageTask(
        kind=kind,
        tr=tr,
        band=band,
        parcels=locate_parcels(labels, table["label"].to_numpy(np.int64), names),
        mask=None if mask is None else np.squeeze(open_volume(mask).values) > 0,
        names=names,
        min_coverage=min_coverage,
    )
    people = {str(k): v for k, v in data.items()}
    return measure_people(
        people, names, task, what="images", label=kind, missing=missing, n_jobs=n_jobs
    )
