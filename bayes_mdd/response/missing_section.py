"""The part of the report about missing outcomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import xarray as xr

from bayes_mdd.response.figures.missing import plot_tipping
from bayes_mdd.response.missing import tipping_points
from bayes_mdd.response.missing_scenarios import ALL
from bayes_mdd.results.page import embed, render_page
from bayes_mdd.specs.response import ResponseSpec

TEMPLATE: Final = "missing.html.j2"


def missing_section(
    spec: ResponseSpec, table: pd.DataFrame | None, why: str, sessions: Sequence[str]
) -> str:
    """Write what missing outcomes could change.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    table : DataFrame or None
        From `missing_sensitivity`.
    why : str
        Why there is none.
    sessions : sequence of str
        Visits that entered the fit; empty if none did.

    Returns
    -------
    str
        A section of HTML for `bayes_mdd.results.page`, without anything about single patients.
    """
    content: dict[str, Any] = {"missing": None, "why": why, "picture": None}
    if table is not None:
        content |= {
            "missing": _describe(table, sessions),
            "picture": embed(
                plot_tipping(table), "If missing outcomes are worse",
                "Average benefit and gain against the points by which missing outcomes are worse",
            ),
            "default": spec.default_arm,
            "other": table.attrs["arms"]["other"],
        }  # fmt: skip
    return render_page("bayes_mdd.response", TEMPLATE, content)


def visits_of(response: xr.DataTree) -> list[str]:
    """Read which visits entered a fit.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.

    Returns
    -------
    list of str
        Their sessions, the endpoint last; empty if patients without an outcome were left out.
    """
    return [str(s) for s in json.loads(response.attrs.get("visits", "[]"))]


def say_handling(sessions: Sequence[str]) -> str:
    """Say what became of patients without an outcome.

    Parameters
    ----------
    sessions : sequence of str
        Visits that entered the fit; empty if none did.

    Returns
    -------
    str
        Sentences.
    """
    end = "Outcomes are never carried forward or imputed once."
    if sessions:
        return (
            "Patients without an outcome enter the estimates through their earlier visits, which "
            "is valid if outcomes are missing at random given arm, baseline, covariates, scores "
            f"and these visits; the moderation test uses patients with an outcome. {end}"
        )
    return (
        "Patients without an outcome are left out, which is valid if outcomes are missing at "
        f"random given arm, baseline, covariates and scores. {end}"
    )


def _describe(table: pd.DataFrame, sessions: Sequence[str]) -> dict[str, Any]:
    tipping = tipping_points(table)
    attrs = table.attrs
    names = {"both": "both arms", **attrs["arms"]}
    return {
        "share": f"{attrs['missing']} of {attrs['patients']} patients "
        f"({100 * attrs['missing'] / attrs['patients']:.0f}%)",
        "without_visits": attrs["without_visits"],
        "sessions": ", ".join(sessions),
        "rows": [_row(row, names) for row in table.to_dict("records")],
        "tipping": [
            {"result": r["result"], "arms": names[r["arms"]], "reasons": r["reasons"],
             "said": r["said"]}
            for r in tipping.to_dict("records")
        ],
        "sentence": tipping_sentence(tipping, names, attrs["reach"]),
        "changed": _say_changed(attrs, names),
    }  # fmt: skip


def tipping_sentence(tipping: pd.DataFrame, names: Mapping[str, str], reach: float) -> str:
    """Say in one sentence how much worse missing outcomes must be to change the average effect.

    Parameters
    ----------
    tipping : DataFrame
        From `tipping_points`.
    names : mapping of str to str
        Names of "both", "other" and "default".
    reach : float
        Largest delta that was searched.

    Returns
    -------
    str
        The sentence.
    """
    rows = tipping[(tipping["result"] == "average effect") & (tipping["reasons"] == ALL)]
    found = rows[rows["tipping"].notna()].sort_values("tipping")
    if not len(found):
        return (
            "The sign of the average effect does not depend on what the missing outcomes are, "
            f"as long as they are at most {reach:g} points worse than expected."
        )
    first = found.iloc[0]
    return (
        "The average effect changes its sign if the missing outcomes on "
        f"{names[first['arms']]} are {first['tipping']:.1f} points worse than expected from "
        "arm, baseline, scores and earlier visits."
    )


def _row(row: Mapping[Any, Any], names: Mapping[str, str]) -> dict[str, str]:
    def interval(*keys: str) -> str:
        mean, low, high = (row[k] for k in keys)
        return "not estimated" if pd.isna(mean) else f"{mean:.2f} [{low:.2f}, {high:.2f}]"

    share = row["share_changed"]
    return {
        "delta": f"{row['delta']:g}",
        "arms": names[row["arms"]],
        "reasons": str(row["reasons"]),
        "shifted": str(row["shifted"]),
        "average": interval("average_benefit", "average_lower", "average_upper"),
        "gain": interval("gain", "gain_lower", "gain_upper"),
        "changed": "not given" if pd.isna(share) else f"{100 * share:.0f}",
    }


def _say_changed(attrs: Mapping[Any, Any], names: Mapping[str, str]) -> str:
    """Count the recommendations that change up to the largest delta, without naming anyone."""
    people = pd.DataFrame(attrs["people"])
    if "recommendation" not in people:
        return ""
    counts = [
        f"{int(people[f'tipping_{arms}'].notna().sum())} (worse in {name})"
        for arms, name in names.items()
    ]
    return (
        f"Of {len(people)} recommendations by rules that did not see the patient, so many change "
        f"if missing outcomes are up to {attrs['reach']:g} points worse: {', '.join(counts)}."
    )
