"""Selection of files by their BIDS entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from bayes_mdd.features.file_names import (
    FOLDER_KEY,
    KEY_SYNONYMS,
    NAME_KEY,
    FileName,
    list_files,
    parse_name,
)

__all__ = [
    "FOLDER_KEY",
    "NAME_KEY",
    "FileName",
    "differing_entities",
    "filter_files",
    "list_files",
    "parse_name",
]


def filter_files(names: Iterable[FileName], wanted: Mapping[str, str | None]) -> list[FileName]:
    """Select files by their entities.

    Parameters
    ----------
    names : iterable of FileName
        The files.
    wanted : mapping of str to str or None
        Value by key; None selects files without that key. The key ``name`` is the name of the
        file without its extension, for files without entities (``con_0001``, or with ``*`` for
        the part that differs between subjects: ``*_fisherz``). The key ``folder`` is the name of a
        folder above the file.

    Returns
    -------
    list of FileName
        In the same order.
    """
    plain = {
        KEY_SYNONYMS.get(key, key): None if value is None else str(value).removeprefix(f"{key}-")
        for key, value in wanted.items()
    }
    name, folder = plain.pop(NAME_KEY, None), plain.pop(FOLDER_KEY, None)
    named = [n for n in names if name is None or n.stem == name or fnmatchcase(n.stem, name)]
    named = [n for n in named if folder is None or folder in n.path.parent.parts]
    return [n for n in named if all(n.entities.get(k) == v for k, v in plain.items())]


def differing_entities(names: Sequence[FileName]) -> dict[str, list[str]]:
    """Find the entities in which files differ.

    Parameters
    ----------
    names : sequence of FileName
        Two or more files.

    Returns
    -------
    dict
        Values by key; ``none`` where a file lacks the key.

    Examples
    --------
    >>> from pathlib import Path
    >>> files = [Path("sub-1_relmat.tsv"), Path("sub-1_desc-100volumes_relmat.tsv")]
    >>> differing_entities([parse_name(f) for f in files])
    {'desc': ['100volumes', 'none']}
    """
    keys = list(dict.fromkeys(k for n in names for k in n.entities))
    values = {k: sorted({n.entities.get(k, "none") for n in names}) for k in keys}
    found = {k: v for k, v in values.items() if len(v) > 1}
    stems = sorted({n.stem.replace(n.own_id, "*", 1) if n.own_id else n.stem for n in names})
    if not found and len(stems) > 1:
        return {NAME_KEY: stems}
    return found or _differing_folders([n.path.parent for n in names])


def _differing_folders(folders: Sequence[Path]) -> dict[str, list[str]]:
    """Find the first folder by which files of the same name differ."""
    for parts in zip(*(f.parts for f in folders), strict=False):
        if len(set(parts)) > 1:
            return {FOLDER_KEY: sorted(set(parts))}
    return {}
