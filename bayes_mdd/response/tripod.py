"""The TRIPOD+AI checklist of a run: what the run can answer, and what the authors must add."""

from __future__ import annotations

from typing import Final

import pandas as pd

from bayes_mdd.response.analysis import ResponseAnalysis
from bayes_mdd.response.tripod_items import ITEMS
from bayes_mdd.specs.treatment_response import TreatmentResponseSpec

FROM_RUN: Final = "from the run"
PARTLY: Final = "partly from the run"
AUTHORS: Final = "for the authors"
#: Items of which a run knows a part only.
_PARTS: Final = frozenset(
    ("4", "5a", "6a", "6c", "8a", "9a", "9b", "10", "20b", "20c", "23a", "26", "27b")
)
_REFERENCE: Final = {"controls": "healthy controls", "patients": "the patients"}


def tripod_table(
    analysis: ResponseAnalysis, spec: TreatmentResponseSpec | None = None
) -> pd.DataFrame:
    """Fill the TRIPOD+AI checklist from a run.

    Parameters
    ----------
    analysis : ResponseAnalysis
        From `analyse_response`.
    spec : TreatmentResponseSpec, optional
        The spec of the whole analysis; names scale, sessions and settings of the first stage.

    Returns
    -------
    DataFrame
        One row per item of the checklist: ``item``, ``section``, ``report``, what is to be
        reported; ``status``: "from the run", "partly from the run" or "for the authors";
        ``answer``, what the run says, empty for the authors. Numbers of participants only, no
        rows.

    References
    ----------
    .. [1] Collins, G. S. et al. (2024). TRIPOD+AI statement: updated guidance for reporting
       clinical prediction models that use regression or machine learning methods. BMJ, 385,
       e078378.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> asked = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> few = bm.EvaluationSpec(permutations=99, policy_permutations=0, repeats=1)
    >>> found = bm.analyse_response(
    ...     asked, trial.scores, trial.outcomes, evaluation=few, method="fast"
    ... )
    >>> bm.tripod_table(found).set_index("item").loc["17", "status"]
    'for the authors'
    """
    answers = _methods(analysis, spec) | _results(analysis)
    rows = []
    for item, section, report in ITEMS:
        answer = answers.get(item, "")
        status = AUTHORS if not answer else PARTLY if item in _PARTS else FROM_RUN
        rows.append((item, section, report, status, answer))
    return pd.DataFrame(rows, columns=["item", "section", "report", "status", "answer"])


def describe_tripod(table: pd.DataFrame) -> str:
    """Count the items that a run answers.

    Parameters
    ----------
    table : DataFrame
        From `tripod_table`.

    Returns
    -------
    str
        A sentence for a report.
    """
    counts = table["status"].value_counts()
    known, part, left = (int(counts.get(name, 0)) for name in (FROM_RUN, PARTLY, AUTHORS))
    return (
        f"TRIPOD+AI checklist: of {len(table)} items, {known} are answered by this run and {part} "
        f"in part; {left} are for the authors (tripod_ai.tsv)."
    )


def _methods(analysis: ResponseAnalysis, whole: TreatmentResponseSpec | None) -> dict[str, str]:
    spec, value = analysis.spec, analysis.value
    arms = f"{analysis.other_arm} against {spec.default_arm}"
    fast = analysis.response.attrs["method"] == "fast"
    adjusted = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    how = "randomised, as declared" if spec.assignment == "randomised" else "not randomised"
    found = {
        "4": f"Development with internal validation of a rule that chooses between {arms}; "
        "prognosis and moderation are reported apart.",
        "6c": f"{arms}; arms {how}; declared default {spec.default_arm}. A switch or a stop counts "
        "as an outcome of the drug that was given.",
        "8a": f"{spec.outcome} ({spec.kind}), "
        f"{'higher' if spec.higher_is_better else 'lower'} is better"
        + (
            f"; session {whole.outcome.endpoint}, before treatment {whole.outcome.baseline}."
            if whole is not None
            else "."
        ),
        "9a": f"{len(analysis.summary)} factors of the scans, found without arms and outcomes; "
        f"covariates stated before: {', '.join(adjusted) or 'none'}. Nothing was selected by the "
        "outcome.",
        "9b": "Factor scores of scans before treatment, with their uncertainty; reliability of "
        f"each score (believed): {_join(analysis.summary, 'reliability')}.",
        "12b": "Scores have SD 1 over patients and enter linearly, with their uncertainty "
        "integrated out; covariates enter linearly or as levels.",
        "12c": f"Bayesian regression, {'fast approximation' if fast else 'MCMC'}: main effects "
        "and interactions with the drug of all factors, noise by arm. Prior scales (SD of the "
        f"outcome): drug {spec.drug_scale:g}, moderation {spec.moderation_scale:g}, prognosis "
        f"{spec.prognosis_scale:g}; nothing is tuned.",
        "12d": "Sites have effects of their own."
        if spec.site_effects and _has_sites(analysis)
        else "No effects of sites.",
        "12f": "None.",
        "13": "Not used.",
        "15": f"Benefit in points and its probability. A drug is preferred if P(benefit > 0) >= "
        f"{spec.p_star:g} and the expected benefit exceeds "
        f"{float(analysis.response['constant_data']['minimum']):.2g} points"
        + (f" beyond a cost of {spec.cost:g}" if spec.cost else "")
        + "; otherwise no preference.",
        "16": "None: evaluated on held-out patients of the same trial.",
        "18f": "bayes-mdd; version, settings and seed are in provenance.json and spec.yaml.",
        "27a": "New patients outside the scores of the fitted ones get no recommendation; missing "
        "features are refused.",
        "27b": "Scans must be processed as those of the fit, and projected on its factors.",
    }
    if value is not None:
        found["12a"] = "Cross-validation, repeated; every patient is judged by rules that did " + (
            f"not see this patient. {value.describe()}"
        )
        found["12e"] = (
            "Gain over the declared default, the better fixed drug and a random choice (augmented "
            "inverse probability weighting), number needed to treat, gain-abstention curve, "
            "targeting operator characteristic, calibration for benefit, randomisation p."
        )
        found["12g"] = "By the rule that the other folds taught."
    if whole is not None:
        found["7"] = (
            f"Features were standardised relative to {_REFERENCE[whole.stage_one.reference.group]}"
            "; quality checks are in checks.json and the report of the factors."
        )
    return found


def _results(analysis: ResponseAnalysis) -> dict[str, str]:
    flow, value = analysis.flow, analysis.value
    n = int(flow["analysed"].sum())
    found = {
        "5a": f"{int(flow['assigned'].sum())} patients with an arm, "
        f"{int(flow['scanned'].sum())} scanned.",
        "11": "Patients without an outcome, by arm and reason: "
        + "; ".join(f"{r['arm']}: {r['missing']}" for r in flow.to_dict("records"))
        + ". Nothing is imputed singly. "
        + (
            "Results under other assumptions are in missing.tsv."
            if analysis.missing is not None
            else analysis.no_missing
        ),
        "20a": "; ".join(
            f"{r['arm']}: assigned {r['assigned']}, scanned {r['scanned']}, with an outcome "
            f"{r['outcome']}, analysed {r['analysed']}"
            for r in flow.to_dict("records")
        )
        + ".",
        "21": f"{n} patients in the model"
        + ("" if value is None else f" and, held out, in the evaluation ({len(value.people)})")
        + ".",
        "22": "summary.tsv has all slopes; posterior.nc has the draws; `bayes-mdd recommend` "
        "applies the model to new patients.",
        "24": "None.",
        "26": f"{analysis.sentence} Internal validation only.",
    }
    if analysis.detectable is not None:
        found["10"] = (
            f"With {n} patients, a benefit SD of {analysis.detectable:.1f} could be found with a "
            "power of 0.8."
        )
        found["26"] += f" A benefit SD below {analysis.detectable:.1f} could have been missed."
    if value is not None:
        gains = "; ".join(
            f"over {name}: {row['gain']:.2f} [{row['lower']:.2f}, {row['upper']:.2f}]"
            for name, row in value.table.iterrows()
        )
        found["23a"] = f"Held-out gain in points, 90% interval, {gains}. No subgroups."
        found["23b"] = "Not examined."
    return found


def _has_sites(analysis: ResponseAnalysis) -> bool:
    columns = analysis.response["posterior"].coords
    names = columns["column"].values if "column" in columns else []
    return any(str(name).startswith("site: ") for name in names)


def _join(summary: pd.DataFrame, column: str) -> str:
    return ", ".join(f"{name} {row[column]:.2f}" for name, row in summary.iterrows()) or "none"
