"""Provenance of features, stored as JSON text in their attributes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from bayes_mdd.files.regular import open_regular


def file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def inputs_digest(files: Sequence[Path], root: Path) -> str:
    """Compute one SHA-256 of many files: that of the listing ``sha256sum`` writes.

    Parameters
    ----------
    files : sequence of Path
        The files, in any order.
    root : Path
        File names are relative to this folder, so that moving it does not change the digest.

    Returns
    -------
    str
        64 hexadecimal digits; they change with the content or name of any file.
    """
    named = sorted((f.relative_to(root).as_posix(), file_digest(f)) for f in files)
    listing = "".join(f"{digest}  {name}\n" for name, digest in named)
    return hashlib.sha256(listing.encode()).hexdigest()


def provenance_text(**facts: Any) -> str:
    """Format facts about features as JSON, with the version of the package.

    Parameters
    ----------
    **facts
        Values that JSON can represent; None values are omitted.

    Returns
    -------
    str
        The attribute ``provenance`` of a feature set.

    Examples
    --------
    >>> json.loads(provenance_text(source="table", session=None))["source"]
    'table'
    """
    known = {k: v for k, v in facts.items() if v is not None}
    return json.dumps(known | {"version": import_module("bayes_mdd").__version__})


def left_out_text(policy: str, names_by_reason: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Format the excluded subjects or regions as an attribute of the features.

    Parameters
    ----------
    policy : str
        Rule by which they were excluded.
    names_by_reason : mapping of str to sequence of str
        Names of subjects, regions or edges, by reason.

    Returns
    -------
    dict
        ``{"left_out": JSON}``; empty if nothing was excluded.

    Examples
    --------
    >>> left_out_text("drop-subjects", {"no follow-up": ["sub-01"]})
    {'left_out': '{"policy": "drop-subjects", "who": {"no follow-up": ["sub-01"]}}'}
    """
    if not names_by_reason:
        return {}
    names = {str(k): list(map(str, v)) for k, v in names_by_reason.items()}
    return {"left_out": json.dumps({"policy": policy, "who": names})}


def extend_provenance(text: object, **facts: Any) -> str:
    """Add facts to a provenance text; text that is not JSON is kept under ``source``.

    Parameters
    ----------
    text : object
        The attribute ``provenance``; may be None.
    **facts
        Facts to add.

    Returns
    -------
    str
        JSON text.
    """
    try:
        known = json.loads(str(text)) if text else {}
    except json.JSONDecodeError:
        known = {"source": str(text)}
    if not isinstance(known, dict):
        known = {"source": known}
    return json.dumps(known | facts)
