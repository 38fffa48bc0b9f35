"""Exit statuses of the command line."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the exit status of a command means."""

    SUCCESS = 0
    #: The command completed, and a check of the fit failed.
    CHECK_FAILED = 1
    #: Invalid input, or a file that cannot be written.
    BAD_INPUT = 2
    INTERNAL_ERROR = 3
