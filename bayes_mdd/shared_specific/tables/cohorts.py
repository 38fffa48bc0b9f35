"""Factors of several cohorts, matched by their maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import linear_sum_assignment

from bayes_mdd.dims import FACTOR, FEATURE, MISSING
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.results.names import read_names
from bayes_mdd.results.population import count_by_arm
from bayes_mdd.results.regions import is_edges
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.spec import KIND
from bayes_mdd.shared_specific.tables.factors import tabulate_factors
from bayes_mdd.types import Array

#: Smallest absolute correlation of two maps that are called the same pattern.
LEAST_ALIKE: Final = 0.5
#: Fewest features that all cohorts must have.
LEAST_FEATURES: Final = 20


def match_cohorts(
    runs: Mapping[str, xr.DataTree | Result], *, least: float = LEAST_ALIKE
) -> pd.DataFrame:
    """Match the factors of several cohorts by their maps.

    The factors of each cohort are assigned to the patterns of the cohorts before it so that the sum
    of the absolute correlations of maps is largest (Hungarian method); the sign of a factor is
    arbitrary. A factor less alike than `least` starts a pattern of its own. A pattern has the map
    of the first cohort that has it. Features that all cohorts have are compared.

    Parameters
    ----------
    runs : mapping of str to DataTree
        Fits of the factor model by the name of the cohort, two or more; the first is the reference.
    least : float, default 0.5
        Smallest absolute correlation of the posterior mean loadings that is called a match.

    Returns
    -------
    DataFrame
        One row per pattern and cohort: ``pattern`` ("P1", ...), ``cohort``, ``participants``;
        ``factor``, ``name`` and ``label`` in that cohort, "n/a" where no factor matches;
        ``alike``, the absolute correlation with the map of the pattern (1 for the cohort that
        started it; without a match the largest of any factor). ``attrs`` hold ``least`` and the
        number of ``features``.

    Raises
    ------
    DataContractError
        If there are fewer than two runs, one is not of the factor model or has no factor, their
        estimands differ, or they have too few features in common; every problem is listed.
    SpecError
        If `least` is not between 0 and 1.

    References
    ----------
    .. [1] Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval Research
       Logistics Quarterly, 2, 83-97.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> runs = {"Lyon": bm.read_run("runs/lyon"), "Utrecht": bm.read_run("runs/utrecht")}
    ... # doctest: +SKIP
    >>> bm.match_cohorts(runs)[["pattern", "cohort", "factor", "alike"]]  # doctest: +SKIP
    """
    if not 0 < least <= 1:
        raise SpecError(f"least must be above 0 and at most 1, got {least:g}.")
    results = {str(name): read_result(run) for name, run in runs.items()}
    _check(results)
    tables = {
        n: used_factors(tabulate_factors(r)).reset_index(drop=True) for n, r in results.items()
    }
    if empty := [n for n, t in tables.items() if t.empty]:
        raise DataContractError("cohorts", [f"every factor of {n} is unused." for n in empty])
    maps = {n: read_map(r, tables[n]["factor"].to_list()) for n, r in results.items()}
    common = _common_features(maps)
    found = _assign({n: m.loc[common].to_numpy().T for n, m in maps.items()}, least)
    rows: list[dict[str, Any]] = []
    for p, by_cohort in enumerate(found):
        for cohort, (at, alike) in by_cohort.items():
            table = tables[cohort]
            own = {FACTOR: MISSING, "name": MISSING, "label": MISSING}
            if at is not None:
                row = table.iloc[at]
                own = {FACTOR: row["factor"], "name": read_names(table)[at], "label": row["label"]}
            people = sum(count_by_arm(results[cohort]).values())
            start = {"pattern": f"P{p + 1}", "cohort": cohort, "participants": people}
            rows.append({**start, **own, "alike": alike})
    out = pd.DataFrame(rows)
    out.attrs.update(least=least, features=len(common))
    return out


def _check(results: Mapping[str, Result]) -> None:
    problems = []
    if len(results) < 2:
        problems.append(f"expected two or more cohorts, got {len(results)}.")
    problems += [
        f"{n} was fitted with the model {r.kind}; only the factor model can be matched."
        for n, r in results.items()
        if r.kind != KIND
    ]
    kinds = {r.estimand for r in results.values()}
    if len(kinds) > 1:
        said = ", ".join(f"{n}: {r.estimand}" for n, r in results.items())
        problems.append(f"the runs have different estimands ({said}): their factors differ.")
    if problems:
        raise DataContractError("cohorts", problems)


def read_map(result: Result, factors: list[str]) -> pd.DataFrame:
    """Read posterior mean loadings under names of features that do not depend on their order.

    Parameters
    ----------
    result : Result
        A fit.
    factors : list of str
        Factors to read.

    Returns
    -------
    DataFrame, shape (feature, factor)
        An edge has the same name from either end.
    """
    loadings = result.group("loadings", ["mean"])
    names = name_features(loadings)
    mean = loadings["mean"].sel({FACTOR: factors}).transpose(FEATURE, FACTOR).values
    return pd.DataFrame(mean, index=names, columns=factors)


def name_features(maps: xr.Dataset) -> list[str]:
    """Name features so that the names do not depend on the order of regions.

    Parameters
    ----------
    maps : Dataset
        With the metadata of the features.

    Returns
    -------
    list of str
        An edge has the same name from either end; the view comes first where there are several.
    """
    if is_edges(maps):
        ends = np.stack([maps[f"region_{s}"].values.astype(str) for s in "ab"], axis=1)
        names = ["--".join(sorted(pair)) for pair in ends.tolist()]
    else:
        names = maps[FEATURE].values.astype(str).tolist()
    if "view" in maps.coords:
        names = [f"{v}: {n}" for v, n in zip(maps["view"].values, names, strict=True)]
    return names


def _common_features(maps: Mapping[str, pd.DataFrame]) -> list[str]:
    first, *others = maps.values()
    common = [n for n in first.index if all(n in m.index for m in others)]
    if len(common) < LEAST_FEATURES:
        said = ", ".join(f"{c}: {len(m)} such as {some(m.index, 1)}" for c, m in maps.items())
        raise DataContractError(
            "cohorts",
            [
                f"{len(common)} features are in all cohorts, at least {LEAST_FEATURES} are needed "
                f"({said}). Use the same atlas and names of regions."
            ],
        )
    return common


def _assign(maps: Mapping[str, Array], least: float) -> list[dict[str, tuple[int | None, float]]]:
    """For each pattern and cohort the position of its factor, and how alike the maps are."""
    patterns: list[Array] = []
    found: list[dict[str, tuple[int | None, float]]] = []
    for cohort, own in maps.items():
        alike = compare_maps(np.reshape(patterns, (len(patterns), own.shape[1])), own)
        rows, columns = linear_sum_assignment(alike, maximize=True)
        taken = {int(p): int(k) for p, k in zip(rows, columns, strict=True) if alike[p, k] >= least}
        for p, by_cohort in enumerate(found):
            at = taken.get(p)
            best = float(alike[p].max() if at is None else alike[p, at])
            by_cohort[cohort] = (at, best)
        for k in sorted(set(range(len(own))) - set(taken.values())):
            patterns.append(own[k])
            # Earlier cohorts have no factor like this one: how near they come.
            before = {
                name: (None, float(compare_maps(own[[k]], maps[name]).max()))
                for name in list(maps)[: list(maps).index(cohort)]
            }
            found.append({**before, cohort: (k, 1.0)})
    return found


def compare_maps(a: Array, b: Array) -> Array:
    """Correlate maps, whatever their sign.

    Parameters
    ----------
    a : ndarray, shape (m, feature)
        Maps; a constant one is like no other.
    b : ndarray, shape (k, feature)
        Maps to compare them with.

    Returns
    -------
    ndarray, shape (m, k)
        Absolute correlations.

    Examples
    --------
    >>> compare_maps(np.array([[1.0, 2.0, 3.0]]), np.array([[-1.0, -2.0, -3.0]])).round(6)
    array([[1.]])
    """
    x, y = (m - m.mean(axis=1, keepdims=True) for m in (a, b))
    size = np.sqrt((x**2).sum(axis=1))[:, None] * np.sqrt((y**2).sum(axis=1))[None, :]
    return np.asarray(np.abs(x @ y.T) / np.where(size > 0, size, np.inf))
