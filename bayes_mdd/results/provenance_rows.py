"""Provenance of a fit for readers: what was analysed with which software, internal keys last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bayes_mdd.results.cohort_facts import list_provenance
from bayes_mdd.results.privacy import list_participants, withhold_notes
from bayes_mdd.results.result import Result
from bayes_mdd.results.study import read_study_facts

#: Keys of the features that readers look for, with the name they are given.
_FEATURES: Final = (
    ("source", "Source of the features"),
    ("pipeline", "Pipeline"),
    ("format", "Format"),
    ("atlas", "Atlas"),
    ("measure", "Measure"),
    ("estimator", "Estimator"),
    ("session", "Session"),
    ("description", "Description of the features"),
)


def list_main_facts(result: Result) -> list[tuple[str, str]]:
    """List what a reader looks for first.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    list of (str, str)
        Dataset, features, atlas, method, seed, versions, commit and machine, as far as they were
        recorded; without participants and folders.
    """
    provenance = withhold_notes(dict(result.provenance), list_participants(result))
    features = withhold_notes(dict(result.features), list_participants(result))
    study = read_study_facts(result)
    rows = [("Dataset", study.name), ("DOI of the dataset", study.doi)]
    rows += [(title, _text(features.get(key))) for key, title in _FEATURES]
    rows += [
        ("Estimand", result.estimand),
        ("Units of the features", result.units),
        ("Reference", result.reference),
        ("Model", result.kind),
        ("Method", result.method),
        ("Sampler", _text(provenance.get("sampler_used"))),
        ("Seed", _text(provenance.get("seed"))),
        ("Started", _text(provenance.get("started"))),
        ("Time", _say_time(provenance.get("seconds"))),
        ("Versions", _join(provenance.get("versions"))),
        ("Commit of bayes-mdd", _text(provenance.get("commit"))),
        ("Machine", _say_machine(provenance.get("machine"))),
        ("Checksum of the inputs (SHA-256)", _text(provenance.get("inputs_sha256"))),
    ]
    return [(name, value) for name, value in rows if value]


def list_internal_facts(result: Result, *, with_participants: bool) -> list[tuple[str, str]]:
    """List everything else that was recorded, by internal key.

    Parameters
    ----------
    result : Result
        A fit.
    with_participants : bool
        Whether the command line, folders and names of participants are shown.

    Returns
    -------
    list of (str, str)
        Dotted key and value.
    """
    known = ("fit.versions", "fit.machine", "fit.commit", "features.study")
    return [
        (key, value)
        for key, value in list_provenance(result, with_participants=with_participants)
        if not key.startswith(known)
    ]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return _join(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _join(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else ""


def _say_time(seconds: Any) -> str:
    total = seconds.get("compile_and_sample") if isinstance(seconds, Mapping) else None
    return f"{float(total):.0f} s" if isinstance(total, int | float) else ""


def _say_machine(machine: Any) -> str:
    if not isinstance(machine, Mapping):
        return ""
    cores = machine.get("cores")
    said = [str(machine.get("system") or ""), str(machine.get("processor") or "")]
    return ", ".join([s for s in said if s] + ([f"{cores} cores"] if cores else []))
