"""On what a run was computed: system, processor, and the commit of the source code."""

from __future__ import annotations

import json
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

_COMMIT = re.compile(r"[0-9a-f]{40}")
#: Larger files are not those of git.
_LARGEST: Final = 2**22


def describe_machine() -> dict[str, Any]:
    """Describe the system and the processor, without the name of the machine.

    Returns
    -------
    dict
        ``system``, ``processor`` and ``cores``.

    Examples
    --------
    >>> sorted(describe_machine())
    ['cores', 'processor', 'system']
    """
    return {
        "system": f"{platform.system()} {platform.release()}".strip(),
        "processor": _name_processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
    }


def _name_processor() -> str:
    """Model of the processor, where the system states it."""
    text = _read(Path("/proc/cpuinfo"))
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor()


def find_commit(root: Path | None = None) -> str | None:
    """Find the commit of the source code, if it runs from a checkout or was installed from git.

    Parameters
    ----------
    root : Path, optional
        Folder of the checkout; default that of the package.

    Returns
    -------
    str or None
        40 hexadecimal digits.
    """
    checkout = root or Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return _commit_of(checkout / ".git")
    return _commit_of_install()


def _commit_of(folder: Path) -> str | None:
    """Read the commit of a git folder, without git."""
    pointer = re.fullmatch(r"gitdir: (.+)\s*", _read(folder)) if folder.is_file() else None
    if pointer:  # a worktree
        folder = folder.parent / pointer[1].strip()
    head = _read(folder / "HEAD").strip()
    name = head.removeprefix("ref: ")
    common = folder / (_read(folder / "commondir").strip() or ".")
    packed = re.search(
        rf"^([0-9a-f]{{40}}) {re.escape(name)}$", _read(common / "packed-refs"), re.M
    )
    for found in (head, _read(common / name).strip(), packed[1] if packed else ""):
        if _COMMIT.fullmatch(found):
            return found
    return None


def _commit_of_install() -> str | None:
    """Read the commit that pip recorded for an installation from git."""
    try:
        text = distribution("bayes-mdd").read_text("direct_url.json")
        commit = json.loads(text or "{}").get("vcs_info", {}).get("commit_id")
    except (PackageNotFoundError, OSError, ValueError, AttributeError):
        return None
    return commit if isinstance(commit, str) and _COMMIT.fullmatch(commit) else None


def _read(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
