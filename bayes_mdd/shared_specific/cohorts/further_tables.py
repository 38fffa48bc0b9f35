"""Cohorts, symptom weights and maps of a combined result."""

from __future__ import annotations

import json

import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.results.rules import UNUSED
from bayes_mdd.shared_specific.cohorts.combined import COHORT
from bayes_mdd.shared_specific.cohorts.table import require_combined

SAMPLE = (CHAIN, DRAW)


def tabulate_cohorts(combined: xr.DataTree) -> pd.DataFrame:
    """List what each cohort alone says about each pattern.

    Parameters
    ----------
    combined : DataTree
        What `combine_cohorts` returned.

    Returns
    -------
    DataFrame
        One row per pattern and cohort: ``factor``, ``cohort``, ``own_factor`` and ``own_label`` in
        that cohort ("n/a" where it did not find the pattern), ``alike``, the correlation of its map
        with that of the other cohorts, corrected for errors, ``p_present``, and by arm ``n``,
        ``explained`` and ``sharing`` with their intervals.
    """
    require_combined(combined)
    cohorts = combined["cohorts"].to_dataset()
    present = combined["posterior"]["present"].mean(SAMPLE)
    rows = []
    for factor in cohorts[FACTOR].values:
        for name in cohorts[COHORT].values:
            one = cohorts.sel({FACTOR: factor, COHORT: name})
            row = {
                "factor": str(factor),
                "cohort": str(name),
                "own_factor": str(one["own_factor"].values),
                "own_label": str(one["own_label"].values),
                "alike": float(one["alike"]),
                "p_present": float(present.sel({FACTOR: factor, COHORT: name})),
            }
            for arm in cohorts[ARM].values:
                own = one.sel({ARM: arm})
                row[f"n_{arm}"] = int(own["n"])
                for number in ("explained", "sharing"):
                    for end in ("", "_lower", "_upper"):
                        row[f"{number}_{arm}{end}"] = float(own[f"{number}{end}"])
            rows.append(row)
    return pd.DataFrame(rows)


def tabulate_weights(combined: xr.DataTree) -> pd.DataFrame:
    """List the symptom weights over cohorts.

    Parameters
    ----------
    combined : DataTree
        What `combine_cohorts` returned.

    Returns
    -------
    DataFrame
        One row per pattern and symptom: ``mean``, ``sd``, ``lower``, ``upper``, ``p_positive``, and
        the interval in a new cohort, ``new_lower`` and ``new_upper``; empty without symptoms.
    """
    require_combined(combined)
    columns = ["mean", "sd", "lower", "upper", "p_positive", "new_lower", "new_upper"]
    if "symptoms" not in combined.children:
        return pd.DataFrame(columns=[FACTOR, SYMPTOM, *columns])
    stored = combined["symptoms"].to_dataset()
    return stored[columns].to_dataframe(dim_order=[FACTOR, SYMPTOM]).reset_index()


def gather_combined_maps(combined: xr.DataTree, table: pd.DataFrame) -> xr.Dataset:
    """Gather the maps of the patterns, as `bayes_mdd.signatures` does for one cohort.

    Parameters
    ----------
    combined : DataTree
        What `combine_cohorts` returned.
    table : DataFrame
        What `summarise_combined` returned.

    Returns
    -------
    Dataset
        Dims ``(factor, feature)``; `bayes_mdd.export_signatures` and the figures of maps take it.
    """
    loadings = require_combined(combined)["loadings"].to_dataset()
    used = table[table["label"] != UNUSED].set_index("factor")
    loadings = loadings.sel({FACTOR: list(used.index)})
    chosen = ["mean", "sd", "lower", "upper", "p_positive"]
    chosen += ["inclusion"] if "inclusion" in loadings else []
    sig = loadings[chosen].drop_vars(ARM, errors="ignore")
    sig = sig.assign_coords(
        {c: (FACTOR, used[c].to_numpy(dtype=str)) for c in ("label", "networks", "name")}
    )
    names = ", ".join(json.loads(combined.attrs["cohorts"]))
    sig.attrs = {
        "estimand": str(combined.attrs.get("estimand", "expression")),
        "units": str(loadings.attrs["units"]),
        "feature_units": str(combined.attrs.get("units", "unknown")),
        "ci_prob": float(loadings.attrs["ci_prob"]),
        "ci_kind": str(loadings.attrs["ci_kind"]),
        "reference": f"{combined.attrs.get('reference', 'not stated')} of each cohort",
        "provenance": json.dumps({"combined": names, "version": combined.attrs.get("version")}),
    }
    return sig
