"""Groups and notes of a stored result, with an error that says what is missing and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import xarray as xr

from bayes_mdd.errors import DataContractError, some

#: Attribute of results whose participants are withheld; see `bayes_mdd.results.population`.
PEOPLE: Final = "participants"


def read_group(idata: xr.DataTree, group: str, names: Sequence[str] = ()) -> xr.Dataset:
    """Read one group of a fitted result as a Dataset.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    group : str
        For example ``"posterior"``.
    names : sequence of str
        Variables that the group must hold.

    Returns
    -------
    xarray.Dataset
        The group.

    Raises
    ------
    DataContractError
        If the group or one of the variables is missing.
    """
    if PEOPLE in idata.attrs and not (
        group in idata.children and all(n in idata[group] for n in names)
    ):
        missing = group if group not in idata.children else ", ".join(names)
        raise DataContractError("shared run", [say_withheld(missing)])
    if group not in idata.children:
        found = some(idata.children) or "no groups"
        raise DataContractError(
            "fitted result",
            [f"group '{group}' is missing (found {found}); pass what bayes_mdd.fit returned."],
        )
    dataset = idata.children[group].to_dataset()
    problems = [
        f"'{group}' has no '{n}' (it holds {some(dataset.data_vars, 12)}); "
        "pass what bayes_mdd.fit returned."
        for n in names
        if n not in dataset
    ]
    if problems:
        raise DataContractError("fitted result", problems)
    return dataset


def say_withheld(what: str) -> str:
    """Say why a result that was shared cannot give something.

    Parameters
    ----------
    what : str
        What was asked for.

    Returns
    -------
    str
        A sentence.

    Examples
    --------
    >>> say_withheld("scores")
    'scores: needs data of participants, which a shared run does not hold; use the run of the fit.'
    """
    return (
        f"{what}: needs data of participants, which a shared run does not hold; use the run of "
        "the fit."
    )


def read_note(idata: xr.DataTree, name: str) -> dict[str, Any]:
    """Read a JSON attribute of a fitted result.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    name : str
        For example ``"provenance"``.

    Returns
    -------
    dict
        Its content; empty when there is none.
    """
    raw = idata.attrs.get(name)
    if isinstance(raw, Mapping):
        return dict(raw)
    try:
        note = json.loads(raw) if raw else {}
    except (TypeError, ValueError):
        note = {}
    return note if isinstance(note, dict) else {"value": note}
