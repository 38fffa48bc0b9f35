"""What the format "summary" needs of a run beside what all formats need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr

from bayes_mdd.results.result import Result


@dataclass(frozen=True, eq=False, kw_only=True)
class SummaryRun:
    """A run as the format "summary" sees it.

    Parameters
    ----------
    result : Result
        The fit, with its participants, for the search of what was written.
    why_not : callable
        ``(result) -> str or None``: why the model family has no summary of it.
    summarise : callable
        ``(result) -> Dataset``: the summary.
    """

    result: Result
    why_not: Callable[[Result], str | None]
    summarise: Callable[[Result], xr.Dataset]
