"""The figures of an analysis of treatment response, for files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, SUBJECT
from bayes_mdd.response.figures.baselines import MEASURES, plot_baselines
from bayes_mdd.response.figures.crossover import plot_crossover
from bayes_mdd.response.figures.factors import plot_response_factors
from bayes_mdd.response.figures.missing import plot_tipping
from bayes_mdd.response.figures.policy import (
    plot_benefit_calibration,
    plot_gain_curve,
    plot_priorities,
)
from bayes_mdd.results.drawings import BOTH_INTERVALS, NINETY_INTERVAL, Drawing

#: Figures of the value of a rule, by table: what they show, and how they are drawn.
_OF_A_RULE = {
    "curve": (plot_gain_curve, "Gain of the rule by the share of patients with a preference."),
    "toc": (plot_priorities, "Gain of patients of highest predicted benefit beyond the average."),
    "calibration": (plot_benefit_calibration, "Observed against predicted benefit, held out."),
}
#: Their intervals, and those over patients.
NORMAL = "90%, normal approximation"


def list_drawings(
    response: xr.DataTree, tables: Mapping[str, pd.DataFrame], with_participants: bool
) -> list[Drawing]:
    """List the figures that an analysis of treatment response supports.

    Parameters
    ----------
    response : DataTree
        What `read_response` returned.
    tables : mapping of str to DataFrame
        Tables of its folder by name without suffix, as far as there are any.
    with_participants : bool
        Whether figures with one mark per participant are wanted.

    Returns
    -------
    list of Drawing
        Their names start with "response".
    """
    n = int(response["observed_data"].sizes[SUBJECT])
    names = response["posterior"].to_dataset()[FACTOR].values.astype(str)
    found = []
    if names.size:
        found.append(
            Drawing(
                name="response_factors", n=n, interval=BOTH_INTERVALS,
                caption="Prognosis on either drug beside moderation of the difference, by factor.",
                draw=partial(plot_response_factors, response),
            )
        )  # fmt: skip
    marks = "one mark per patient" if with_participants else "means of groups of patients"
    found += [
        Drawing(
            name=f"response_crossover-{name}", n=n, interval=NINETY_INTERVAL, factor=str(name),
            caption=f"Outcome on each drug and benefit against {name}, {marks}.",
            draw=partial(
                plot_crossover, response, factor=str(name), points=with_participants
            ),
        )
        for name in names
    ]  # fmt: skip
    for key, (draw, caption) in _OF_A_RULE.items():
        if key in tables:
            found.append(
                Drawing(
                    name=f"response_{key}", caption=caption, n=n, interval=NORMAL,
                    draw=partial(draw, tables[key], n=n),
                )
            )  # fmt: skip
    if "missing" in tables:
        table = tables["missing"]
        spec = json.loads(response.attrs["spec"])
        table.attrs["arms"] = {
            "other": str(response.attrs["other_arm"]), "default": str(spec["default_arm"])
        }  # fmt: skip
        if "tipping" in tables:
            table.attrs["tipping"] = tables["tipping"].to_dict("records")
        found.append(
            Drawing(
                name="response_missing", n=n, interval=NORMAL, draw=partial(plot_tipping, table),
                caption="Results by what missing outcomes are assumed to be.",
            )
        )  # fmt: skip
    if "baselines" in tables:
        table, paired = tables["baselines"], tables.get("baselines_paired")
        found += [
            Drawing(
                name=f"response_baselines-{key}", n=n, interval="90% over patients, 95% of pairs",
                caption=f"Machine-learning baselines: {words}, held out.",
                draw=partial(plot_baselines, table, paired, measure=key, n=n),
            )
            for key, (words, _) in MEASURES.items()
            if key in table and table[key].notna().any()
        ]  # fmt: skip
    return found
