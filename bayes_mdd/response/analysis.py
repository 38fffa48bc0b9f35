"""The second stage as a whole: fit, test of moderation, value of the rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.response.balance import tabulate_balance
from bayes_mdd.response.checks import check_response
from bayes_mdd.response.facts import average_effect, compare_priors, plan_of_trial, why_no_value
from bayes_mdd.response.fit import BENEFIT_SD, fit_response
from bayes_mdd.response.flow import count_flow, find_incomplete
from bayes_mdd.response.missing import assess_missing, tipping_points
from bayes_mdd.response.mixture import MOST_FACTORS
from bayes_mdd.response.moderation import Moderation, assess_moderation
from bayes_mdd.response.policy import evaluate_rule
from bayes_mdd.response.policy_value import PolicyValue
from bayes_mdd.response.power import Plan
from bayes_mdd.response.prepare import prepare
from bayes_mdd.response.scores import RELIABILITY, score_moments
from bayes_mdd.response.splits import ScoreSource
from bayes_mdd.response.stored_outcomes import OUTCOMES_GROUP, store_outcomes
from bayes_mdd.response.tables import summarise_response
from bayes_mdd.results.checks import judge
from bayes_mdd.specs import EvaluationSpec, SamplerSpec
from bayes_mdd.specs.response import ResponseSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class ResponseAnalysis:
    """Everything that a run says about treatment response.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    response : DataTree
        From `fit_response`.
    summary : DataFrame
        From `summarise_response`, with the ``reliability`` that the scores of each factor have
        according to the fit of the scans.
    moderation : Moderation or None
        Test and verdict; None without factors.
    value : PolicyValue or None
        Value of the learned rule; None where it cannot be estimated.
    no_value : str
        Why there is no value.
    average : mapping of str to float
        Average effect, other drug minus default, in points: ``mean``, ``lower``, ``upper``,
        ``p_below_zero``.
    flow : DataFrame
        Numbers of patients by arm, see `bayes_mdd.response.flow.count_flow`.
    balance : DataFrame
        The arms before treatment, see `bayes_mdd.response.balance.tabulate_balance`.
    priors : DataFrame
        SD of the benefit with a weaker and a stronger prior of it: ``moderation_scale``,
        ``benefit_sd``, ``p_above_rope``.
    checks : DataFrame
        Checks of the second stage.
    plan : Plan or None
        The trial as the power planner sees it; its ``benefit_sd`` is what the trial would have
        found with a power of 0.8, in residual SD of the outcome. None without factors.
    detectable : float or None
        The same SD of the benefit in points.
    missing : DataFrame or None
        From `missing_sensitivity`, where at least 5% of the patients have no outcome.
    no_missing : str
        Why there is no such table.
    """

    spec: ResponseSpec
    response: xr.DataTree
    summary: pd.DataFrame
    moderation: Moderation | None
    value: PolicyValue | None
    no_value: str
    average: Mapping[str, float]
    flow: pd.DataFrame
    balance: pd.DataFrame
    priors: pd.DataFrame
    checks: pd.DataFrame
    plan: Plan | None
    detectable: float | None
    missing: pd.DataFrame | None = None
    no_missing: str = ""

    @property
    def other_arm(self) -> str:
        """The drug that is compared with the default."""
        return str(self.response.attrs["other_arm"])

    @property
    def sentence(self) -> str:
        """The verdict on moderation in words."""
        if self.moderation is None:
            return (
                "The scans show no factor that could be used, so there is nothing by which to "
                "choose between the drugs."
            )
        return self.moderation.sentence

    def to_mapping(self) -> dict[str, Any]:
        """Convert the verdict to values that JSON can represent.

        Returns
        -------
        dict
            Question, verdict, sizes with intervals, tests; None where a number is not defined.
        """
        spec, value, found = self.spec, self.value, self.moderation
        draws = (
            found.benefit_sd
            if found
            else self.response["posterior"].to_dataset()[BENEFIT_SD].values
        )
        return {
            "outcome": spec.outcome,
            "default_arm": spec.default_arm,
            "other_arm": self.other_arm,
            "assignment": spec.assignment,
            "method": str(self.response.attrs["method"]),
            "patients": int(self.flow["analysed"].sum()),
            "checks_passed": judge(self.checks).passed,
            "verdict": found.verdict if found else "no factor",
            "sentence": self.sentence,
            "p_value": _plain(found.p_value) if found else None,
            "benefit_sd": {
                "mean": _plain(draws.mean()),
                "lower": _plain(np.quantile(draws, 0.05)),
                "upper": _plain(np.quantile(draws, 0.95)),
                "p_above_rope": _plain(found.p_above_rope) if found else None,
                "rope": _plain(found.rope) if found else None,
            },
            "average_effect": {k: _plain(v) for k, v in self.average.items()},
            "detectable_benefit_sd": _plain(self.detectable),
            "policy": None
            if value is None
            else {
                "stage_one": value.stage_one,
                "scores": value.describe(),
                "counts": dict(value.counts),
                "p_randomisation": _plain(value.p_randomisation),
                "z_sequential": _plain(value.z_sequential),
                "p_sequential": _plain(value.p_sequential),
                "share_of_other_drug": _plain(value.changed),
                "calibration_slope": _plain(value.calibration.attrs["slope"]),
                "autoc": _plain(value.toc.attrs["autoc"]),
                "qini": _plain(value.toc.attrs["qini"]),
            },
            "no_policy_value_because": self.no_value or None,
            "missing": self._missing(),
            "not_varied_because": self.no_missing or None,
        }

    def _missing(self) -> dict[str, Any] | None:
        if self.missing is None:
            return None
        rows = tipping_points(self.missing).drop(columns="tipping").to_dict("records")
        return {
            "patients": self.missing.attrs["patients"],
            "missing": self.missing.attrs["missing"],
            "tipping": [{str(k): str(v) for k, v in row.items()} for row in rows],
        }


def _plain(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


@one_blas_thread()
def analyse_response(
    spec: ResponseSpec,
    scores: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    visits: pd.DataFrame | None = None,
    *,
    evaluation: EvaluationSpec | None = None,
    sampler: SamplerSpec | None = None,
    method: Literal["mcmc", "fast"] = "mcmc",
    incomplete: Literal["refuse", "exclude"] = "refuse",
    refit: ScoreSource | None = None,
    progressbar: bool = True,
) -> ResponseAnalysis:
    """Fit the second stage, test moderation, and evaluate the rule that follows from it.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    scores : DataTree, Dataset or DataFrame
        What `score_moments` accepts.
    outcomes : DataFrame
        As for `fit_response`.
    visits : DataFrame, optional
        As for `fit_response`: patients without an outcome enter the estimates through their earlier
        visits. The test of moderation uses the patients with an outcome; the value of the rule
        weights them by the probability of being known.
    evaluation : EvaluationSpec, optional
        Permutations and folds.
    sampler : SamplerSpec, optional
        Draws, chains and seed; the seed also serves tests and folds.
    method : {"mcmc", "fast"}, default "mcmc"
        As for `fit_response`.
    incomplete : {"refuse", "exclude"}, default "refuse"
        What to do about patients with an outcome whose baseline or covariates are not known:
        an error that lists them, or leave them out and count them.
    refit : ScoreSource, optional
        A `StageOne` of the features, which fits the factors again without the patients of each
        fold when the rule is evaluated. Default: `scores` serve all folds, and the result says so.
    progressbar : bool, default True
        Whether to show the progress of the chains.

    Returns
    -------
    ResponseAnalysis
        Fit, verdict, value and checks.

    Raises
    ------
    DataContractError
        If scores or outcomes cannot be used.
    SpecError
        If the method does not support the spec, or folds do not fit the arms.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> few = bm.EvaluationSpec(permutations=99, policy_permutations=0, repeats=1)
    >>> found = bm.analyse_response(
    ...     spec, trial.scores, trial.outcomes, evaluation=few, method="fast"
    ... )
    >>> found.to_mapping()["verdict"]
    'not determinable'
    """
    evaluation = evaluation or EvaluationSpec()
    sampler = sampler or SamplerSpec()
    moments = score_moments(scores)
    everyone = outcomes
    if incomplete == "exclude":
        lacking = {i for ids in find_incomplete(spec, outcomes).values() for i in ids}
        outcomes = outcomes[[str(i) not in lacking for i in outcomes.index]]
    prepared = prepare(spec, moments, outcomes)
    if not why_no_value(prepared) and (problems := check_folds(spec, prepared.table, evaluation)):
        raise SpecError(" ".join(problems))
    response = fit_response(
        spec, moments, outcomes, visits, sampler=sampler, method=method, progressbar=progressbar
    )
    response[OUTCOMES_GROUP] = xr.DataTree(store_outcomes(prepared.table))
    no_value = why_no_value(prepared)
    value = None
    if not no_value:
        value = evaluate_rule(
            spec,
            moments,
            outcomes,
            folds=evaluation.folds,
            refit=refit,
            repeats=evaluation.repeats if refit is None else evaluation.refit_repeats,
            n_permutations=evaluation.policy_permutations,
            seed=sampler.seed,
        )
    moderation = None
    if 1 <= len(prepared.factors) <= MOST_FACTORS:
        moderation = assess_moderation(
            spec, moments, outcomes, n_permutations=evaluation.permutations, response=response,
            seed=sampler.seed,
        )  # fmt: skip
    plan, unit = plan_of_trial(prepared, moments)
    summary = summarise_response(response)
    summary["reliability"] = moments[RELIABILITY].sel({FACTOR: list(prepared.factors)}).values
    missing, no_missing = assess_missing(spec, moments, outcomes, visits, seed=sampler.seed)
    fitted = {str(s) for s in response["observed_data"].to_dataset()[SUBJECT].values}
    return ResponseAnalysis(
        spec=spec,
        response=response,
        summary=summary,
        moderation=moderation,
        value=value,
        no_value=no_value,
        average=average_effect(response),
        flow=count_flow(spec, everyone, set(moments[SUBJECT].values.astype(str)), fitted),
        balance=tabulate_balance(spec, everyone),
        priors=compare_priors(prepared, sampler.seed),
        checks=check_response(response),
        plan=plan,
        detectable=None if plan is None or np.isnan(plan.benefit_sd) else plan.benefit_sd * unit,
        missing=missing,
        no_missing=no_missing,
    )


def check_folds(spec: ResponseSpec, table: pd.DataFrame, evaluation: EvaluationSpec) -> list[str]:
    """Check that the arms are large enough for the folds, before anything is computed.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    table : DataFrame
        Rows of the patients that will be analysed.
    evaluation : EvaluationSpec
        Number of folds.

    Returns
    -------
    list of str
        Problems.
    """
    least = int(table["arm"].value_counts().min())
    if spec.kind not in ("gaussian", "student") or evaluation.folds <= least // 2:
        return []
    return [
        f"evaluation.folds is {evaluation.folds}, but the smaller arm has {least} patients: give "
        f"at most {least // 2}."
    ]
