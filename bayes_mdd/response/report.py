"""The page about treatment response: numbers of participants, not their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pandas as pd
import xarray as xr

from bayes_mdd.evidence.section import literature_section
from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.response.missing_section import missing_section, visits_of
from bayes_mdd.response.page.choice import (
    count_hundred,
    describe_value,
    draw_value,
    say_decision,
)
from bayes_mdd.response.page.effects import (
    describe_moderation,
    factor_rows,
    say_average,
    say_prognosis,
)
from bayes_mdd.response.page.further import BASELINES_COMMAND, Further, describe_baselines
from bayes_mdd.response.page.pictures import (
    draw_crossovers,
    draw_factors,
    draw_power,
    say_detectable,
)
from bayes_mdd.response.page.who import describe_patients
from bayes_mdd.response.page.words import in_points
from bayes_mdd.response.scores import factor_names
from bayes_mdd.response.tripod import describe_tripod, tripod_table
from bayes_mdd.results.checks import judge
from bayes_mdd.results.page import Row, Table, check_row, render_page, write_page
from bayes_mdd.specs.treatment_response import TreatmentResponseSpec

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
    factors: xr.DataTree | None = None,
    further: Further | None = None,
    spec: TreatmentResponseSpec | None = None,
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
    factors : DataTree, optional
        The fit of the factors, whose maps are compared with the literature.
    further : Further, optional
        Baselines, from `bayes_mdd.response.page.further.read_further`.
    spec : TreatmentResponseSpec, optional
        The spec of the whole analysis, for the TRIPOD+AI table.
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
    content = (
        _question(analysis, controls, title)
        | describe_patients(analysis)
        | _effects(analysis)
        | _choice(analysis)
        | _checks(analysis, controls)
        | {
            "baselines": describe_baselines(further or Further()),
            "baselines_command": BASELINES_COMMAND,
            "missing": missing_section(
                analysis.spec, analysis.missing, analysis.no_missing, visits_of(analysis.response)
            ),
            "literature": literature_section(factors, analysis.response),
            "references": REFERENCES,
        }
        | _tripod(analysis, spec)
    )
    return write_page(Path(path), render_page("bayes_mdd.response", TEMPLATE, content))


def _question(
    analysis: ResponseAnalysis, controls: pd.DataFrame | None, title: str | None
) -> dict[str, Any]:
    spec = analysis.spec
    checks = analysis.checks if controls is None else pd.concat([analysis.checks, controls])
    return {
        "title": title or f"{TITLE}: {analysis.other_arm} or {spec.default_arm}",
        "default": spec.default_arm,
        "other": analysis.other_arm,
        "outcome": spec.outcome,
        "points": in_points(spec),
        "better": "higher" if spec.higher_is_better else "lower",
        "randomised": spec.assignment == "randomised",
        "reason": spec.allow_observational,
        "approximate": analysis.response.attrs["method"] == "fast",
        "failed": [str(c) for c in checks["name"][checks["passed"].eq(False)]],
        "passed": judge(checks).passed,
        "sentence": analysis.sentence,
        "detectable": say_detectable(analysis),
    }


def _effects(analysis: ResponseAnalysis) -> dict[str, Any]:
    return {
        "average": say_average(analysis),
        "prognosis": say_prognosis(analysis) if len(analysis.summary) else "",
        "factors": factor_rows(analysis.summary, factor_names(analysis.response)),
        "factors_picture": draw_factors(analysis),
        "moderation": describe_moderation(analysis),
        "crossovers": draw_crossovers(analysis),
    }


def _choice(analysis: ResponseAnalysis) -> dict[str, Any]:
    return {
        "decision": say_decision(analysis),
        "value": describe_value(analysis),
        "no_value": analysis.no_value,
        "pictures": draw_value(analysis),
        "hundred": count_hundred(analysis),
        "power_picture": draw_power(analysis),
    }


def _checks(analysis: ResponseAnalysis, controls: pd.DataFrame | None) -> dict[str, Any]:
    return {
        "checks": [check_row(row) for _, row in analysis.checks.iterrows()],
        "controls": [] if controls is None else [check_row(row) for _, row in controls.iterrows()],
    }


def _tripod(analysis: ResponseAnalysis, spec: TreatmentResponseSpec | None) -> dict[str, Any]:
    table = tripod_table(analysis, spec)
    rows = [
        Row(
            [str(r[c]) for c in ("item", "report", "status", "answer")],
            "quiet" if r["status"] == "for the authors" else "",
        )
        for r in table.to_dict("records")
    ]
    heads = ("item", "to be reported", "status", "from the run")
    caption = "TRIPOD+AI: what the run answers, and what is left for the authors"
    items = Table("tripod", caption, heads, rows, stack=True)
    return {"tripod": describe_tripod(table), "items": items}
