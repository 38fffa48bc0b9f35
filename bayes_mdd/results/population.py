"""A fit without its participants: what may leave the site, and what can still be read from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import (
    ARM,
    BLOCK,
    CHAIN,
    COVARIATE,
    CUTPOINT,
    DIMENSION,
    DRAW,
    FACTOR,
    FACTOR_2,
    FEATURE,
    ITEM,
    ITEM_COVARIATE,
    REGION,
    SUBJECT,
    SYMPTOM,
)
from bayes_mdd.features.disclosure import LEAST, WITHHELD
from bayes_mdd.files.layout import NUMBER
from bayes_mdd.results.groups import PEOPLE
from bayes_mdd.results.privacy import list_participants, withhold_notes
from bayes_mdd.results.result import Result

#: Group of what takes the place of participants, and its variables.
POPULATION: Final = "population"
COUNT: Final = "count"
LEVERAGE: Final = "leverage"
#: Groups that describe the population. All others stay with the cohort.
GROUPS: Final = (
    *("posterior", "loadings", "factors", "invariants", "sample_stats", "reliability"),
    *("blocks", "null", "constant_data"),
)
#: Dimensions that a variable may have. Any other, also one that is not known here, stays.
DIMS: Final = frozenset(
    (
        *(CHAIN, DRAW, ARM, FACTOR, FACTOR_2, BLOCK, FEATURE, REGION, SYMPTOM, DIMENSION),
        *(ITEM, ITEM_COVARIATE, CUTPOINT, COVARIATE),
        *("whitened_block", "source", "reliability_draw", "permutation"),
    )
)
#: Attributes of a result that are kept as they are; ``sample`` is Table 1.
_KEPT: Final = (NUMBER, "method", "model", "estimand", "units", "reference", "sample")
_NOTES: Final = ("spec", "sampler", "features_provenance")


def count_by_arm(result: Result) -> dict[str, int]:
    """Count the participants of a fit, also of one that holds no participants any more.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    dict of str to int
        By arm; empty where arms are not stored.
    """
    if result.holds(POPULATION, COUNT):
        stored = result.group(POPULATION)[COUNT]
        return {str(a): int(stored.sel({ARM: a})) for a in stored[ARM].values}
    if not result.holds("constant_data", ARM):
        return {}
    own = result.constant[ARM].values.astype(str)
    return {arm: int(np.count_nonzero(own == arm)) for arm in result.arms}


def find_small_arms(result: Result) -> list[str]:
    """List the arms that are too small to be described.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    list of str
        Arms with fewer participants than a group that Table 1 describes.
    """
    return [arm for arm, n in count_by_arm(result).items() if n < LEAST]


def keep_population(result: Result, leverage: Sequence[float] | None = None) -> xr.DataTree:
    """Keep what describes the population, and leave out everything about participants.

    Parameters
    ----------
    result : Result
        A fit.
    leverage : sequence of float, optional
        Largest share of each factor that one participant holds, which needs the scores.

    Returns
    -------
    DataTree
        Draws of loadings, sharing, scales, weights, noise and what follows from them; settings and
        Table 1; the group ``population`` with the number of participants of each arm. Variables
        with any other dimension than those of `DIMS`, and texts that name participants, commands or
        folders, are left out. The attribute ``participants`` is "withheld".
    """
    ids = list_participants(result)
    kept: dict[str, xr.Dataset] = {}
    for name in GROUPS:
        if name in result.tree.children:
            kept[name] = _keep(result.tree[name].to_dataset(), ids)
    counts = count_by_arm(result)
    facts: dict[str, Any] = {COUNT: (ARM, list(counts.values()))}
    coords: dict[str, Any] = {ARM: list(counts)}
    if leverage is not None:
        facts[LEVERAGE] = (FACTOR, np.asarray(leverage, dtype=float))
        coords[FACTOR] = list(result.factors)
    kept[POPULATION] = xr.Dataset(facts, coords=coords)
    tree = xr.DataTree.from_dict(kept)
    attrs = result.tree.attrs
    tree.attrs = {name: attrs[name] for name in _KEPT if name in attrs}
    tree.attrs |= {name: _share_note(attrs[name], ids) for name in _NOTES if name in attrs}
    notes = withhold_notes(merge_small_roles(result.provenance), ids)
    tree.attrs |= {"provenance": json.dumps(notes), PEOPLE: WITHHELD}
    return tree


def _keep(group: xr.Dataset, ids: frozenset[str]) -> xr.Dataset:
    lost = [n for n, v in group.variables.items() if not {str(d) for d in v.dims} <= DIMS]
    out = group.drop_vars(lost)
    out.attrs = {str(k): _share_note(v, ids) for k, v in group.attrs.items()}
    for variable in out.variables.values():
        variable.attrs = {str(k): _share_note(v, ids) for k, v in variable.attrs.items()}
    return out


def _share_note(value: Any, ids: frozenset[str]) -> Any:
    return withhold_notes(value, ids) if isinstance(value, str | Mapping | list) else value


def merge_small_roles(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the reasons for leaving the analysis that concern a few participants.

    Parameters
    ----------
    provenance : mapping
        Provenance of a fit.

    Returns
    -------
    dict
        The same, where groups that were not fitted and reasons with fewer than five participants
        are one group with a count; where this is below five, too, it takes in the next larger
        group, or is left out with the total if there is none.

    Examples
    --------
    >>> one = {"role": "patient", "diagnosis": "MDD", "arm": "n/a", "use": "no arm"}
    >>> given = {"roles": [one | {"participants": 2}], "dropped": {"no scan": 4}, "n_excluded": 6}
    >>> merge_small_roles(given)["roles"]
    [{'role': 'n/a', 'diagnosis': 'n/a', 'arm': 'n/a', 'participants': 6, 'use': 'other reasons'}]
    """
    roles = [dict(r) for r in provenance.get("roles") or []]
    dropped = dict(provenance.get("dropped") or {})
    left = [(int(r["participants"]), "roles", i) for i, r in enumerate(roles) if not _fitted(r)]
    left += [(int(n), "dropped", name) for name, n in dropped.items()]
    small = [entry for entry in left if 0 < entry[0] < LEAST]
    if not small:
        return dict(provenance)
    others = sorted((e for e in left if e[0] >= LEAST), key=lambda e: e[0])
    while sum(e[0] for e in small) < LEAST and others:
        small.append(others.pop(0))
    total = sum(e[0] for e in small)
    gone = {(kind, key) for _, kind, key in small}
    kept = [r for i, r in enumerate(roles) if ("roles", i) not in gone]
    out = dict(provenance)
    if total >= LEAST:
        merged = {"role": "n/a", "diagnosis": "n/a", "arm": "n/a"}
        kept.append(merged | {"participants": total, "use": "other reasons"})
    else:
        out.pop("n_excluded", None)
    out["roles"] = kept
    out["dropped"] = {k: n for k, n in dropped.items() if ("dropped", k) not in gone}
    return out


def _fitted(role: Mapping[str, Any]) -> bool:
    return str(role.get("use", "")).startswith("fitted")


def find_dimensions(tree: xr.DataTree) -> list[str]:
    """List what a shared fit holds beside the population.

    Parameters
    ----------
    tree : DataTree
        What `keep_population` returned, as it was stored.

    Returns
    -------
    list of str
        Variables with a dimension that is not of the population; empty as it should be.
    """
    found = []
    for name, group in tree.children.items():
        for variable, values in group.variables.items():
            extra = {str(d) for d in values.dims} - DIMS
            if extra or SUBJECT in values.dims:
                found.append(f"{name}/{variable} has the dimension {', '.join(sorted(extra))}")
    return found
