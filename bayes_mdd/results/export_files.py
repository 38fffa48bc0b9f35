"""Files that are written with a sidecar, and replaced only where this package wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bayes_mdd.errors import RunFolderError, some
from bayes_mdd.files.marks import read_mark
from bayes_mdd.files.replace import make_folder, write_text, write_with

#: Labels of region maps that earlier versions wrote by default, and could write.
FORMER_MAPS: Final = ("regionmean", "regionmeanabs")


@dataclass(frozen=True)
class SharedFile:
    """A file to be written, and the content of its sidecar.

    Parameters
    ----------
    name : str
        File name.
    write : callable
        Writes the file to the path that it is given.
    note : dict
        What the sidecar says besides what all sidecars say.
    """

    name: str
    write: Callable[[Path], None]
    note: dict[str, Any]

    @property
    def sidecar(self) -> str:
        """Name of the sidecar."""
        stem = self.name.removesuffix(".gz")
        return stem.rsplit(".", 1)[0] + ".json"


def write_files(
    common: Mapping[str, Any], files: Sequence[SharedFile], folder: Path, *, overwrite: bool
) -> list[Path]:
    """Write files and their sidecars; maps of an earlier export that are outdated are removed.

    Parameters
    ----------
    common : mapping
        What all sidecars say.
    files : sequence of SharedFile
        What to write.
    folder : Path
        Made when it does not exist.
    overwrite : bool
        Whether files of the same names may be replaced.

    Returns
    -------
    list of Path
        Every file, sidecars included.

    Raises
    ------
    RunFolderError
        If a file exists and `overwrite` is False, or is not from this package. Nothing is written
        then.
    """
    names = list(dict.fromkeys(n for f in files for n in (f.name, f.sidecar)))
    existing = [n for n in names if (folder / n).exists()]
    if existing and not overwrite:
        raise RunFolderError(
            f"{folder} already holds {some(existing)}; pass overwrite=True to replace them, "
            "or choose another folder."
        )
    foreign = [n for f in files for n in _foreign(folder, f)]
    if foreign:
        raise RunFolderError(
            f"{folder} holds {some(foreign)}, which bayes-mdd did not write and does not replace: "
            "choose another folder, or move the files away."
        )
    make_folder(folder)
    for file in files:
        # The sidecar is first: it marks the file as one that may be replaced.
        note = json.dumps({**common, **file.note}, indent=2, ensure_ascii=False)
        write_text(folder / file.sidecar, note + "\n")
        write_with(folder / file.name, file.write)
    _remove_former(folder, set(names))
    return [folder / n for n in names]


def _foreign(folder: Path, file: SharedFile) -> list[str]:
    """List files of these names that this package did not write, which the sidecar tells."""
    made_by = read_mark(folder / file.sidecar).get("GeneratedBy")
    entries = made_by if isinstance(made_by, list) else []
    if any(isinstance(entry, dict) and entry.get("Name") == "bayes-mdd" for entry in entries):
        return []
    return [n for n in (file.name, file.sidecar) if (folder / n).exists()]


def _remove_former(folder: Path, kept: set[str]) -> None:
    """Remove maps that an earlier export to this folder wrote and that no longer belong to it.

    These are maps of factors that are not used any more, and region maps of the former default
    where others are written.
    """
    factors = {name.split("_")[0] for name in kept}
    images = any(name.endswith("_statmap.json") for name in kept)
    former = tuple(f"_stat-{label}_statmap.json" for label in FORMER_MAPS) if images else ()
    for sidecar in folder.glob("factor-*_*.json"):
        known = sidecar.name.split("_")[0] in factors and not sidecar.name.endswith(former)
        if sidecar.name in kept or known:
            continue
        try:
            note = json.loads(sidecar.read_text(encoding="utf-8"))
            own = note["GeneratedBy"][0]["Name"] == "bayes-mdd"
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if own:
            for ending in (".json", ".tsv", ".nii.gz", ".node", ".edge"):
                sidecar.with_name(sidecar.stem + ending).unlink(missing_ok=True)
