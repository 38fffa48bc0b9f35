"""What is known about the recordings of all subjects before they are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.measures.amplitude import check_band
from bayes_mdd.features.repetition_time import RepetitionTime

#: Mask of the volumes of a subject, True for retained ones; None if no volumes were censored.
type Volumes = npt.NDArray[np.bool_] | None


@dataclass(frozen=True, eq=False)
class Recording:
    """What is known about the recording of one subject before it is measured.

    Parameters
    ----------
    data : array, image or callable
        Series or image.
    kept : numpy.ndarray of bool or None
        Mask of the volumes, True for retained ones.
    tr : float or None
        Repetition time in seconds, as given by the caller.
    overrule : bool
        Whether `tr` was given for this subject and is used whatever its files state.
    """

    data: Any
    kept: Volumes = None
    tr: float | None = None
    overrule: bool = False


@dataclass(frozen=True, eq=False)
class RegionalValues:
    """Measure of one subject, and the repetition time it rests on.

    Parameters
    ----------
    values : numpy.ndarray, shape (region,)
        One value per region.
    repetition : RepetitionTime
        Used, or known.
    """

    values: Floats
    repetition: RepetitionTime


def as_recordings(
    data: Any,
    kept: Mapping[str, npt.ArrayLike] | None,
    tr: float | Mapping[str, float] | None = None,
) -> dict[str, Recording]:
    """Combine the data of each subject with the mask of volumes and the repetition time.

    Parameters
    ----------
    data : mapping
        Series or images by subject.
    kept : mapping or None
        Masks by subject, True for retained volumes.
    tr : float, mapping of str to float, or None
        Repetition time in seconds, of all subjects or by subject.

    Returns
    -------
    dict
        Recording by subject.

    Raises
    ------
    DataContractError
        If a subject has no mask or repetition time, or a mask is not a one-dimensional array of
        bool.
    """
    if not isinstance(data, Mapping):
        raise DataContractError("images", ["expected a mapping from subject to 4-D image."])
    by_subject = {str(k): v for k, v in data.items()}
    overrule = isinstance(tr, Mapping)
    times = _times_by_subject(tr, by_subject)
    if kept is None:
        return {k: Recording(v, None, times[k], overrule) for k, v in by_subject.items()}
    masks = {str(k): np.asarray(v) for k, v in kept.items()}
    absent = [k for k in by_subject if k not in masks]
    invalid = [k for k, v in masks.items() if v.dtype != bool or v.ndim != 1]
    problems = []
    if absent:
        problems.append(
            f"no mask of volumes for {some(absent)}: pass one mask per participant, True for "
            "retained volumes."
        )
    if invalid:
        problems.append(
            f"the mask of {some(invalid)} is not a one-dimensional array of bool: expected one "
            "value per volume."
        )
    if problems:
        raise DataContractError("kept volumes", problems)
    return {k: Recording(v, masks[k], times[k], overrule) for k, v in by_subject.items()}


def _times_by_subject(
    tr: float | Mapping[str, float] | None, subjects: Iterable[str]
) -> dict[str, float | None]:
    if not isinstance(tr, Mapping):
        return dict.fromkeys(subjects, tr)
    given = {str(k): v for k, v in tr.items()}
    absent = [s for s in subjects if s not in given]
    if absent:
        raise DataContractError(
            "tr", [f"no repetition time for {some(absent)}: pass one per participant."]
        )
    return {s: given[s] for s in subjects}


def check_times(tr: float | Mapping[str, float] | None, band: tuple[float, float]) -> None:
    """Check repetition times given by the caller.

    Parameters
    ----------
    tr : float, mapping of str to float, or None
        Repetition time in seconds; None is accepted.
    band : tuple of float
        Lower and upper edge in Hz.

    Raises
    ------
    SpecError
        If a repetition time is not positive, or the band exceeds its Nyquist frequency.
    """
    for value in [] if tr is None else tr.values() if isinstance(tr, Mapping) else [tr]:
        check_band(value, band)
