"""When and with which versions a file of results was written."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import bayes_mdd as bm

PACKAGES = ("bayes-mdd", "numpy", "numba", "nutpie", "pymc", "scipy")
RESULTS = Path(__file__).resolve().parent / "results"


def record(path: Path) -> None:
    """Note date and versions of a stored file in ``provenance.json``.

    Files outside of ``benchmarks/results`` are trial runs and are not noted.

    Parameters
    ----------
    path : Path
        A file of results that has just been written.
    """
    path = path.resolve()
    if not path.is_relative_to(RESULTS):
        return
    target = RESULTS / "provenance.json"
    known = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    versions = {name: version(name) for name in PACKAGES}
    known[path.relative_to(RESULTS).as_posix()] = {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {**versions, "python": platform.python_version()},
    }
    text = json.dumps(dict(sorted(known.items())), indent=1)
    target.write_text(text + "\n", encoding="utf-8")


def source_state(*others: Path) -> str:
    """Compute a digest of the source, by which results of another version are recognised.

    Parameters
    ----------
    *others : Path
        Further files, e.g. of the benchmark.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in [*sorted(Path(bm.__file__).parent.rglob("*.py")), *others]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
