"""Content of folders for the study of stops: what is equal apart from times, and what is left."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

#: Keys of JSON files and attributes that state when, how long and where something was computed.
VOLATILE = re.compile(
    r"started|finished|seconds|duration|sampling_time|_time$|created|machine|command|sha256_of_run"
)
#: The same in texts: times of day, dates, durations.
TIMES = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?([+-]\d\d:\d\d|Z)?|\d+(\.\d+)? s\b"
    rb"|seconds\.\w+</th>\s*<td[^>]*>[\d.]+"
)
SHARED = Path("/dev/shm")
#: Texts in which times are left out.
TEXTS = {".html", ".md", ".txt", ".yaml", ".svg"}


def content(work: Path) -> dict[str, str]:
    """Digest every file below a folder; folders that are empty count as well."""
    found = {}
    for path in sorted(work.rglob("*")):
        name = path.relative_to(work).as_posix()
        if path.is_file():
            found[name] = digest(path)
        elif not any(path.iterdir()):
            found[f"{name}/"] = ""
    return found


def digest(path: Path) -> str:
    """Text that is equal where the content of two files is, apart from times."""
    try:
        if path.suffix == ".nc":
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                return repr([_group(node) for node in tree.subtree])
        raw = path.read_bytes()
        if path.suffix == ".jsonl":  # the log, which says what happened
            return "log"
        if path.suffix == ".json":
            return json.dumps(_plain(json.loads(raw)))
        return _hash(TIMES.sub(b"TIME", raw)) if path.suffix in TEXTS else _hash(raw)
    except Exception as error:
        return f"unreadable: {error}"


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _group(node: Any) -> Any:
    values = {
        str(name): (v.dims, str(v.dtype), _hash(_bytes(v.values)))
        for name, v in node.variables.items()
    }
    return node.path, values, _plain(dict(node.attrs))


def _bytes(values: Any) -> bytes:
    if values.dtype == object:
        return repr(values.tolist()).encode()
    return np.ascontiguousarray(values).tobytes()


def _plain(value: Any) -> Any:
    """Leave out times, also inside of JSON texts."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return _plain(json.loads(value))
        except ValueError:
            return value
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if not VOLATILE.search(k)}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, str):
        return TIMES.sub(b"TIME", value.encode()).decode()
    return str(value)


def unfinished(now: Mapping[str, str], allowed: list[Mapping[str, str]], when: str) -> list[str]:
    """List files under final names that are neither new and complete nor those of before."""
    return [
        f"half-written {when}: {name}"
        for name, value in now.items()
        if not any(part.startswith(".") for part in name.split("/"))
        and not name.endswith("/")
        and all(value != of.get(name) for of in allowed)
    ]


def compare(work: Path, wanted: Mapping[str, str], processes: list[int]) -> list[str]:
    """List how files differ from those of the undisturbed run, and what else is there."""
    now = content(work)
    faults = [f"missing: {n}" for n in wanted if n not in now]
    faults += [f"left: {n}" for n in now if n not in wanted]
    faults += [f"differs: {n}" for n in wanted if n in now and now[n] != wanted[n]]
    faults += [f"left in tmp: {p.name}" for p in (work.parent / "tmp").iterdir()]
    return faults + [f"left in shared memory: {n}" for n in shared_memory(processes)]


def shared_memory(processes: list[int]) -> list[str]:
    """List shared memory that states one of some processes."""
    if not SHARED.is_dir():
        return []
    wanted = {str(p) for p in processes}
    return [p.name for p in SHARED.iterdir() if wanted & set(re.findall(r"\d+", p.name))]
