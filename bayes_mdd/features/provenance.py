"""Where features came from, as a JSON text that travels with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any


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
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def inputs_digest(files: Sequence[Path], root: Path) -> str:
    """Compute one SHA-256 for many files: that of the list ``sha256sum`` would write.

    Parameters
    ----------
    files : sequence of Path
        The files, in any order.
    root : Path
        Names are taken relative to it, so that a moved folder keeps its digest.

    Returns
    -------
    str
        64 hexadecimal digits; changes when a file's content or name does.
    """
    named = sorted((f.relative_to(root).as_posix(), file_digest(f)) for f in files)
    listing = "".join(f"{digest}  {name}\n" for name, digest in named)
    return hashlib.sha256(listing.encode()).hexdigest()


def provenance_text(**facts: Any) -> str:
    """Write facts about the features as JSON, with the version of the package.

    Parameters
    ----------
    **facts
        Anything JSON can hold; facts that are None are left out.

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


def left_out_text(policy: str, who: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Write who or what was left out as an attribute of the features.

    Parameters
    ----------
    policy : str
        By which rule.
    who : mapping of str to sequence of str
        Names by reason.

    Returns
    -------
    dict
        ``{"left_out": JSON}``, empty where nothing was.

    Examples
    --------
    >>> left_out_text("drop-people", {"no follow-up": ["sub-01"]})
    {'left_out': '{"policy": "drop-people", "who": {"no follow-up": ["sub-01"]}}'}
    """
    if not who:
        return {}
    held = {str(k): list(map(str, v)) for k, v in who.items()}
    return {"left_out": json.dumps({"policy": policy, "who": held})}


def extend_provenance(text: object, **facts: Any) -> str:
    """Add facts to a provenance text; one that is not JSON is kept under ``source``.

    Parameters
    ----------
    text : object
        The attribute as found, possibly absent.
    **facts
        What to add.

    Returns
    -------
    str
        JSON.
    """
    try:
        known = json.loads(str(text)) if text else {}
    except json.JSONDecodeError:
        known = {"source": str(text)}
    if not isinstance(known, dict):
        known = {"source": known}
    return json.dumps(known | facts)
