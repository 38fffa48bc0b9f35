"""Repetition time of a recording: from its sidecar, its header or the caller, held together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bayes_mdd.errors import some
from bayes_mdd.features.companions import read_sidecar
from bayes_mdd.features.file_names import FileName
from bayes_mdd.features.image_place import stated_units
from bayes_mdd.features.loading import GroupedProblems, UnreadableFileError

#: Name of the subject coordinate, in seconds.
REPETITION_TIME = "repetition_time"
#: Seconds per unit of time of NIfTI and CIFTI headers.
SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
#: Relative difference up to which two repetition times are equal (rounding by scanners).
_TOLERANCE = 0.01
#: Largest plausible repetition time in seconds; larger values are milliseconds.
LONGEST = 60.0


@dataclass(frozen=True)
class RepetitionTime:
    """Repetition time of one recording.

    Parameters
    ----------
    seconds : float or None
        The value to use; None if it is not stated.
    note : str or None
        A source that was overruled, and why.
    problem : str or None
        A contradiction that does not show which source is right.
    """

    seconds: float | None = None
    note: str | None = None
    problem: str | None = None


def header_repetition_time(header: Any) -> float | None:
    """Read the repetition time from the header of a four-dimensional image.

    Parameters
    ----------
    header : nibabel header
        Of a NIfTI image, or of another format with ``get_zooms``.

    Returns
    -------
    float or None
        Seconds; None if the header does not state the value or its unit.
    """
    zooms: tuple[float, ...] = header.get_zooms() if hasattr(header, "get_zooms") else ()
    unit = stated_units(header)[1]
    if len(zooms) < 4 or unit not in SECONDS:
        return None
    seconds = float(zooms[3]) * SECONDS[unit]
    return round(seconds, 6) if math.isfinite(seconds) and seconds > 0 else None


def sidecar_repetition_time(name: FileName) -> float | None:
    """Read the repetition time from the JSON sidecar of a file.

    Parameters
    ----------
    name : FileName
        An image or a table of time series.

    Returns
    -------
    float or None
        ``RepetitionTime``, or 1 / ``SamplingFrequency``; None if no sidecar states one of them.

    Raises
    ------
    UnreadableFileError
        If a sidecar cannot be read, a value is not a positive number, or the two contradict each
        other.
    """
    facts = read_sidecar(name)
    stated = {}
    for key in ("RepetitionTime", "SamplingFrequency"):
        if (value := facts.get(key)) is None or value == "n/a":
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
            raise UnreadableFileError(
                f"the sidecar of {name.path.name} states {key} {value!r}: expected a number above "
                f"0, in {'seconds' if key == 'RepetitionTime' else 'Hz'}."
            )
        stated[key] = float(value) if key == "RepetitionTime" else round(1 / float(value), 6)
    if len(stated) == 2 and not _equal(*stated.values()):
        raise UnreadableFileError(
            f"the sidecar of {name.path.name} contradicts itself: RepetitionTime "
            f"{facts['RepetitionTime']:g} s, SamplingFrequency {facts['SamplingFrequency']:g} Hz. "
            "Correct the wrong one."
        )
    return next(iter(stated.values()), None)


def _equal(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_TOLERANCE)


def combine_repetition_times(
    header: float | None, sidecar: float | None, given: float | None = None
) -> RepetitionTime:
    """Determine the repetition time from all sources, and report contradictions.

    Parameters
    ----------
    header, sidecar : float or None
        Seconds stated by the header and the sidecar of a recording.
    given : float, optional
        Seconds given by the caller, for all recordings.

    Returns
    -------
    RepetitionTime
        The sidecar is used where the header has a known fault: exactly 1 s (written by fMRIPrep
        23.2.0 and other tools instead of the value) or milliseconds labelled as seconds. All other
        contradictions are a problem.

    Examples
    --------
    >>> combine_repetition_times(1.0, 2.0).seconds
    2.0
    >>> combine_repetition_times(2.5, 2.0).problem
    'the sidecar states a repetition time of 2 s, the header 2.5 s: correct the wrong one.'
    """
    stated = _from_files(header, sidecar)
    if given is None:
        return stated
    if sidecar is not None and _equal(given, sidecar):
        return RepetitionTime(given, stated.note or _differs(header, given))
    if header is not None and _equal(given, header):
        return RepetitionTime(given, _differs(sidecar, given, "sidecar"))
    if sidecar is None and (header is None or header == 1.0 or _equal(header, 1000 * given)):
        return RepetitionTime(given, _differs(header, given))
    source, value = ("sidecar", sidecar) if sidecar is not None else ("header", header)
    return RepetitionTime(
        None,
        None,
        f"tr is {given:g} s, but the {source} states a repetition time of {value:g} s: omit tr to "
        "use the stated values, or pass tr as a mapping from participant to seconds to overrule "
        "them.",
    )


def _from_files(header: float | None, sidecar: float | None) -> RepetitionTime:
    if sidecar is None or header is None or _equal(header, sidecar):
        seconds, source = (header, "header") if sidecar is None else (sidecar, "sidecar")
        if seconds is None or seconds <= LONGEST:
            return RepetitionTime(seconds)
        return RepetitionTime(
            None,
            None,
            f"the {source} states a repetition time of {seconds:g} s, which appears to be in "
            "milliseconds: correct it.",
        )
    if header == 1.0:
        return RepetitionTime(
            sidecar,
            f"the header states a repetition time of 1 s, the sidecar {sidecar:g} s; the sidecar "
            "was used, because some tools write 1 to all headers.",
        )
    for small, large, source in ((sidecar, header, "header"), (header, sidecar, "sidecar")):
        if _equal(1000 * small, large):
            return RepetitionTime(
                small,
                f"the {source} states a repetition time of {large:g} s, which appears to be in "
                f"milliseconds; {small:g} s was used.",
            )
    return RepetitionTime(
        None,
        None,
        f"the sidecar states a repetition time of {sidecar:g} s, the header {header:g} s: correct "
        "the wrong one.",
    )


def _differs(value: float | None, used: float, source: str = "header") -> str | None:
    if value is None or _equal(value, used):
        return None
    return f"the {source} states a repetition time of {value:g} s; tr = {used:g} s was used."


def overruled(header: float | None, sidecar: float | None, used: float | None) -> str:
    """Describe stated repetition times that the caller overruled.

    Parameters
    ----------
    header, sidecar : float or None
        Seconds stated by the files.
    used : float or None
        Seconds given by the caller for this recording.

    Returns
    -------
    str
        A note.
    """
    stated = [
        f"{source} {value:g} s"
        for source, value in (("sidecar", sidecar), ("header", header))
        if value is not None
    ]
    return f"tr = {used:g} s was used; stated otherwise ({', '.join(stated)})."


def find_repetition_time(name: FileName, header: float | None) -> RepetitionTime:
    """Determine the repetition time of a file whose measure does not depend on it.

    Parameters
    ----------
    name : FileName
        The file.
    header : float or None
        Seconds stated by its header.

    Returns
    -------
    RepetitionTime
        Without `problem`: contradictions and unreadable sidecars are reported in `note`, and no
        value is used.
    """
    try:
        found = combine_repetition_times(header, sidecar_repetition_time(name))
    except UnreadableFileError as error:
        return RepetitionTime(None, f"the repetition time is not known: {error}")
    if found.problem is None:
        return found
    return RepetitionTime(None, f"the repetition time is not known: {found.problem}")


def describe_repetition_times(
    found: Mapping[str, RepetitionTime],
) -> tuple[dict[str, float], dict[str, Any], list[str]]:
    """Summarise the repetition times of a cohort.

    Parameters
    ----------
    found : mapping of str to RepetitionTime
        By subject.

    Returns
    -------
    values : dict
        Seconds by subject, for those whose value is known.
    facts : dict
        ``repetition_time`` for ``provenance``: the value, or the sorted values if they differ.
    notes : list of str
        Overruled sources, and a note if repetition times differ.
    """
    values = {s: r.seconds for s, r in found.items() if r.seconds is not None}
    overruled = GroupedProblems()
    for subject, repetition in found.items():
        if repetition.note is not None:
            overruled.add(subject, repetition.note)
    notes = overruled.problems()
    groups: dict[float, list[str]] = {}
    for subject, seconds in values.items():
        near = next((g for g in groups if _equal(g, seconds)), seconds)
        groups.setdefault(near, []).append(subject)
    distinct = sorted(groups)
    if len(distinct) > 1:
        listed = "; ".join(f"{g:g} s: {len(groups[g])} ({some(groups[g], 3)})" for g in distinct)
        notes.append(
            f"the participants have {len(distinct)} repetition times ({listed}). They are kept in "
            f"the coordinate {REPETITION_TIME}; control for it or for site, or analyse the groups "
            "separately."
        )
    unknown = [s for s, r in found.items() if s not in values and r.note is None]
    if values and unknown:
        notes.append(f"{some(unknown)}: the repetition time is not stated by header or sidecar.")
    facts = {REPETITION_TIME: distinct[0] if len(distinct) == 1 else distinct} if values else {}
    return values, facts, notes
