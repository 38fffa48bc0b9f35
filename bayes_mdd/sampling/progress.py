"""The progress of chains in a terminal or notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bayes_mdd.specs import SamplerSpec

#: What nutpie calls now and then, with a list of the progress of its chains.
Report = Callable[[list[Any]], None]
#: What is told how many draws a chain has, whether it warms up, and its divergences.
Step = Callable[[int, bool, int], None]


class ChainProgress:
    """One line per chain.

    Parameters
    ----------
    bars : rich.progress.Progress, optional
        Where to draw; None draws nothing.
    tasks : dict of int to TaskID
        The line of each chain.
    """

    def __init__(self, bars: Progress | None = None, tasks: dict[int, TaskID] | None = None):
        self._bars, self._tasks = bars, tasks or {}

    def of(self, chain: int) -> Report | None:
        """Make the function that reports one chain.

        Parameters
        ----------
        chain : int
            Number of the chain.

        Returns
        -------
        callable or None
            For nutpie; None where nothing is drawn.
        """
        step = self.step_of(chain)
        if step is None:
            return None

        def report(chains: list[Any]) -> None:
            """Move the bar.

            Parameters
            ----------
            chains : list
                Progress of one chain, from nutpie.
            """
            for now in chains:
                step(now.finished_draws, now.tuning, now.divergences)

        return report

    def step_of(self, chain: int) -> Step | None:
        """Make the function that is told of the draws of one chain.

        Parameters
        ----------
        chain : int
            Number of the chain.

        Returns
        -------
        callable or None
            None where nothing is drawn.
        """
        bars, task = self._bars, self._tasks.get(chain)
        if bars is None or task is None:
            return None

        def step(draws: int, tuning: bool, divergences: int) -> None:
            """Move the bar.

            Parameters
            ----------
            draws : int
                Draws so far, with those of the warm-up.
            tuning : bool
                Whether the chain warms up.
            divergences : int
                Paths that diverged.
            """
            stage = "warm-up" if tuning else "draws"
            bars.update(task, completed=draws, stage=stage, divergences=divergences)

        return step


@contextmanager
def show_progress(chains: Iterable[int], sampler: SamplerSpec) -> Iterator[ChainProgress]:
    """Draw one line per chain while the chains run.

    Parameters
    ----------
    chains : iterable of int
        Numbers of the chains; without any, nothing is drawn.
    sampler : SamplerSpec
        Draws and warm-up draws.

    Yields
    ------
    ChainProgress
        Makes the functions that report.
    """
    chains = list(chains)
    if not chains:
        yield ChainProgress()
        return
    columns = (
        TextColumn("chain {task.fields[chain]}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[stage]}"),
        TextColumn("{task.fields[divergences]} divergences"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        total = sampler.tune + sampler.draws
        tasks = {
            chain: bars.add_task("", total=total, chain=chain + 1, stage="waiting", divergences=0)
            for chain in chains
        }
        yield ChainProgress(bars, tasks)
        for task in tasks.values():
            bars.update(task, completed=total, stage="complete")
