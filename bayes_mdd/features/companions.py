"""Files that belong to a data file: confounds, masks, coverage tables, JSON sidecars.

A companion is found by comparing BIDS entities, never by the beginning of a name: the entities
``run-1`` and ``run-10``, or a name with and one without ``acq``, denote different recordings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bayes_mdd.cohort.tables import read_json
from bayes_mdd.errors import DataContractError, UnreadableFileError, some
from bayes_mdd.features.file_names import FileName, parse_name

#: Entities of BIDS that identify a recording. All others describe a file derived from it.
_RECORDING = (
    *("sub", "ses", "sample", "task", "tracksys", "acq", "ce", "trc", "stain", "rec", "dir"),
    *("run", "mod", "echo", "flip", "inv", "mt", "part", "proc", "split", "recording", "chunk"),
)
#: Entities that a companion may lack: echoes and parts of a recording share one companion.
_SHARED_WITHIN = ("echo", "part")
#: Entities whose values are numbers, so that ``run-1`` and ``run-01`` are the same.
_NUMBERED = ("run", "echo", "flip", "inv", "split", "chunk")
#: Entities that say what a file is, which the caller decides.
_CONTENT = ("desc", "stat")


def _value(name: FileName, key: str) -> str | None:
    value = name.entities.get(key)
    if value is not None and key in _NUMBERED and value.isdecimal():
        return str(int(value))
    return value


def same_recording(companion: FileName, name: FileName) -> bool:
    """Test whether a companion file comes from the same recording as a data file.

    Parameters
    ----------
    companion : FileName
        The companion, e.g. a confounds table.
    name : FileName
        The data file.

    Returns
    -------
    bool
        Whether all entities that identify a recording (subject, session, task, acquisition, run,
        ...) are equal. A missing entity equals only a missing one, except that a companion without
        ``echo`` or ``part`` belongs to all echoes and parts.

    Examples
    --------
    >>> image = parse_name(Path("sub-1_task-rest_run-1_space-A_bold.nii.gz"))
    >>> same_recording(parse_name(Path("sub-1_task-rest_run-01_desc-confounds.tsv")), image)
    True
    >>> same_recording(parse_name(Path("sub-1_task-rest_run-10_desc-confounds.tsv")), image)
    False
    """
    same = all(
        _value(companion, k) == _value(name, k)
        or (k in _SHARED_WITHIN and k not in companion.entities)
        for k in _RECORDING
    )
    if "sub" in name.entities:
        return same
    return same and _words(companion) == _words(name)


def _words(name: FileName) -> list[str]:
    """Parts of a name that are no entities, without its suffix: the id in names outside BIDS."""
    *parts, _ = name.stem.split("_")
    return [p for p in parts if "-" not in p and p != "bold"]


def find_companion(
    name: FileName, files: Iterable[FileName], what: str, *, require: Sequence[str] = ()
) -> FileName | None:
    """Find the one file that belongs to a data file.

    Parameters
    ----------
    name : FileName
        The data file.
    files : iterable of FileName
        Candidates of one content, e.g. all confounds tables.
    what : str
        Name of this content in messages, e.g. ``"confounds table"``.
    require : sequence of str
        Further entities that must be equal; other entities (``space``, ``res``, ...) must be equal
        only where both names state them.

    Returns
    -------
    FileName or None
        The companion; None if there is none. Files in the folder of `name` are preferred, then
        those that share more entities with it.

    Raises
    ------
    UnreadableFileError
        If several files belong to it equally well.
    """
    own = [
        c
        for c in files
        if c.path != name.path
        and same_recording(c, name)
        and all(c.entities.get(k) == name.entities.get(k) for k in require)
        and not _contradicts(c, name)
    ]
    near = [c for c in own if c.path.parent == name.path.parent]
    # Without a subject in the names, only the folder tells whose files they are.
    shared = {c: _n_shared(c, name) for c in (near or own if "sub" in name.entities else near)}
    best = [c for c, n in shared.items() if n == max(shared.values())]
    if len(best) > 1:
        raise UnreadableFileError(
            f"{name.path.name}: {len(best)} files could be its {what} "
            f"({some(sorted(c.path.name for c in best), 3)}): expected one. Remove or rename the "
            "others."
        )
    return best[0] if best else None


def _contradicts(companion: FileName, name: FileName) -> bool:
    keys = set(companion.entities) & set(name.entities) - {*_RECORDING, *_CONTENT}
    return any(companion.entities[k] != name.entities[k] for k in keys)


def _n_shared(companion: FileName, name: FileName) -> int:
    keys = set(companion.entities) & set(name.entities) - set(_CONTENT)
    return sum(_value(companion, k) == _value(name, k) for k in keys)


def find_inherited(name: FileName, files: Iterable[FileName], what: str) -> FileName | None:
    """Find the most specific file that applies to a data file and perhaps to others.

    Parameters
    ----------
    name : FileName
        The data file, e.g. a label image.
    files : iterable of FileName
        Candidates, e.g. tables of labels, which images of all resolutions may share.
    what : str
        Name of the content in messages.

    Returns
    -------
    FileName or None
        A file with the same suffix whose entities are among those of `name`.

    Raises
    ------
    UnreadableFileError
        If several are equally specific.
    """
    own = [c for c in files if c.entities and _applies(c, name)]
    best = [c for c in own if len(c.entities) == max(len(o.entities) for o in own)]
    if len(best) > 1:
        raise UnreadableFileError(
            f"{name.path.name}: {len(best)} files could be its {what} "
            f"({some(sorted(c.path.name for c in best), 3)}): expected one."
        )
    return best[0] if best else None


def list_siblings(name: FileName) -> list[FileName]:
    """List the files in the folder of a file, which need not be part of a listed dataset.

    Parameters
    ----------
    name : FileName
        The file.

    Returns
    -------
    list of FileName
        Sorted by name, without hidden files. Subject and session of `name` that its own name does
        not state come from its folders and apply to all files there.
    """
    try:
        paths = sorted(p for p in name.path.parent.iterdir() if not p.name.startswith("."))
    except OSError:
        return []
    stated = parse_name(Path(name.path.name)).entities
    common = {k: v for k, v in name.entities.items() if k in ("sub", "ses") and k not in stated}
    parsed = [parse_name(p, p.parent) for p in paths if p.suffix]
    return [replace(n, entities=common | dict(n.entities)) for n in parsed]


def describe_others(name: FileName, files: Iterable[FileName]) -> str:
    """List candidates of the same subject that belong to other recordings, for messages.

    Parameters
    ----------
    name : FileName
        The data file.
    files : iterable of FileName
        Candidates.

    Returns
    -------
    str
        Text in brackets; empty if the subject has no candidate.
    """
    own = [c for c in files if c.entities.get("sub") == name.entities.get("sub")]
    listed = some(sorted(c.path.name for c in own), 3)
    return f" (of other recordings: {listed})" if own else ""


def read_sidecar(name: FileName) -> dict[str, Any]:
    """Read the JSON metadata of a file, following the inheritance principle of BIDS.

    Parameters
    ----------
    name : FileName
        The data file.

    Returns
    -------
    dict
        Metadata of all sidecars that apply: files of the same suffix whose entities are among
        those of `name`, in its folder and, within a BIDS dataset, in the folders above. A sidecar
        that is nearer or more specific overrides the others. Empty if there is none.

    Raises
    ------
    UnreadableFileError
        If a sidecar is not valid JSON, or two equally specific sidecars contradict each other.
    """
    facts: dict[str, Any] = {}
    rank: dict[str, tuple[tuple[int, int], Path]] = {}
    for level, folder in enumerate(_levels(name)):
        found = sorted((_n_entities(p), p) for p in _sidecars(name, folder))
        for n, path in found:
            for key, value in _read(path).items():
                if key in rank and rank[key][0] == (level, n) and facts[key] != value:
                    raise UnreadableFileError(
                        f"{rank[key][1].name} and {path.name} both apply to {name.path.name} but "
                        f"state different values of {key} ({facts[key]} and {value}): keep the "
                        "right one."
                    )
                facts[key], rank[key] = value, ((level, n), path)
    return facts


def list_sidecars(name: FileName) -> list[Path]:
    """List the JSON files that `read_sidecar` reads.

    Parameters
    ----------
    name : FileName
        The data file.

    Returns
    -------
    list of Path
        Empty if there are none.
    """
    return [path for folder in _levels(name) for path in _sidecars(name, folder)]


def _levels(name: FileName) -> list[Path]:
    """Folders that may hold sidecars, from the root of the dataset to the folder of the file."""
    chain = [name.path.parent, *name.path.parent.parents][:5]
    subject = next((i for i, f in enumerate(chain) if f.name.startswith("sub-")), None)
    return [chain[0]] if subject is None else chain[: subject + 2][::-1]


def _sidecars(name: FileName, folder: Path) -> list[Path]:
    exact, ending = f"{name.stem}.json", f"_{name.suffix}.json"
    bids = "sub" in name.entities and bool(name.suffix)
    try:
        found = [p for p in folder.iterdir() if p.suffix == ".json" and not p.name.startswith(".")]
    except OSError:
        return []
    return [
        p
        for p in found
        if p.name == exact
        or (
            bids
            and (p.name.endswith(ending) or p.name == ending[1:])
            and _applies(parse_name(p, folder), name)
        )
    ]


def _applies(sidecar: FileName, name: FileName) -> bool:
    return sidecar.suffix == name.suffix and all(
        _value(sidecar, k) == _value(name, k) for k in sidecar.entities
    )


def _n_entities(path: Path) -> int:
    return len(parse_name(path, path.parent).entities)


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except DataContractError as error:
        raise UnreadableFileError(f"{path.name}: {' '.join(error.problems)}") from error
