"""The checks that were last written to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.structured import read_json
from bayes_mdd.results.checks import CHECK_COLUMNS

CHECKS_FILE: Final = "checks.json"
_TEXT: Final = ("name", "threshold", "advice")


def read_checks(run_dir: Path) -> pd.DataFrame | None:
    """Read the checks that were last written to a run folder.

    Parameters
    ----------
    run_dir : Path
        The folder.

    Returns
    -------
    pandas.DataFrame or None
        As `bayes_mdd.diagnose` returns them, with those of additional analyses; None if there are
        none that can be read.
    """
    try:
        rows = read_json(run_dir / CHECKS_FILE)["checks"]
        table = pd.DataFrame([[row[c] for c in CHECK_COLUMNS] for row in rows])
        table = table.set_axis(list(CHECK_COLUMNS), axis=1).astype({"passed": object})
        table["passed"] = [_verdict(row["passed"]) for row in rows]
        return table.astype({"value": float, **dict.fromkeys(_TEXT, str)})
    # Another program may have written anything.
    except (UnreadableFileError, AttributeError, TypeError, KeyError, ValueError, OverflowError):
        return None


def _verdict(passed: object) -> bool | None:
    if passed is not None and not isinstance(passed, bool):
        raise TypeError("a check is passed, failed, or was not made")
    return passed
