"""Files of the outcomes of a simulated cohort: design, null twin, who left, truth."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import xarray as xr

from bayes_mdd.simulate._cohort import SimulatedCohort
from bayes_mdd.simulate._design import HAMD17, MODERATOR, PROGNOSTIC, SESSIONS
from bayes_mdd.simulate._response import HIGHEST, NOISE_SD, NULL_TWIN, PROGNOSIS

_CROSSOVER: Final = """\
Planted in the HAMD-17 total after 8 weeks: a crossover. One SD more of the score {moderator}
gives {benefit_sd:g} points fewer on {other} than on {default}, one SD less as many points more:
half of the patients do better on each drug, and the drugs are equal on average. This is several
times more than real trials have shown; it is chosen so that this small cohort can show it. In
hamd17_null the same patients have the same totals without the crossover: nothing is planted by
which to choose a drug. Noise: SD {noise_sd:g} points.
"""
_PROGNOSIS: Final = """\
One SD more of {prognostic} gives {prognosis:g} points more in both, on either drug: prognosis, no
reason to choose a drug.
"""
_DESIGN: Final = """\
All patients whose first rating is too incomplete for a total left before the second.

Arms are declared as randomised, because chance decided them in the simulation. The factors that
are specific to one drug ({specific}) are planted by arm nevertheless. Scans before treatment of a
randomised trial cannot differ so; here they show what such a factor looks like.
"""


def describe_design(simulated: SimulatedCohort) -> dict[str, Any]:
    """Declare what the simulation did: chance decided the arms, in equal parts at each site."""
    arms = simulated.settings["n_subjects"]
    design: dict[str, Any] = {"Assignment": "randomised", "Default": next(iter(arms))}
    if len(arms) == 2:
        design["AllocationProbability"] = round([*arms.values()][1] / sum(arms.values()), 4)
    return design | ({"Strata": ["site"]} if simulated.settings["sites"] > 1 else {})


def describe_response(simulated: SimulatedCohort) -> str:
    """Say what is planted in the outcome, and how the arms came about."""
    truth, arms = simulated.truth, list(simulated.settings["n_subjects"])
    parts = []
    if truth["moderation"].any():
        parts.append(
            _CROSSOVER.format(
                moderator=MODERATOR,
                benefit_sd=simulated.settings["benefit_sd"],
                default=arms[0],
                other=arms[1],
                noise_sd=NOISE_SD,
            )
        )
    if truth["prognosis"].any():
        parts.append(_PROGNOSIS.format(prognostic=PROGNOSTIC, prognosis=PROGNOSIS))
    names = truth["factor"].values[(truth["sharing"] == 1).any("arm").values]
    return "".join([*parts, _DESIGN.format(specific=", ".join(names) or "none")])


def benefit_table(truth: xr.Dataset) -> pd.DataFrame:
    table = pd.DataFrame({"participant_id": truth["subject"].values})
    table["benefit"] = truth["benefit"].values
    for arm in truth["arm"].values:
        table[f"expected_{arm}"] = truth["expected"].sel(arm=arm).values
    return table


def slopes_table(truth: xr.Dataset) -> pd.DataFrame:
    names = ("factor", "moderation", "prognosis")
    return pd.DataFrame({name: truth[name].values for name in names})


def describe_sessions() -> dict[str, Any]:
    return {
        "Description": "Visit",
        "Levels": {SESSIONS[0]: "Before treatment", SESSIONS[1]: "After 8 weeks"},
    }


def null_sidecar() -> dict[str, Any]:
    return {
        "MeasurementToolMetadata": {
            "Description": "Twin of the HAMD-17 total: no drug helps anybody more than the other",
            "Scale": f"{NULL_TWIN}.yaml",
            "Items": "total only",
            "HigherIsBetter": False,
        },
        "session_id": describe_sessions(),
        f"{NULL_TWIN}_total": {"Description": "Total", "MinValue": 0, "MaxValue": HIGHEST},
    }


def null_scale() -> str:
    """Define the scale of the twin: items and range of the HAMD-17."""
    items = [
        f"  - {{id: {i}, text: {text}, min: 0, max: {m}}}" for i, (text, m, _) in HAMD17.items()
    ]
    return "\n".join(
        [
            f"name: {NULL_TWIN}",
            "title: Null twin of the HAMD-17 (simulated totals)",
            "missing_rule: totals only",
            "items:",
            *items,
            "dimensions:",
            f"  {NULL_TWIN}_total:",
            "    aggregate: sum",
            "    max_missing: 0",
            f"    items: [{', '.join(HAMD17)}]",
            "",
        ]
    )


def disposition_sidecar() -> dict[str, Any]:
    """Describe the table of patients who left."""
    return {
        "participant_id": {"Description": "Patients who left before the last visit"},
        "last_session": {"Description": "Last visit with a rating"},
        "reason": {"Description": "Why the patient left"},
    }
