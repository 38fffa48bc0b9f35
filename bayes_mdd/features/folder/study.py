"""What a cohort folder says about its study: name, origin of the data, assignment to the arms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bayes_mdd.dims import ARM
from bayes_mdd.files.marks import read_mark

#: Spellings of how participants came to their arm.
_ASSIGNMENTS: Final = {
    "randomised": "randomised",
    "randomized": "randomised",
    "observational": "observational",
}
_SYNTHETIC = re.compile(r"\b(?:simulat|synthetic)", re.IGNORECASE)
#: Longest text that is repeated in reports.
LONGEST: Final = 200


def read_study(folder: str | Path) -> dict[str, Any]:
    """Read the facts about a study that reports repeat.

    Parameters
    ----------
    folder : str or Path
        A cohort folder.

    Returns
    -------
    dict
        Those of the following that are stated: ``name`` (``Name`` of
        ``dataset_description.json``), ``doi`` (``DatasetDOI``), ``synthetic`` (True where ``Name``
        or ``GeneratedBy`` says that the data are simulated or synthetic), ``assignment``
        ("randomised" or "observational", from ``arm`` in ``participants.json``) and ``networks``
        (Levels of ``network`` in ``features/regions.json``). Files that cannot be read state
        nothing.

    Examples
    --------
    >>> read_study("data/demo")["assignment"]  # doctest: +SKIP
    'randomised'
    """
    folder = Path(folder)
    description = read_mark(folder / "dataset_description.json")
    facts = {
        "name": _text(description.get("Name")),
        "doi": _text(description.get("DatasetDOI")),
        "synthetic": _is_synthetic(description) or None,
        "assignment": _read_assignment(read_mark(folder / "participants.json")),
        "networks": _read_levels(read_mark(folder / "features" / "regions.json"), "network"),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _text(value: Any) -> str:
    """One line of limited length; empty for values that are not text."""
    return " ".join(value.split())[:LONGEST] if isinstance(value, str) else ""


def _is_synthetic(description: Mapping[str, Any]) -> bool:
    made_by = description.get("GeneratedBy")
    listed = made_by if isinstance(made_by, list) else []
    tools = [t.get("Name") for t in listed if isinstance(t, Mapping)]
    return any(_SYNTHETIC.search(_text(text)) for text in (description.get("Name"), *tools))


def _read_assignment(sidecar: Mapping[str, Any]) -> str:
    meaning = sidecar.get(ARM)
    stated = meaning.get("Assignment") if isinstance(meaning, Mapping) else None
    return _ASSIGNMENTS.get(_text(stated).lower(), "")


def _read_levels(sidecar: Mapping[str, Any], column: str) -> dict[str, str]:
    """Meaning of the levels of a column, as text."""
    meaning = sidecar.get(column)
    levels = meaning.get("Levels") if isinstance(meaning, Mapping) else None
    if not isinstance(levels, Mapping):
        return {}
    words = {
        str(k): _text(v.get("Description") if isinstance(v, Mapping) else v)
        for k, v in levels.items()
    }
    return {k: v for k, v in words.items() if v}
