"""Files of other tools by their names: key-value entities, suffix, whose they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ENTITY = re.compile(r"([A-Za-z]+)-([A-Za-z0-9+]+)")
_PREFIXED = re.compile(r"(?<![a-z]-)sub-([A-Za-z0-9]+)")
_PERSON = re.compile(r"(?:sub|ses)-[A-Za-z0-9]+")
#: Key under which the whole name of a file without entities is asked for.
NAME = "name"
#: Tools changed the words, not what they mean: XCP-D wrote ``atlas``, then ``seg``, then ``atlas``.
_SAME_KEY = {"seg": "atlas", "measure": "stat", "segmentation": "atlas"}
_SAME_SUFFIX = {"conmat": "relmat"}


@dataclass(frozen=True, eq=False)
class FileName:
    """What the name of a file says.

    Parameters
    ----------
    path : Path
        The file.
    entities : mapping of str to str
        Key-value pairs; ``seg`` is kept as ``atlas`` and ``measure`` as ``stat``. ``sub`` and
        ``ses`` may come from the folders.
    suffix : str
        Last word before the extension, empty where it is a pair.
    extension : str
        From the first dot that ends the name on, e.g. ``.nii.gz``.
    """

    path: Path
    entities: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    extension: str = ""

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return self.path.name.removesuffix(self.extension)

    @property
    def person(self) -> str:
        """The id: ``sub-XX`` where there is one, else the name without its extension."""
        if "sub" in self.entities:
            return f"sub-{self.entities['sub']}"
        return self.stem


def parse_name(path: Path, root: Path | None = None) -> FileName:
    """Read the entities of one file name.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    root : Path, optional
        Folders below it may name the person and the session.

    Returns
    -------
    FileName
        Nothing is assumed about which entities there are or in which order.

    Examples
    --------
    >>> name = parse_name(Path("sub-01/func/sub-01_task-rest_seg-4S_measure-pearson_conmat.tsv"))
    >>> name.entities
    {'sub': '01', 'task': 'rest', 'atlas': '4S', 'stat': 'pearson'}
    >>> name.suffix, name.extension
    ('relmat', '.tsv')
    """
    stem, extension = _split(path.name)
    entities: dict[str, str] = {}
    folders = path.parent if root is None else _below(path.parent, root)
    for part in folders.parts:
        if _PERSON.fullmatch(part):
            key, value = part.split("-", 1)
            entities[key] = value
    # What follows a dot is the history of the file (DSI Studio: sub-01.src.gz.count), no value.
    *parts, last = stem.split(".")[0].split("_")
    for part in (*parts, last):
        if match := _ENTITY.fullmatch(part):
            key = _SAME_KEY.get(match[1], match[1])
            # Where a name has both (a 4S atlas with its segmentation), the first one counts.
            if key not in entities or key in ("sub", "ses"):
                entities[key] = match[2]
    # SPM and CAT put letters before a name (mwp1sub-01.nii).
    if "sub" not in entities and (match := _PREFIXED.search(stem)):
        entities["sub"] = match[1]
    suffix = "" if _ENTITY.fullmatch(last) else last
    return FileName(path, entities, _SAME_SUFFIX.get(suffix, suffix), extension)


def _below(folder: Path, root: Path) -> Path:
    try:
        return folder.relative_to(root)
    except ValueError:
        return Path(folder.name)


def _split(name: str) -> tuple[str, str]:
    """Cut off the extension: known double ones, else what follows the last dot."""
    match = re.search(
        r"(\.(?:pconn|ptseries|pscalar|dlabel|dscalar|dtseries)\.nii|\.nii\.gz|\.connectivity\.mat"
        r"|\.(?:tsv|csv|txt)\.gz|\.[A-Za-z0-9]{1,5})$",
        name,
    )
    return (name[: match.start()], match.group()) if match else (name, "")


def scan(folder: Path) -> list[FileName]:
    """List the files of a folder and its subfolders, or the one file given.

    Parameters
    ----------
    folder : Path
        A folder or a file.

    Returns
    -------
    list of FileName
        Sorted by path. Dangling links (an annex whose content is elsewhere) are listed; hidden
        files and folders are not (among them the ``._`` files that macOS leaves).
    """
    if not folder.is_dir():
        return [parse_name(folder, folder.parent)]
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [Path(where) / f for f in files if not f.startswith(".")]
    return [parse_name(path, folder) for path in sorted(found)]


def matching(names: Iterable[FileName], wanted: Mapping[str, str | None]) -> list[FileName]:
    """Keep the files whose entities are as wanted.

    Parameters
    ----------
    names : iterable of FileName
        The files.
    wanted : mapping of str to str or None
        Value by key; None asks for files without that key. ``name`` is the name of the file
        without its extension, for files without entities (``con_0001``).

    Returns
    -------
    list of FileName
        In the same order.
    """
    plain = {
        _SAME_KEY.get(key, key): None if value is None else str(value).removeprefix(f"{key}-")
        for key, value in wanted.items()
    }
    name = plain.pop(NAME, None)
    fitting = [n for n in names if name is None or n.stem == name]
    return [n for n in fitting if all(n.entities.get(k) == v for k, v in plain.items())]


def differences(names: Sequence[FileName]) -> dict[str, list[str]]:
    """Say in which entities files differ.

    Parameters
    ----------
    names : sequence of FileName
        Two or more files.

    Returns
    -------
    dict
        Key to the values found, ``none`` where a file lacks the key.

    Examples
    --------
    >>> files = [Path("sub-1_relmat.tsv"), Path("sub-1_desc-100volumes_relmat.tsv")]
    >>> differences([parse_name(f) for f in files])
    {'desc': ['100volumes', 'none']}
    """
    keys = list(dict.fromkeys(k for n in names for k in n.entities))
    values = {k: sorted({n.entities.get(k, "none") for n in names}) for k in keys}
    found = {k: v for k, v in values.items() if len(v) > 1}
    stems = sorted({n.stem for n in names})
    return found or ({NAME: stems} if len(stems) > 1 else {})
