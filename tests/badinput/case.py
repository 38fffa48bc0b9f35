"""A bad input, and what its message must say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayes_mdd.errors import BayesMDDError, DataContractError


@dataclass(frozen=True)
class Case:
    """One bad input.

    Parameters
    ----------
    name : str
        What is wrong; the key of the case.
    make : callable
        Changes copies of valid inputs, in the folder that is passed.
    use : str or callable
        Words of a command after ``bayes-mdd``; valid inputs named there are copied. Or a function
        of the folder.
    file, where, rule, remedy : str
        Parts of the message: the file (or function), the row, column or participant, what was
        expected, what to do. Parts are separated by ``...``; empty where there is none.
    also : tuple of str
        Further problems of the same input, which the same message lists.
    needs : str
        Valid inputs that a function uses.
    error : type
        The exception of a function.
    """

    name: str
    make: Callable[[Path], None]
    use: str | Callable[[Path], Any]
    file: str = ""
    where: str = ""
    rule: str = ""
    remedy: str = ""
    also: tuple[str, ...] = ()
    needs: str = ""
    error: type[BayesMDDError] = DataContractError
