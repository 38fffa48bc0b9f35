"""The software that results depend on, which must be the same on all workers."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_info

from bayes_mdd.errors import WorkerError

#: Distributions whose versions must agree.
PACKAGES = (
    "numpy", "scipy", "numba", "pandas", "xarray", "joblib", "scikit-learn", "pymc", "pytensor",
    "nutpie", "nilearn", "nibabel",
)  # fmt: skip
#: Names and versions of the software of a process.
Software = tuple[tuple[str, str], ...]


@cache
def describe_software() -> Software:
    """Describe the software of this process.

    Returns
    -------
    tuple of (str, str)
        Names and versions; that of bayes_mdd includes the first digits of the checksum of its
        source.

    Examples
    --------
    >>> describe_software()[0][0]
    'bayes-mdd'
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    rest = [(name, _version(name)) for name in PACKAGES]
    own = f"{_version('bayes-mdd')} (source {_source_digest()[:10]})"
    return (("bayes-mdd", own), ("python", python), *rest)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _source_digest() -> str:
    """Digest the modules of the package, to tell checkouts of one version apart."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def list_differences(expected: Software, found: Software) -> list[str]:
    """List the software that differs.

    Parameters
    ----------
    expected, found : tuple of (str, str)
        From `describe_software`, here and on a worker.

    Returns
    -------
    list of str
        One text for each; empty where all agree.

    Examples
    --------
    >>> list_differences((("numpy", "2.4"),), (("numpy", "2.3"),))
    ['numpy 2.3 instead of 2.4']
    """
    there = dict(found)
    return [
        f"{name} {there.get(name, 'unknown')} instead of {wanted}"
        for name, wanted in expected
        if there.get(name, "unknown") != wanted
    ]


@cache
def require_same(expected: Software) -> None:
    """Check that this process has the software of the one that waits for its results.

    Parameters
    ----------
    expected : tuple of (str, str)
        From `describe_software` there.

    Raises
    ------
    WorkerError
        If a version differs; all are listed.
    """
    refuse_differences({"a worker": list_differences(expected, describe_software())})


def refuse_differences(by_worker: Mapping[str, list[str]]) -> None:
    """Refuse workers with other software.

    Parameters
    ----------
    by_worker : mapping of str to list of str
        From `list_differences`, by the name of the worker.

    Raises
    ------
    WorkerError
        If a version differs; workers with the same differences are listed together.
    """
    groups: dict[str, list[str]] = {}
    for worker, differences in by_worker.items():
        if differences:
            groups.setdefault(", ".join(differences), []).append(worker)
    if groups:
        lines = "\n".join(f"  {', '.join(who)}: {what}" for what, who in groups.items())
        raise WorkerError(
            "Workers have other versions of the software than this process, so that results could "
            f"differ:\n{lines}\nInstall the same versions there, or start the workers from this "
            "environment."
        )


def blas_kernels() -> tuple[str, ...]:
    """Name the kernels of linear algebra, which OpenBLAS chooses by the processor.

    Returns
    -------
    tuple of str
        Sorted, each once; results agree to rounding only between different kernels.
    """
    import scipy.linalg  # noqa: F401 (loads its library)

    return tuple(sorted({str(i["architecture"]) for i in threadpool_info() if "architecture" in i}))
