"""Results and tables whose participants are named by keyed hashes of their ids."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import SUBJECT
from bayes_mdd.errors import DataContractError
from bayes_mdd.files.id_key import hash_each, read_key
from bayes_mdd.results.privacy import list_participants, withhold
from bayes_mdd.results.result import read_result

#: Columns of tables that hold ids.
COLUMNS = ("participant_id", SUBJECT, "id")


def hash_ids[T: (pd.DataFrame, xr.Dataset, xr.DataTree, list[str])](
    data: T, key: str | Path | bytes
) -> T:
    """Replace the ids of participants by keyed hashes (HMAC-SHA256).

    The same key gives the same hash in every table and run, so that rows can still be joined. Only
    who has the key can find the id of a hash, by hashing all ids. A hash without a key hides
    nothing: there are so few possible ids that all can be tried.

    Parameters
    ----------
    data : DataFrame, Dataset, DataTree or list of str
        A table with a column ``participant_id``, ``subject`` or ``id``, or an index of one of these
        names; a Dataset with the dimension ``subject``; what `fit` or `read_run` returned; or ids.
        It is not changed.
    key : str, Path or bytes
        File with the key, or the key itself, at least 16 bytes. Keep it secret and apart from
        what is passed on; without it hashes cannot be linked again.

    Returns
    -------
    DataFrame, Dataset, DataTree or list of str
        The same with ``sub-`` and 16 hexadecimal digits for each id. Texts in attributes name
        hashes, too; other values, which may identify a participant, stay as they are.

    Raises
    ------
    DataContractError
        If there are no ids.
    SpecError
        If the key cannot be read or is too short.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.hash_ids(["sub-01"], b"0123456789abcdef")
    ['sub-f7b3c32b961619ea']
    """
    secret = read_key(key)
    if isinstance(data, pd.DataFrame):
        return _hash_table(data, secret)
    if isinstance(data, xr.DataTree):
        return _hash_tree(data, secret)
    if isinstance(data, xr.Dataset):
        if SUBJECT not in data.coords:
            raise DataContractError("hash_ids", [f"the Dataset has no coordinate '{SUBJECT}'."])
        named = {str(s) for s in data[SUBJECT].values} | _named_in(data.attrs)
        return _hash_dataset(data, hash_each(sorted(named), secret))
    hashes = hash_each(data, secret)
    return [hashes[str(i)] for i in data]


def _hash_table(table: pd.DataFrame, key: bytes) -> pd.DataFrame:
    out = table.copy()
    columns = [c for c in COLUMNS if c in table.columns]
    if not columns and table.index.name not in COLUMNS:
        listed = ", ".join(map(str, table.columns)) or "none"
        raise DataContractError(
            "hash_ids",
            [f"no column or index of ids ({', '.join(COLUMNS)}); found the columns {listed}."],
        )
    if not columns:
        hashes = hash_each(table.index, key)
        out.index = pd.Index([hashes[str(i)] for i in table.index], name=table.index.name)
    for column in columns:
        hashes = hash_each(table[column].dropna(), key)
        out[column] = [i if pd.isna(i) else hashes[str(i)] for i in table[column]]
    return out


def _hash_tree(tree: xr.DataTree, key: bytes) -> xr.DataTree:
    groups = [g.to_dataset() for g in tree.children.values()]
    ids = {str(i) for g in groups if SUBJECT in g.coords for i in g[SUBJECT].values}
    if not ids:
        raise DataContractError("hash_ids", ["the result holds no participants."])
    known = list_participants(read_result(tree)) if "spec" in tree.attrs else frozenset()
    hashes = hash_each(sorted(ids | known), key)
    out = xr.DataTree.from_dict(
        {name: _hash_dataset(g.to_dataset(), hashes) for name, g in tree.children.items()}
    )
    out.attrs = {k: _rename(v, hashes) for k, v in tree.attrs.items()}
    return out


def _hash_dataset(data: xr.Dataset, hashes: Mapping[str, str]) -> xr.Dataset:
    out = data
    if SUBJECT in data.coords:
        named = np.array([hashes[str(i)] for i in data[SUBJECT].values])
        out = data.assign_coords({SUBJECT: (SUBJECT, named)})
    return out.assign_attrs({k: _rename(v, hashes) for k, v in data.attrs.items()})


def _named_in(attrs: Mapping[Any, Any]) -> set[str]:
    """Ids of those whom a projection leaves out."""
    try:
        note = json.loads(attrs.get("excluded", "{}"))
    except (TypeError, ValueError):
        return set()
    return {str(k) for k in note} if isinstance(note, Mapping) else set()


def _rename(value: Any, hashes: Mapping[str, str]) -> Any:
    """Replace ids in texts, JSON and lists; numbers in sentences are counted instead."""
    if isinstance(value, Mapping):
        return {hashes.get(str(k), str(k)): _rename(v, hashes) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_rename(v, hashes) for v in value]
    if not isinstance(value, str):
        return value
    if value in hashes:
        return hashes[value]
    if value[:1] in ("{", "["):
        try:
            return json.dumps(_rename(json.loads(value), hashes))
        except ValueError:
            pass
    words = sorted((i for i in hashes if not i.isdigit()), key=len, reverse=True)
    if words:
        pattern = rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, words))})(?![A-Za-z0-9])"
        value = re.sub(pattern, lambda m: hashes[m[0]], value)
    numbers = [i for i in hashes if i.isdigit()]
    return withhold(value, numbers) if numbers else value
