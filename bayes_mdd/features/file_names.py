"""File names of other tools: BIDS entities, suffix, extension and subject id."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bayes_mdd.features.tool_names import NameParts, ToolName, recognise_tool_name

_ENTITY = re.compile(r"([A-Za-z]+)-([A-Za-z0-9+]+)")
_SUB_ANYWHERE = re.compile(r"(?<![a-z]-)sub-([A-Za-z0-9]+)")
_SUBJECT_OR_SESSION = re.compile(r"(?:sub|ses)-[A-Za-z0-9]+")
#: Key that selects files without entities by their whole name.
NAME_KEY = "name"
#: Key that selects files by a folder above them, for files of the same name.
FOLDER_KEY = "folder"
#: Synonyms: versions of XCP-D wrote ``atlas``, then ``seg``, then ``atlas`` again.
KEY_SYNONYMS = {"seg": "atlas", "measure": "stat", "segmentation": "atlas"}
_SUFFIX_SYNONYMS = {"conmat": "relmat"}


@dataclass(frozen=True, eq=False)
class FileName:
    """A file name and its parts.

    Parameters
    ----------
    path : Path
        The file.
    entities : mapping of str to str
        Key-value pairs; ``seg`` is stored as ``atlas`` and ``measure`` as ``stat``. ``sub`` and
        ``ses`` may come from the folders.
    suffix : str
        Last part before the extension; empty where that part is a key-value pair.
    extension : str
        The extension, e.g. ``.nii.gz``.
    tool : str
        The tool in whose naming scheme the name is, if its files have formats of their own
        (see `recognise_tool_name`); otherwise empty.
    own_id : str
        Subject id that a naming scheme or a pattern found in the name; otherwise empty.
    """

    path: Path
    entities: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    extension: str = ""
    tool: str = ""
    own_id: str = ""

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return self.path.name.removesuffix(self.extension)

    @property
    def subject_id(self) -> str:
        """`own_id`, ``sub-XX`` if the name has this entity, or the name without its extension."""
        if self.own_id:
            return self.own_id
        if "sub" in self.entities:
            return f"sub-{self.entities['sub']}"
        return self.stem


def parse_name(path: Path, root: Path | None = None) -> FileName:
    """Parse a file name.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    root : Path, optional
        Folders below it may give the subject and the session.

    Returns
    -------
    FileName
        Any entities, in any order, are accepted.

    Examples
    --------
    >>> name = parse_name(Path("sub-01/func/sub-01_task-rest_seg-4S_measure-pearson_conmat.tsv"))
    >>> name.entities
    {'sub': '01', 'task': 'rest', 'atlas': '4S', 'stat': 'pearson'}
    >>> name.suffix, name.extension
    ('relmat', '.tsv')
    """
    stem, extension = _split(path.name)
    from_folders: dict[str, str] = {}
    folders = path.parent if root is None else _below(path.parent, root)
    for part in folders.parts:
        if _SUBJECT_OR_SESSION.fullmatch(part):
            key, value = part.split("-", 1)
            from_folders[key] = value
    entities = dict(from_folders)
    # DSI Studio appends the processing history after a dot (sub-01.src.gz.count).
    *parts, last = stem.split(".")[0].split("_")
    for part in (*parts, last):
        if match := _ENTITY.fullmatch(part):
            key = KEY_SYNONYMS.get(match[1], match[1])
            # Where a name has two synonyms (a 4S atlas with its segmentation), the first counts.
            if key not in entities or key in ("sub", "ses"):
                entities[key] = match[2]
    # SPM and CAT add prefixes to names (mwp1sub-01.nii).
    if "sub" not in entities and (match := _SUB_ANYWHERE.search(stem)):
        entities["sub"] = match[1]
    suffix = "" if _ENTITY.fullmatch(last) else last
    suffix = _SUFFIX_SYNONYMS.get(suffix, suffix)
    parts_of_name = NameParts(stem, extension, folders.parts, entities, suffix)
    if scheme := recognise_tool_name(parts_of_name):
        return _in_scheme(path, scheme, extension, entities, from_folders)
    return FileName(path, entities, suffix, extension)


def _in_scheme(
    path: Path,
    scheme: ToolName,
    extension: str,
    entities: Mapping[str, str],
    from_folders: Mapping[str, str],
) -> FileName:
    """Describe a file by the naming scheme of its tool; BIDS ids inside it keep their meaning."""
    if not scheme.subject or _SUB_ANYWHERE.search(scheme.subject):
        own_id, plain = "", entities
    else:
        # Other ids may look like entities (S1-1-0001, MDD-001).
        own_id, plain = scheme.subject, from_folders
    return FileName(
        path, {**plain, **scheme.entities}, scheme.suffix, extension, scheme.tool, own_id
    )


def _below(folder: Path, root: Path) -> Path:
    try:
        return folder.relative_to(root)
    except ValueError:
        return Path(folder.name)


def _split(name: str) -> tuple[str, str]:
    """Split off the extension: known double ones, otherwise the part after the last dot."""
    match = re.search(
        r"(\.(?:pconn|ptseries|pscalar|dlabel|dscalar|dtseries)\.nii|\.nii\.gz|\.connectivity\.mat"
        r"|\.(?:tsv|csv|txt)\.gz|\.[A-Za-z0-9]{1,5})$",
        name,
    )
    return (name[: match.start()], match.group()) if match else (name, "")


def list_files(folder: Path) -> list[FileName]:
    """List the files of a folder and its subfolders, or a single file.

    Parameters
    ----------
    folder : Path
        A folder or a file.

    Returns
    -------
    list of FileName
        Sorted by path. Dangling links are included (annexed files whose content is elsewhere);
        hidden files and folders are not, nor are the ``._`` files of macOS.
    """
    if not folder.is_dir():
        return [parse_name(folder, folder.parent)]
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [Path(where) / f for f in files if not f.startswith(".")]
    return [parse_name(path, folder) for path in sorted(found)]
