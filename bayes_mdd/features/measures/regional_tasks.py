"""ALFF, fALFF and ReHo of one subject, from time series or from an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import binary_dilation

from bayes_mdd.errors import DataContractError, SpecError, UnreadableFileError
from bayes_mdd.features.blocks import Index
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.measures.amplitude import amplitude, check_band, looks_filtered
from bayes_mdd.features.measures.homogeneity import CHUNK, regional_homogeneity
from bayes_mdd.features.measures.recordings import (
    Recording,
    RegionalValues,
    Volumes,
    check_times,
)
from bayes_mdd.features.measures.series import MIN_VOLUMES, select_series
from bayes_mdd.features.measures.subjects import UnusableDataError
from bayes_mdd.features.measures.volumes import (
    SAME_SPACE,
    Mask,
    Parcels,
    Volume,
    check_bold,
    locate_parcels,
    open_volume,
    with_signal,
)
from bayes_mdd.features.repetition_time import (
    RepetitionTime,
    combine_repetition_times,
    find_repetition_time,
    overruled,
    sidecar_repetition_time,
)
from bayes_mdd.features.sides import stated_sides

Kind = Literal["alff", "falff", "reho"]
#: Function of the recording of a subject and of the positions of the regions to use (None: all
#: regions) that returns the measure.
type Task = Callable[[Recording, Index | None], RegionalValues]


def _select_kept(values: npt.NDArray[Any], kept: Volumes, axis: int) -> npt.NDArray[Any]:
    """Select the retained volumes, unless the data contain only these."""
    if kept is None:
        return values
    n_kept, n = int(kept.sum()), values.shape[axis]
    if n not in (n_kept, len(kept)):
        raise UnusableDataError(
            [f"{n} volumes, but the mask keeps {n_kept} of {len(kept)}: check the mask."]
        )
    if n_kept < MIN_VOLUMES:
        raise UnusableDataError(
            [
                f"{n_kept} volumes remain: at least {MIN_VOLUMES} are needed; exclude the "
                "participant."
            ]
        )
    return values if n == n_kept else np.compress(kept, values, axis=axis)


def series_task(
    table: pd.DataFrame,
    kind: Kind,
    tr: float | Mapping[str, float] | None,
    band: tuple[float, float],
) -> Task:
    """Build the function that measures the series of one subject.

    Parameters
    ----------
    table : pandas.DataFrame
        Checked region table.
    kind : str
        ``alff`` or ``falff``.
    tr : float or mapping of str to float
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.

    Returns
    -------
    callable
        See `Task`.

    Raises
    ------
    SpecError
        If `kind` needs images, or `tr` or `band` is invalid.
    """
    if kind == "reho":
        raise SpecError(
            "kind='reho' cannot be computed from regional time series; it needs voxels. Pass 4-D "
            "images and labels, or read the maps of XCP-D or AFNI."
        )
    check_times(tr, band)
    if tr is None:
        check_band(tr, band)
    names = tuple(map(str, table["region"]))
    return partial(_measure_series, names=names, kind=kind, band=band)


def _measure_series(
    recording: Recording,
    regions: Index | None,
    *,
    names: tuple[str, ...],
    kind: Kind,
    band: tuple[float, float],
) -> RegionalValues:
    tr, kept = float(recording.tr or 0), recording.kept
    values = _select_kept(select_series(recording.data, names, regions), kept, 0)
    found = _amplitude_of(values, kept, kind=kind, tr=tr, band=band)
    return RegionalValues(found, RepetitionTime(tr))


def _amplitude_of(
    values: Floats, kept: Volumes, *, kind: Kind, tr: float, band: tuple[float, float]
) -> Floats:
    try:
        even = kept is None or bool(kept.all())
        if kind == "falff" and even and looks_filtered(values, tr, band):
            raise UnusableDataError([_FILTERED.format(*band)])
        alff, falff = amplitude(values, tr, band, kept)
    except SpecError as error:  # the series is too short to resolve the band
        raise UnusableDataError([f"{len(values)} volumes: {error}"]) from error
    return alff if kind == "alff" else falff


_FILTERED = (
    "the series have almost no power above {1:g} Hz: they were low-pass filtered, which makes "
    "fALFF close to 1 in all regions. Use unfiltered series, or kind='alff'."
)


@dataclass(frozen=True, eq=False)
class _ImageTask:
    """Measures the image of one subject; see `Task`."""

    kind: Kind
    band: tuple[float, float]
    parcels: Parcels
    mask: Mask | None
    names: tuple[str, ...]
    min_coverage: float

    def __call__(self, recording: Recording, regions: Index | None) -> RegionalValues:
        kept = recording.kept
        volume = open_volume(recording.data)
        check_bold(volume, self.parcels, self.mask)
        repetition = self._repetition_time(volume, recording)
        included = self.parcels.position >= 0
        if self.kind == "reho":  # neighbours outside of the regions count as well
            included = binary_dilation(included, np.ones((3, 3, 3), dtype=bool))
        if self.mask is not None:
            included &= self.mask
        bold = _select_kept(volume.values, kept, 3)
        signal = with_signal(bold, included)
        if not signal.any():
            raise UnusableDataError(
                ["no voxel of the regions has a signal: check that the atlas fits the image."]
            )
        values = self._map(bold, signal, repetition.seconds, kept)
        means, gaps = self.parcels.mean(values, np.isfinite(values), self.min_coverage)
        if regions is not None:
            return RegionalValues(means[regions], repetition)
        if gaps.size:
            raise UnusableDataError([], [self.names[i] for i in gaps])
        return RegionalValues(means, repetition)

    def _repetition_time(self, volume: Volume, recording: Recording) -> RepetitionTime:
        """Hold sidecar, header and caller together; ReHo does not depend on the result."""
        if self.kind == "reho" and recording.tr is None:
            if volume.name is None:
                return RepetitionTime(volume.tr)
            return find_repetition_time(volume.name, volume.tr)
        try:
            sidecar = None if volume.name is None else sidecar_repetition_time(volume.name)
        except UnreadableFileError as error:
            if not recording.overrule:
                raise UnusableDataError([str(error)]) from error
            sidecar = None
        found = combine_repetition_times(volume.tr, sidecar, recording.tr)
        if found.problem is not None and not recording.overrule:
            raise UnusableDataError([found.problem])
        if found.problem is not None:
            return RepetitionTime(recording.tr, overruled(volume.tr, sidecar, recording.tr))
        return found

    def _map(self, bold: npt.NDArray[Any], signal: Mask, tr: float | None, kept: Volumes) -> Floats:
        if self.kind == "reho":
            return regional_homogeneity(bold, signal)
        if tr is None:
            raise UnusableDataError(
                [
                    "the header states no repetition time, and there is no JSON sidecar that does: "
                    "pass tr (in seconds), or write RepetitionTime to the sidecar."
                ]
            )
        try:
            check_band(tr, self.band)
        except SpecError as error:
            raise UnusableDataError([str(error)]) from error
        series = bold[signal]
        parts = [
            _amplitude_of(
                series[i : i + CHUNK].T.astype(np.float64),
                kept,
                kind=self.kind,
                tr=tr,
                band=self.band,
            )
            for i in range(0, len(series), CHUNK)
        ]
        values = np.full(signal.shape, np.nan)
        values[signal] = np.concatenate(parts)
        return values


def image_task(
    table: pd.DataFrame,
    kind: Kind,
    tr: float | Mapping[str, float] | None,
    band: tuple[float, float],
    labels: Any,
    mask: Any,
    min_coverage: float,
) -> Task:
    """Build the function that measures the image of one subject.

    Parameters
    ----------
    table : pandas.DataFrame
        Checked region table with ``label``.
    kind : str
        ``alff``, ``falff`` or ``reho``.
    tr : float, mapping of str to float, or None
        Repetition time in seconds; None to read it from sidecar and header.
    band : tuple of float
        Lower and upper edge in Hz.
    labels, mask : array, path or nibabel image
        Label image and brain mask; `mask` may be None.
    min_coverage : float
        Fraction of the voxels of a region that must have a signal.

    Returns
    -------
    callable
        See `Task`.

    Raises
    ------
    SpecError
        If `tr` or `band` is invalid.
    DataContractError
        If the table does not match the label image.
    """
    if kind != "reho":
        check_times(tr, band)
    if "label" not in table.columns:
        raise DataContractError(
            "regions table", ["missing column label: the value of each region in the label image."]
        )
    names = tuple(map(str, table["region"]))
    try:
        inside = None if mask is None else open_volume(mask)
    except UnusableDataError as error:
        raise DataContractError("mask", list(error.problems)) from error
    parcels = locate_parcels(labels, table["label"].to_numpy(np.int64), names, stated_sides(table))
    if inside is not None and inside.affine is not None and parcels.affine is not None:
        gap = float(np.abs(inside.affine - parcels.affine).max())
        if gap > SAME_SPACE:
            raise DataContractError(
                "mask",
                [
                    f"the affines of mask and label image differ (by up to {gap:.3g}): resample "
                    "the mask to the label image (nearest neighbour)."
                ],
            )
    return _ImageTask(
        kind=kind,
        band=band,
        parcels=parcels,
        mask=None if inside is None else np.squeeze(inside.values) > 0,
        names=names,
        min_coverage=min_coverage,
    )
