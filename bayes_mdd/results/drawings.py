"""A figure that a run supports: what it shows, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure of a run, drawn when it is asked for.

    Parameters
    ----------
    name : str
        Of its files, without suffix; names no participant.
    caption : str
        What it shows.
    draw : callable
        ``() -> Figure``; raises DataContractError where the run does not support it.
    interval : str, default ""
        Which intervals it shows; empty if none.
    factor : str, default ""
        Key of the factor where the figure is of one.
    n : int, optional
        Number of participants, where it differs from that of the fit.
    """

    name: str
    caption: str
    draw: Callable[[], Figure]
    interval: str = ""
    factor: str = ""
    n: int | None = None


#: Intervals of most figures.
BOTH_INTERVALS = "50% and 90%, equal-tailed"
NINETY_INTERVAL = "90%, equal-tailed"
