"""Signals that ask a command to stop: what is computed ends in order, and the status says why."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

#: Ctrl-C, and what schedulers send before they kill.
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked the process to stop.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"Stopped by {name}. Nothing is half-written.")
        #: As shells report it.
        self.status = 128 + number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise `Stopped` in the main thread where a signal asks to stop."""

    def stop(number: int, _: FrameType | None) -> None:
        """Raise `Stopped`.

        Parameters
        ----------
        number : int
            Of the signal.
        _ : frame, optional
            Not used.
        """
        raise Stopped(number)

    before: dict[signal.Signals, Any] = {}
    try:
        for number in SIGNALS:
            before[number] = signal.signal(number, stop)
    except ValueError:  # not the main thread
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
