"""What is done with the series or the image of one person to measure fluctuations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import binary_dilation

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.blocks import Index
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.measures.amplitude import amplitude, check_band, looks_filtered
from bayes_mdd.features.measures.homogeneity import CHUNK, regional_homogeneity
from bayes_mdd.features.measures.series import MIN_VOLUMES, OneSeries, chosen_series
from bayes_mdd.features.measures.subjects import UnusableDataError
from bayes_mdd.features.measures.volumes import (
    Mask,
    Parcels,
    check_bold,
    locate_parcels,
    open_volume,
    with_signal,
)

Kind = Literal["alff", "falff", "reho"]
type Volumes = npt.NDArray[np.bool_] | None
type Task = Callable[[tuple[Any, Volumes], Index | None], Floats]


def with_volumes(
    people: Any, kept: Mapping[str, npt.ArrayLike] | None
) -> dict[str, tuple[Any, Volumes]]:
    """Put every person's data beside the mask of volumes.

    Parameters
    ----------
    people : mapping
        Series or images by person.
    kept : mapping or None
        Masks by person, True for volumes that were kept.

    Returns
    -------
    dict
        Pairs by person.

    Raises
    ------
    DataContractError
        If somebody has no mask, or a mask is none.
    """
    if not isinstance(people, Mapping):
        raise DataContractError("images", ["expected a mapping from person to 4-D image."])
    named = {str(k): v for k, v in people.items()}
    if kept is None:
        return {k: (v, None) for k, v in named.items()}
    masks = {str(k): np.asarray(v) for k, v in kept.items()}
    absent = [k for k in named if k not in masks]
    other = [k for k, v in masks.items() if v.dtype != bool or v.ndim != 1]
    problems = []
    if absent:
        problems.append(f"no mask of volumes for {some(absent)}: one a person, True for kept.")
    if other:
        problems.append(f"the mask of {some(other)} is not one True or False a volume.")
    if problems:
        raise DataContractError("kept volumes", problems)
    return {k: (v, masks[k]) for k, v in named.items()}


def _only_kept(values: npt.NDArray[Any], kept: Volumes, axis: int) -> npt.NDArray[Any]:
    """Take the kept volumes, where they are not all there is already."""
    if kept is None:
        return values
    n, most = int(kept.sum()), values.shape[axis]
    if most not in (n, len(kept)):
        raise UnusableDataError(
            [f"{most} volumes, but its mask keeps {n} of {len(kept)}: they do not belong together."]
        )
    if n < MIN_VOLUMES:
        raise UnusableDataError(
            [f"{n} volumes kept: at least {MIN_VOLUMES} are needed; leave the person out."]
        )
    return values if most == n else np.compress(kept, values, axis=axis)


def series_task(
    table: pd.DataFrame, kind: Kind, tr: float | None, band: tuple[float, float]
) -> Task:
    """Prepare what is done with the series of one person.

    Parameters
    ----------
    table : pandas.DataFrame
        Checked region table.
    kind : str
        ``alff`` or ``falff``.
    tr : float or None
        Seconds between volumes.
    band : tuple of float
        Hz.

    Returns
    -------
    callable
        From series, mask and positions of regions to one value a region.

    Raises
    ------
    SpecError
        If `kind` needs images, or `tr` or `band` cannot be.
    """
    if kind == "reho":
        raise SpecError(
            "reho compares neighbouring voxels, which regional series no longer have: give 4-D "
            "images and labels, or read the maps of XCP-D or AFNI."
        )
    check_band(tr, band)
    names = tuple(map(str, table["region"]))
    return partial(_measure_series, names=names, kind=kind, tr=float(tr or 0), band=band)


def _measure_series(
    one: tuple[OneSeries, Volumes],
    regions: Index | None,
    *,
    names: tuple[str, ...],
    kind: Kind,
    tr: float,
    band: tuple[float, float],
) -> Floats:
    series, kept = one
    values = _only_kept(chosen_series(series, names, regions), kept, 0)
    return _amplitude_of(values, kept, kind=kind, tr=tr, band=band)


def _amplitude_of(
    values: Floats, kept: Volumes, *, kind: Kind, tr: float, band: tuple[float, float]
) -> Floats:
    try:
        evenly = kept is None or bool(kept.all())
        if kind == "falff" and evenly and looks_filtered(values, tr, band):
            raise UnusableDataError([_FILTERED.format(*band)])
        alff, falff = amplitude(values, tr, band, kept)
    except SpecError as error:  # too short to resolve the band
        raise UnusableDataError([f"{len(values)} volumes: {error}"]) from error
    return alff if kind == "alff" else falff


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

    def __call__(self, one: tuple[Any, Volumes], regions: Index | None) -> Floats:
        image, kept = one
        volume = open_volume(image)
        check_bold(volume, self.parcels, self.mask)
        near = self.parcels.position >= 0
        if self.kind == "reho":  # neighbours count wherever they lie
            near = binary_dilation(near, np.ones((3, 3, 3), dtype=bool))
        if self.mask is not None:
            near &= self.mask
        bold = _only_kept(volume.values, kept, 3)
        signal = with_signal(bold, near)
        if not signal.any():
            raise UnusableDataError(["no voxel of the regions has a signal: is it this atlas?"])
        values = self._map(bold, signal, self.tr or volume.tr, kept)
        means, gaps = self.parcels.mean(values, np.isfinite(values), self.min_coverage)
        if regions is not None:
            return means[regions]
        if gaps.size:
            raise UnusableDataError([], [self.names[i] for i in gaps])
        return means

    def _map(self, bold: npt.NDArray[Any], signal: Mask, tr: float | None, kept: Volumes) -> Floats:
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
    tr: float | None,
    band: tuple[float, float],
    labels: Any,
    mask: Any,
    min_coverage: float,
) -> Task:
    """Prepare what is done with the image of one person.

    Parameters
    ----------
    table : pandas.DataFrame
        Checked region table with ``label``.
    kind : str
        ``alff``, ``falff`` or ``reho``.
    tr : float or None
        Seconds between volumes; None to read it from the header.
    band : tuple of float
        Hz.
    labels, mask : array, path or nibabel image
        Label image and, if any, brain mask.
    min_coverage : float
        Share of a region's voxels that must have a signal.

    Returns
    -------
    callable
        From image, mask of volumes and positions of regions to one value a region.

    Raises
    ------
    SpecError
        If `tr` or `band` cannot be.
    DataContractError
        If the table does not belong to the label image.
    """
    if tr is not None and kind != "reho":
        check_band(tr, band)
    if "label" not in table.columns:
        raise DataContractError(
            "regions table", ["missing column label: the value of each region in the label image."]
        )
    names = tuple(map(str, table["region"]))
    return _ImageTask(
        kind=kind,
        tr=tr,
        band=band,
        parcels=locate_parcels(labels, table["label"].to_numpy(np.int64), names),
        mask=None if mask is None else np.squeeze(open_volume(mask).values) > 0,
        names=names,
        min_coverage=min_coverage,
    )
