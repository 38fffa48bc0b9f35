"""What is withheld from files that are meant to be shared: participants, commands and folders."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from bayes_mdd.dims import SUBJECT
from bayes_mdd.features import Quality
from bayes_mdd.results.result import Result

#: Parts of a provenance that are never shared: who was left out, what was noted about single files,
#: and the command line.
PRIVATE_KEYS: Final = (
    *("command", "excluded", "quality"),
    *("without_features", "participants_notes", "notes"),
)
#: What precedes an id in a sentence, and follows it, where ids are numbers.
_BEFORE_NUMBER: Final = r"(?:(?<=[(,:] )|(?<=\()|(?<=in )|(?<=for )|(?<=and ))"
_AFTER_NUMBER: Final = r"(?=[,;)]|\.(?!\d)| \(| and |$)"
_PATH = re.compile(r"(?<![\w/.:<])(?:~|[A-Za-z]:)?(?:[/\\][\w.+@ -]*[\w.+@-])+[/\\]([\w.+@-]+)")


def list_participants(result: Result, quality: Quality | None = None) -> frozenset[str]:
    """List the ids of everyone a result knows of: fitted, reference, and left out.

    Parameters
    ----------
    result : Result
        A fit.
    quality : Quality, optional
        Quality of the features, where it was not recorded with them.

    Returns
    -------
    frozenset of str
        Participant ids.
    """
    found: set[str] = set()
    for group in result.tree.children.values():
        if SUBJECT in group.coords:
            found |= set(group.coords[SUBJECT].values.astype(str).tolist())
    excluded = result.provenance.get("excluded")
    found |= {str(s) for s in excluded} if isinstance(excluded, Mapping) else set()
    without = result.features.get("without_features")
    found |= set(map(str, without)) if isinstance(without, list) else set()
    facts = result.features.get("quality")
    people = facts.get("people", ()) if isinstance(facts, Mapping) else ()
    found |= {str(row[SUBJECT]) for row in people if isinstance(row, Mapping) and SUBJECT in row}
    if quality is not None and SUBJECT in quality.subjects:
        found |= {str(s) for s in quality.subjects[SUBJECT]}
    return frozenset(s for s in found - public_names(result) if s)


def public_names(result: Result) -> frozenset[str]:
    """List names that results show and that are no ids, although a participant may be called so.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    frozenset of str
        Values of all coordinates but those of participants: factors, arms, networks, regions, ...
    """
    found: set[str] = set()
    for group in result.tree.children.values():
        for coordinate in group.coords.values():
            if SUBJECT not in coordinate.dims and coordinate.dtype.kind in "OUST":
                found |= {str(v) for v in coordinate.values.ravel()}
    return frozenset(found)


def withhold(text: str, participants: Collection[str]) -> str:
    """Replace the ids of participants in a sentence by their number, and paths by file names.

    Parameters
    ----------
    text : str
        A sentence, for example the advice of a check.
    participants : collection of str
        Their ids.

    Returns
    -------
    str
        The sentence without ids and folders.

    Examples
    --------
    >>> withhold("Motion is high in sub-01, sub-02 and 3 more.", ["sub-01", "sub-02"])
    'Motion is high in 5 participants.'
    >>> withhold("Read /srv/atlases/atlas.tsv.", [])
    'Read atlas.tsv.'
    """
    text = _PATH.sub(r"\1", text)
    words = sorted((p for p in participants if not p.isdigit()), key=len, reverse=True)
    numbers = sorted((p for p in participants if p.isdigit()), key=len, reverse=True)
    kinds = []
    if words:
        kinds.append(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, words))})(?![A-Za-z0-9])")
    if numbers:
        kinds.append(rf"{_BEFORE_NUMBER}(?:{'|'.join(numbers)}){_AFTER_NUMBER}")
    if not kinds:
        return text
    one = f"(?:{'|'.join(kinds)})"
    text = re.sub(rf" \({one}\)", "", text)
    return re.sub(rf"({one}(?:(?:, | and ){one})*)(?: and (\d+) more)?", _count, text)


def _count(match: re.Match[str]) -> str:
    n = len(re.split(", | and ", match[1])) + int(match[2] or 0)
    return "one participant" if n == 1 else f"{n} participants"


def withhold_notes(notes: Any, participants: Collection[str]) -> Any:
    """Leave participants, the command line and folders out of a provenance.

    Parameters
    ----------
    notes : object
        Values that JSON can represent.
    participants : collection of str
        Ids.

    Returns
    -------
    object
        The same without private keys; lists and keys that name participants become their number.
    """
    ids = frozenset(participants)
    if isinstance(notes, Mapping):
        kept = {k: v for k, v in notes.items() if str(k) not in PRIVATE_KEYS}
        named = [k for k in kept if _is_id(str(k), ids, len(kept))]
        shown = {
            withhold(str(k), ids): withhold_notes(v, ids) for k, v in kept.items() if k not in named
        }
        return shown | ({"participants": f"{len(named)} (names withheld)"} if named else {})
    if isinstance(notes, list | tuple):
        if notes and all(str(x) in ids for x in notes):
            return f"{len(notes)} participant{'s' if len(notes) > 1 else ''} (names withheld)"
        return [withhold_notes(x, ids) for x in notes]
    if not isinstance(notes, str):
        return notes
    if notes[:1] in ("{", "["):
        try:
            return json.dumps(withhold_notes(json.loads(notes), ids))
        except ValueError:
            pass
    return withhold(notes, ids)


def withhold_content(content: Any, participants: Collection[str]) -> Any:
    """Leave participants and folders out of everything that a page shows.

    Parameters
    ----------
    content : object
        Texts in mappings, lists, tuples, and the pictures and tables of a page; other values stay.
    participants : collection of str
        Ids.

    Returns
    -------
    object
        The same with `withhold` applied to every text.
    """
    if isinstance(content, Mapping):
        return {k: withhold_content(v, participants) for k, v in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(withhold_content(v, participants) for v in content)
    if is_dataclass(content) and not isinstance(content, type):
        texts = [f.name for f in fields(content) if f.metadata.get("text", True)]
        changed = {t: withhold_content(getattr(content, t), participants) for t in texts}
        return replace(content, **changed)
    return withhold(content, participants) if isinstance(content, str) else content


def _is_id(key: str, ids: frozenset[str], n_keys: int) -> bool:
    """Whether a key names a participant; a single number may be a key of another kind."""
    return key in ids and (not key.isdigit() or n_keys > 1)


def share_provenance(result: Result) -> str:
    """Write the provenance of a fit for files that are shared.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    str
        JSON without participants, command line and folders.
    """
    return json.dumps(withhold_notes(dict(result.provenance), list_participants(result)))
