"""Checks of the installation: every check runs, whatever the others find.

Nothing heavy is imported at the top, so that a broken dependency is reported instead of ending the
command.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import bayes_mdd
from bayes_mdd.caches import temporary_caches
from bayes_mdd.cli import shipped

DISTRIBUTION = "bayes-mdd"
#: Newest Python that pyproject.toml names.
NEWEST_PYTHON = (3, 14)
#: Modules whose name is not that of their distribution.
MODULES = {"scikit-learn": "sklearn", "pyyaml": "yaml"}
#: Free space (GB) below which fits may not be saved, and below which nothing is.
LITTLE_DISK, NO_DISK = 2.0, 0.1

Status = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Parameters
    ----------
    name : str
        What was checked.
    status : {"ok", "note", "broken"}
        ``note``: works, with a consequence that `remedy` explains.
    found : str
        What was found.
    remedy : str
        What to do; empty if there is nothing to do.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""


def check_installation() -> list[Finding]:
    """Check the installation.

    Returns
    -------
    list of Finding
        Python, package, dependencies, optional parts, compiled code, fonts, disk and threads.
    """
    found: list[Finding] = []
    for name, check in _CHECKS.items():
        try:
            found += check()
        except Exception as error:  # whatever breaks is what the command is for
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            found.append(Finding(name, "broken", said, "Repair the packages above; install again."))
    return found


def summarise(findings: list[Finding]) -> dict[str, Any]:
    """Summarise findings as values that JSON can represent.

    Parameters
    ----------
    findings : list of Finding
        What `check_installation` returned.

    Returns
    -------
    dict
        ``passed``, ``version``, ``python``, ``platform`` and ``checks``.
    """
    return {
        "passed": all(f.status != "broken" for f in findings),
        "version": bayes_mdd.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "checks": [asdict(f) for f in findings],
    }


def _python() -> Iterator[Finding]:
    wanted = SpecifierSet(distribution(DISTRIBUTION).metadata["Requires-Python"] or "")
    here = platform.python_version()
    found = f"{here}, {platform.system()} {platform.machine()}"
    if not wanted.contains(here, prereleases=True):
        yield Finding("Python", "broken", found, f"Install Python {wanted}.")
    elif sys.version_info[:2] > NEWEST_PYTHON:
        newest = ".".join(map(str, NEWEST_PYTHON))
        yield Finding("Python", "note", found, f"Newer than Python {newest}, the newest supported.")
    else:
        yield Finding("Python", "ok", found)


def _package() -> Iterator[Finding]:
    folder = Path(bayes_mdd.__file__).parent
    installed = version(DISTRIBUTION)
    found = f"{bayes_mdd.__version__} in {folder}"
    if installed != bayes_mdd.__version__:
        yield Finding(
            "bayes-mdd",
            "broken",
            f"{found}, but the installed version is {installed}",
            "Two copies are mixed: remove one, or run the command from another folder.",
        )
    elif not shipped.MODELS:
        yield Finding("bayes-mdd", "broken", f"{found}, without its models", "Install it again.")
    else:
        yield Finding("bayes-mdd", "ok", found)


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in distribution(DISTRIBUTION).requires or ()]


def _dependencies() -> Iterator[Finding]:
    for needed in _requirements():
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield _dependency(needed)


def _dependency(needed: Requirement) -> Finding:
    remedy = f'python -m pip install "{needed.name}{needed.specifier}"'
    try:
        here = version(needed.name)
    except PackageNotFoundError:
        return Finding(needed.name, "broken", "not installed", remedy)
    if not needed.specifier.contains(here, prereleases=True):
        return Finding(needed.name, "broken", f"{here}; {needed.specifier} is required", remedy)
    try:
        importlib.import_module(MODULES.get(needed.name.lower(), needed.name.replace("-", "_")))
    except Exception as error:
        said = f"{here}; import fails ({type(error).__name__}: {error})".splitlines()[0]
        again = f'python -m pip install --force-reinstall "{needed.name}{needed.specifier}"'
        return Finding(needed.name, "broken", said, again)
    return Finding(needed.name, "ok", here)


def _extras() -> Iterator[Finding]:
    wanted: dict[str, list[Requirement]] = {}
    for needed in _requirements():
        for extra in ("jax", "harmonize"):
            if needed.marker is not None and needed.marker.evaluate({"extra": extra}):
                wanted.setdefault(extra, []).append(needed)
    for extra, needs in wanted.items():
        missing = [n.name for n in needs if not _fits(n)]
        remedy = f"Only if needed: python -m pip install 'bayes-mdd[{extra}]'"
        if missing:
            absent = f"not installed: {', '.join(missing)}"
            yield Finding(f"extra {extra} (optional)", "ok", absent, remedy)
        else:
            yield Finding(f"extra {extra} (optional)", "ok", "installed")


def _fits(needed: Requirement) -> bool:
    try:
        return needed.specifier.contains(version(needed.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _compilers() -> Iterator[Finding]:
    numba = importlib.import_module("numba")
    if numba.njit(lambda x: x + 1)(1) != 2:
        yield Finding("compiled code (numba)", "broken", "gives wrong results", "Install it again.")
    else:
        yield Finding("compiled code (numba)", "ok", "a function was compiled and run")
    try:
        importlib.import_module("nutpie.compiled_pyfunc")
    except ImportError:
        yield Finding(
            "sampler without PyMC graph (nutpie)",
            "note",
            "not offered by this version of nutpie",
            "Fits work, and compile a PyMC graph first. Install a version of nutpie as above.",
        )
    else:
        yield Finding("sampler without PyMC graph (nutpie)", "ok", "available")
    compiler = str(importlib.import_module("pytensor").config.cxx)
    yield Finding("C++ compiler (optional)", "ok", compiler or "none; PyMC graphs use numba")


def _caches() -> Iterator[Finding]:
    folder = temporary_caches()
    if folder is not None:
        yield Finding(
            "folders for compiled code",
            "note",
            f"temporary: {folder}",
            "Each command compiles again. To keep compiled code, set NUMBA_CACHE_DIR and "
            "PYTENSOR_FLAGS=base_compiledir=FOLDER to writable folders.",
        )
    else:
        yield Finding("folders for compiled code", "ok", "writable")
    place = tempfile.gettempdir()
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    yield Finding("temporary files", "ok", place)


def _fonts() -> Iterator[Finding]:
    fonts = importlib.import_module("matplotlib.font_manager")
    path = fonts.findfont("DejaVu Sans", fallback_to_default=False)
    yield Finding("fonts of figures", "ok", str(path))


def _disk() -> Iterator[Finding]:
    for what, place in (("here", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(place).free / 1e9
        name, found = f"free disk, {what}", f"{free:.1f} GB in {place}"
        if free < NO_DISK:
            yield Finding(name, "broken", found, "Free some space: nothing can be written.")
        elif free < LITTLE_DISK:
            yield Finding(name, "note", found, "A run of a large cohort needs 1 to 2 GB.")
        else:
            yield Finding(name, "ok", found)
    if not os.access(Path.cwd(), os.W_OK):
        remedy = "Give a writable folder with --output."
        yield Finding("this folder", "note", f"{Path.cwd()} cannot be written", remedy)


def _threads() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pools = importlib.import_module("threadpoolctl").threadpool_info()
    most = max((int(p["num_threads"]) for p in pools), default=1)
    found = f"{cores} cores; linear algebra uses up to {most} threads"
    if cores and most > cores:
        remedy = f"More threads than cores are slow: set OMP_NUM_THREADS={cores}."
        yield Finding("cores and threads", "note", found, remedy)
    else:
        yield Finding("cores and threads", "ok", found)


_CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Python": _python,
    "bayes-mdd": _package,
    "dependencies": _dependencies,
    "extras": _extras,
    "compiled code": _compilers,
    "caches": _caches,
    "fonts": _fonts,
    "disk": _disk,
    "threads": _threads,
}
