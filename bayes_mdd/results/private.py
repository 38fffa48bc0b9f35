"""What files that are shared must not hold: participants, their numbers, commands and folders."""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.results.privacy import list_participants
from bayes_mdd.results.result import Result
from bayes_mdd.types import Array

#: Fewest different values of a column that can be recognised as that of the participants.
LEAST_VALUES: Final = 6


@dataclass(frozen=True, eq=False)
class Private:
    """What files that are shared must not hold.

    Parameters
    ----------
    ids : frozenset of str
        Participants.
    values : mapping of str to ndarray
        A number of each participant, e.g. ages, by name.
    commands : tuple of str
        Command line of the fit, folders, the name of the user and of the machine.
    """

    ids: frozenset[str]
    values: Mapping[str, Array]
    commands: tuple[str, ...] = ()


def collect_private(result: Result) -> Private:
    """Collect what must not leave with shared files.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    Private
        Ids, the numbers of each participant, command line and folders.
    """
    values: dict[str, Array] = {}
    for group in ("constant_data", "observed_data"):
        if group not in result.tree.children:
            continue
        for name, variable in result.group(group).variables.items():
            if variable.dims == (SUBJECT,) and variable.dtype.kind in "iuf":
                values[str(name)] = np.asarray(variable.values, dtype=float)
    if "scores" in result.posterior:
        mean = result.posterior["scores"].mean((CHAIN, DRAW))
        for factor in mean[FACTOR].values:
            values[f"scores of {factor}"] = mean.sel({FACTOR: factor}).values
    known = {k: v for k, v in values.items() if np.unique(v[np.isfinite(v)]).size >= LEAST_VALUES}
    command = str(result.provenance.get("command", ""))
    words = [w for w in command.split() if w.startswith(("/", "~")) and len(w) > 3]
    user = getpass.getuser() if _has_user() else ""
    folders = [f"/{user}/"] if len(user) > 2 and user != "root" else []
    long = [command] if len(command) > 20 else []
    said = (*long, *words, *folders, *_name_host())
    return Private(list_participants(result), known, tuple(dict.fromkeys(said)))


def _name_host() -> list[str]:
    """Name of this machine, unless it could be a word of a text, as "server" is."""
    name = platform.node()
    return [name] if len(name) > 5 and re.search(r"[\d.-]", name) else []


def _has_user() -> bool:
    try:
        return bool(getpass.getuser())
    except (OSError, KeyError, ImportError):  # a container without an entry for the user
        return False
