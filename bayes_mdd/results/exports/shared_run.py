"""What the format "share" needs of a run beside what all formats need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bayes_mdd.results.result import Result


@dataclass(frozen=True, eq=False, kw_only=True)
class SharedRun:
    """A run as the format "share" sees it.

    Parameters
    ----------
    result : Result
        The fit, with its participants.
    factors : DataFrame
        Its table of factors.
    checks : DataFrame
        Its checks, with those of additional analyses where they are stored.
    write_report : callable
        ``(path)``: writes the report without participants.
    run_dir : Path, optional
        Run folder, for the tables of additional analyses and of treatment response.
    """

    result: Result
    factors: pd.DataFrame
    checks: pd.DataFrame
    write_report: Callable[[Path], object]
    run_dir: Path | None = None
