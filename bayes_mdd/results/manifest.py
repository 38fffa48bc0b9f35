"""Checksums of the files of a shared run, and an archive of them that is always the same."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path
from typing import Final

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.marks import EXPORT
from bayes_mdd.files.replace import replacing
from bayes_mdd.files.text import read_text

#: Checksums as ``sha256sum`` writes them; ``sha256sum --check manifest.sha256`` reads them.
MANIFEST: Final = "manifest.sha256"
#: Files that the manifest does not list: itself, and the list of files that is written last.
_UNLISTED: Final = (MANIFEST, EXPORT)
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")


def list_checksums(folder: Path) -> dict[str, str]:
    """Compute the checksums of a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    dict of str to str
        SHA-256 by name, relative to `folder`, in order.
    """
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
        if name not in _UNLISTED
    }


def format_manifest(checksums: dict[str, str]) -> str:
    """Write checksums as ``sha256sum`` does.

    Parameters
    ----------
    checksums : dict of str to str
        From `list_checksums`.

    Returns
    -------
    str
        One line per file.
    """
    return "".join(f"{digest}  {name}\n" for name, digest in checksums.items())


def compare_manifest(folder: Path) -> list[tuple[str, str]]:
    """Compare the files of a folder with its manifest.

    Parameters
    ----------
    folder : Path
        A shared run.

    Returns
    -------
    list of (str, str)
        Each file that differs, with what is wrong; empty if all is as it was written.
    """
    try:
        text = read_text(folder / MANIFEST)
    except (UnreadableFileError, OSError):
        return [(MANIFEST, "missing or not readable")]
    stated = {m[2]: m[1] for line in text.splitlines() if (m := _LINE.fullmatch(line))}
    own = list_checksums(folder)
    found = [(name, "missing") for name in stated if name not in own]
    found += [(name, "not in the manifest") for name in own if name not in stated]
    found += [
        (name, "changed since it was written")
        for name in own
        if name in stated and own[name] != stated[name]
    ]
    return sorted(found)


def write_archive(folder: Path, path: Path) -> Path:
    """Pack a folder into a zip file that depends on nothing but its content.

    Parameters
    ----------
    folder : Path
        The folder; its name is the folder in the archive.
    path : Path
        The file; what was there is kept until the new one is complete.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = f"{folder.name}/{file.relative_to(folder).as_posix()}"
            # Without times, owners and permissions of this machine.
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return path
