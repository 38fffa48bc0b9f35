"""The page about treatment response: numbers of participants, not their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.errors import DataContractError
from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.response.figures.benefits import plot_benefits
from bayes_mdd.response.figures.crossover import plot_crossover
from bayes_mdd.response.figures.factors import plot_response_factors
from bayes_mdd.response.figures.policy import plot_benefit_calibration, plot_gain_curve
from bayes_mdd.results.checks import judge
from bayes_mdd.results.page import Picture, check_row, embed, format_number, render_page, write_page

TEMPLATE: Final = "response.html.j2"
TITLE: Final = "Treatment response"
REFERENCES: Final = (
    "Freedman D, Lane D (1983). A nonstochastic interpretation of reported significance levels. "
    "Journal of Business & Economic Statistics 1, 292-298.",
    "Robins JM, Rotnitzky A, Zhao LP (1994). Estimation of regression coefficients when some "
    "regressors are not always observed. JASA 89, 846-866.",
    "Yadlowsky S, Fleming S, Shah N, Brunskill E, Wager S (2025). Evaluating treatment "
    "prioritization rules via rank-weighted average treatment effects. JASA 120, 38-51.",
)


def write_response_report(
    analysis: ResponseAnalysis,
    path: str | Path,
    *,
    controls: pd.DataFrame | None = None,
    title: str | None = None,
) -> Path:
    """Write one self-contained HTML page about treatment response.

    Parameters
    ----------
    analysis : ResponseAnalysis
        From `analyse_response`.
    path : str or Path
        The file; its folder must exist.
    controls : DataFrame, optional
        From `negative_controls`.
    title : str, optional
        Heading.

    Returns
    -------
    Path
        `path`. The page holds no ids and no rows of patients.

    Raises
    ------
    WriteError
        If the file cannot be written.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.write_response_report(found, "response.html")  # doctest: +SKIP
    """
    page = render_page("bayes_mdd.response", TEMPLATE, _content(analysis, controls, title))
    return write_page(Path(path), page)


def _content(
    analysis: ResponseAnalysis, controls: pd.DataFrame | None, title: str | None
) -> dict[str, Any]:
    spec, response = analysis.spec, analysis.response
    checks = analysis.checks if controls is None else pd.concat([analysis.checks, controls])
    return {
        "title": title or f"{TITLE}: {analysis.other_arm} or {spec.default_arm}",
        "default": spec.default_arm,
        "other": analysis.other_arm,
        "outcome": spec.outcome,
        "randomised": spec.assignment == "randomised",
        "reason": spec.allow_observational,
        "approximate": response.attrs["method"] == "fast",
        "failed": not judge(checks).passed,
        "sentence": analysis.sentence,
        "average": _say_average(analysis),
        "detectable": _say_detectable(analysis),
        "flow": analysis.flow.to_dict("records"),
        "adjusted": _say_adjusted(analysis),
        "factors": _factor_rows(analysis.summary),
        "moderation": _moderation(analysis),
        "priors": [
            {name: format_number(value) for name, value in row.items()}
            for row in analysis.priors.to_dict("records")
        ],
        "value": _value(analysis),
        "no_value": analysis.no_value,
        "decision": _say_decision(analysis),
        "checks": [check_row(row) for _, row in analysis.checks.iterrows()],
        "controls": [] if controls is None else [check_row(row) for _, row in controls.iterrows()],
        "pictures": _draw(analysis),
        "references": REFERENCES,
    }


def _interval(mean: float, low: float, high: float, digits: int = 2) -> str:
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _better(analysis: ResponseAnalysis) -> str:
    """Name the drug whose estimated mean outcome is better."""
    sign = -1.0 if analysis.spec.higher_is_better else 1.0
    return analysis.other_arm if sign * analysis.average["mean"] < 0 else analysis.spec.default_arm


def _say_average(analysis: ResponseAnalysis) -> str:
    found, spec = analysis.average, analysis.spec
    size = _interval(found["mean"], found["lower"], found["upper"])
    clear = found["lower"] > 0 or found["upper"] < 0
    points = "points" if spec.kind in ("gaussian", "student") else "SD of the latent outcome"
    return (
        f"Mean outcome on {analysis.other_arm} minus that on {spec.default_arm}: {size} {points} "
        f"(90% interval). "
        + (
            f"On average {_better(analysis)} is better; this says nothing about a single patient."
            if clear
            else "The interval includes no difference."
        )
    )


def _say_detectable(analysis: ResponseAnalysis) -> str:
    if not len(analysis.summary):
        return ""
    n = int(analysis.flow["analysed"].sum())
    k = len(analysis.summary)
    start = f"With {n} patients, {k} factor{'s' if k > 1 else ''} and this quality of scores, "
    if analysis.detectable is None:
        return start + "this trial could not have found any plausible moderation."
    points = f"{analysis.detectable:.1f} points"
    if analysis.spec.kind not in ("gaussian", "student"):
        points = f"{analysis.detectable:.2f} (in the unit of the outcome as a number)"
    return (
        start + f"this trial could have found a benefit SD of {points} with a power of 0.8 (F test "
        "of all interactions at 0.05, closed form). Smaller differences between patients may exist."
    )


def _say_adjusted(analysis: ResponseAnalysis) -> str:
    spec = analysis.spec
    names = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    columns = analysis.response["posterior"].coords
    if "column" in columns and any(str(c).startswith("site: ") for c in columns["column"].values):
        names.append("site")
    return ", ".join(names) or "nothing"


def _factor_rows(summary: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, row in summary.iterrows():
        cells = {
            kind: _interval(row[kind], row[f"{kind}_lower"], row[f"{kind}_upper"])
            for kind in ("prognosis", "moderation")
        }
        rows.append(
            {
                "factor": str(name),
                **cells,
                "p_prognosis": f"{row['p_prognosis']:.2f}",
                "p_moderation": f"{row['p_moderation']:.2f}",
                "inclusion": f"{row['inclusion']:.2f}" if "inclusion" in row else "",
                "reliability": f"{row['reliability']:.2f}",
                "quiet": bool(row["reliability"] < 0.5),
            }
        )
    return rows


def _moderation(analysis: ResponseAnalysis) -> dict[str, str] | None:
    found = analysis.moderation
    if found is None:
        return None
    draws = pd.Series(found.benefit_sd)
    return {
        "p": f"{found.p_value:.3f}",
        "permutations": str(len(found.null)),
        "benefit_sd": _interval(
            float(draws.mean()), float(draws.quantile(0.05)), float(draws.quantile(0.95))
        ),
        "rope": f"{found.rope:.2f}",
        "p_above": f"{found.p_above_rope:.2f}",
        "verdict": found.verdict,
    }


def _value(analysis: ResponseAnalysis) -> dict[str, Any] | None:
    value = analysis.value
    if value is None:
        return None
    rows = []
    for name, row in value.table.iterrows():
        cells = {
            "name": str(name),
            "gain": _interval(row["gain"], row["lower"], row["upper"]),
            "ipw": f"{row['gain_ipw']:.2f}",
        }
        if "remission" in row:
            share = [100 * row[c] for c in ("remission", "remission_lower", "remission_upper")]
            cells["remission"] = _interval(share[0], share[1], share[2], 1)
            cells["nnt"] = "not determinable" if pd.isna(row["nnt"]) else f"{row['nnt']:.0f}"
        rows.append(cells)
    p_value = value.p_randomisation
    return {
        "rows": rows,
        "remission": "remission" in value.table,
        "p_randomisation": "not computed" if pd.isna(p_value) else f"{p_value:.3f}",
        "p_sequential": f"{value.p_sequential:.3f}",
        "slope": format_number(value.calibration.attrs["slope"]),
        "changed": f"{100 * value.changed:.0f}",
        "scores": value.describe(),
    }


def _say_decision(analysis: ResponseAnalysis) -> str:
    spec = analysis.spec
    minimum = float(analysis.response["constant_data"]["minimum"])
    return (
        f"A drug is preferred if the probability of any benefit is at least {spec.p_star:g} and "
        f"the expected benefit{f' beyond a cost of {spec.cost:g}' if spec.cost else ''} exceeds "
        f"{minimum:.2g} points. Without a preference the declared default, {spec.default_arm}, or "
        "the wish of the patient stands."
    )


def _draw(analysis: ResponseAnalysis) -> dict[str, Picture | None]:
    pictures: dict[str, Picture | None] = dict.fromkeys(
        ("factors", "crossover", "benefits", "gain", "calibration")
    )
    response, spec, value = analysis.response, analysis.spec, analysis.value
    if not len(analysis.summary):
        return pictures
    pictures["factors"] = embed(
        plot_response_factors(response), "factors",
        "Prognosis beside moderation of each factor, with 50% and 90% intervals",
    )  # fmt: skip
    try:
        crossover = plot_crossover(response)
    except DataContractError:
        crossover = None
    if crossover is not None:
        pictures["crossover"] = embed(
            crossover, "crossover",
            "Outcome on each drug, and the benefit of the other drug, against the factor with the "
            "largest moderation",
        )  # fmt: skip
    if value is None:
        return pictures
    minimum = float(response["constant_data"]["minimum"])
    figures = {
        "benefits": (
            plot_benefits(
                value.people, minimum=minimum, arms=(spec.default_arm, analysis.other_arm)
            ),
            "Benefit of each held-out patient, sorted, with 50% and 90% intervals",
        ),
        "gain": (
            plot_gain_curve(value.curve),
            "Gain of the rule against the share of patients with a preference",
        ),
        "calibration": (
            plot_benefit_calibration(value.calibration),
            "Observed against predicted benefit in groups of held-out patients",
        ),
    }
    drawn = {name: embed(figure, name, alt) for name, (figure, alt) in figures.items()}
    return pictures | drawn
