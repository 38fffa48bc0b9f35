"""The second stage as a whole: fit, test of moderation, value of the rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.response.checks import check_response
from bayes_mdd.response.detectable import smallest_benefit_sd
from bayes_mdd.response.fit import BENEFIT_SD, DRUG, fit_response
from bayes_mdd.response.flow import count_flow, find_incomplete
from bayes_mdd.response.mixture import MOST_FACTORS, fit_mixture
from bayes_mdd.response.moderation import Moderation, assess_moderation
from bayes_mdd.response.policy import PolicyValue, evaluate_policy
from bayes_mdd.response.power import Plan
from bayes_mdd.response.prepare import Prepared, prepare
from bayes_mdd.response.scores import RELIABILITY, score_moments
from bayes_mdd.response.tables import summarise_response
from bayes_mdd.results.rules import RULES
from bayes_mdd.specs import EvaluationSpec, SamplerSpec
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator

#: Scales of the prior of the SD of the benefit that are always compared.
PRIOR_SCALES = (0.1, 0.25, 0.5)
#: Group of a result that holds the rows of the analysed patients.
OUTCOMES_GROUP = "outcomes"


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
    priors : DataFrame
        SD of the benefit with a weaker and a stronger prior of it: ``moderation_scale``,
        ``benefit_sd``, ``p_above_rope``.
    checks : DataFrame
        Checks of the second stage.
    detectable : float or None
        SD of the benefit, in points, that the trial would have found with a power of 0.8.
    """

    spec: ResponseSpec
    response: xr.DataTree
    summary: pd.DataFrame
    moderation: Moderation | None
    value: PolicyValue | None
    no_value: str
    average: Mapping[str, float]
    flow: pd.DataFrame
    priors: pd.DataFrame
    checks: pd.DataFrame
    detectable: float | None

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
        draws = self.response["posterior"].to_dataset()[BENEFIT_SD].values
        return {
            "outcome": spec.outcome,
            "default_arm": spec.default_arm,
            "other_arm": self.other_arm,
            "assignment": spec.assignment,
            "method": str(self.response.attrs["method"]),
            "patients": int(self.flow["analysed"].sum()),
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
                "p_randomisation": _plain(value.p_randomisation),
                "z_sequential": _plain(value.z_sequential),
                "p_sequential": _plain(value.p_sequential),
                "share_of_other_drug": _plain(value.changed),
                "calibration_slope": _plain(value.calibration.attrs["slope"]),
                "autoc": _plain(value.toc.attrs["autoc"]),
                "qini": _plain(value.toc.attrs["qini"]),
            },
            "no_policy_value_because": self.no_value or None,
        }


def _plain(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def analyse_response(
    spec: ResponseSpec,
    scores: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    evaluation: EvaluationSpec | None = None,
    sampler: SamplerSpec | None = None,
    method: Literal["mcmc", "fast"] = "mcmc",
    incomplete: Literal["refuse", "exclude"] = "refuse",
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
    evaluation : EvaluationSpec, optional
        Permutations and folds.
    sampler : SamplerSpec, optional
        Draws, chains and seed; the seed also serves tests and folds.
    method : {"mcmc", "fast"}, default "mcmc"
        As for `fit_response`.
    incomplete : {"refuse", "exclude"}, default "refuse"
        What to do about patients with an outcome whose baseline or covariates are not known:
        an error that lists them, or leave them out and count them.
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
    response = fit_response(
        spec, moments, outcomes, sampler=sampler, method=method, progressbar=progressbar
    )
    response[OUTCOMES_GROUP] = xr.DataTree(store_outcomes(prepared.table))
    no_value = _why_no_value(prepared)
    value = None
    if not no_value:
        value = evaluate_policy(
            spec,
            moments,
            outcomes,
            folds=evaluation.folds,
            repeats=evaluation.repeats,
            n_permutations=evaluation.policy_permutations,
            seed=sampler.seed,
        )
    moderation = None
    if 1 <= len(prepared.factors) <= MOST_FACTORS:
        moderation = assess_moderation(
            spec, moments, outcomes, n_permutations=evaluation.permutations, seed=sampler.seed
        )
    summary = summarise_response(response)
    summary["reliability"] = moments[RELIABILITY].sel({FACTOR: list(prepared.factors)}).values
    return ResponseAnalysis(
        spec=spec,
        response=response,
        summary=summary,
        moderation=moderation,
        value=value,
        no_value=no_value,
        average=_average(response),
        flow=count_flow(
            spec, everyone, set(moments[SUBJECT].values.astype(str)), set(prepared.subjects)
        ),
        priors=_compare_priors(prepared, sampler.seed),
        checks=check_response(response),
        detectable=_detectable(prepared, moments),
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


def store_outcomes(table: pd.DataFrame) -> xr.Dataset:
    """Arrange the rows of the analysed patients so that they can be stored.

    Parameters
    ----------
    table : DataFrame
        Indexed by participant.

    Returns
    -------
    Dataset
        One variable per column, numbers as they are and everything else as text.
    """
    columns = {}
    for name, values in table.items():
        number = pd.api.types.is_numeric_dtype(values) and values.dtype != bool
        columns[str(name)] = (
            SUBJECT,
            values.to_numpy(dtype=float) if number else values.astype(str).to_numpy(dtype=object),
        )
    return xr.Dataset(columns, coords={SUBJECT: table.index.to_numpy().astype(object)})


def restore_outcomes(response: xr.DataTree) -> pd.DataFrame:
    """Read the rows of the analysed patients out of a stored result.

    Parameters
    ----------
    response : DataTree
        The ``response`` of `analyse_response`.

    Returns
    -------
    DataFrame
        Indexed by participant.

    Raises
    ------
    SpecError
        If the result holds none.
    """
    if OUTCOMES_GROUP not in response.children:
        raise SpecError("The result holds no outcomes: it was not written by analyse_response.")
    table = response[OUTCOMES_GROUP].to_dataset().to_dataframe()
    table.index = pd.Index([str(i) for i in table.index], name="participant_id")
    return table


def _average(response: xr.DataTree) -> dict[str, float]:
    drug = response["posterior"].to_dataset()[DRUG].values
    tail = (1 - RULES.ci_prob) / 2
    return {
        "mean": float(drug.mean()),
        "lower": float(np.quantile(drug, tail)),
        "upper": float(np.quantile(drug, 1 - tail)),
        "p_below_zero": float((drug < 0).mean()),
    }


def _why_no_value(prepared: Prepared) -> str:
    """Say why a rule cannot be evaluated; empty if it can."""
    spec, k = prepared.spec, len(prepared.factors)
    if not k:
        return "there is no factor, so no rule is learned"
    if k > MOST_FACTORS:
        return f"rules are learned from at most {MOST_FACTORS} factors, there are {k}"
    if spec.kind not in ("gaussian", "student"):
        return f"gains are estimated in points, and the outcome is {spec.kind}"
    if spec.assignment == "observational" and "propensity" not in prepared.table:
        return (
            "arms were not randomised, and the probability of each drug is not known (column "
            "propensity)"
        )
    return ""


def _compare_priors(prepared: Prepared, seed: int) -> pd.DataFrame:
    if not 1 <= len(prepared.factors) <= MOST_FACTORS:
        return pd.DataFrame(columns=["moderation_scale", "benefit_sd", "p_above_rope"])
    rope = prepared.spec.rope * prepared.trial.residual_sd()
    rows = []
    for scale in sorted({*PRIOR_SCALES, prepared.spec.moderation_scale}):
        mixture = fit_mixture(prepared.trial, replace(prepared.scales, moderation=scale))
        drawn = mixture.draw(generator(seed, Stream.RESPONSE), 4000)
        size = prepared.trial.benefit_sd(drawn.moderation)
        rows.append(
            {
                "moderation_scale": scale,
                "benefit_sd": float(size.mean()),
                "p_above_rope": float((size > rope).mean()),
            }
        )
    return pd.DataFrame(rows)


def _detectable(prepared: Prepared, moments: xr.Dataset) -> float | None:
    if not prepared.factors:
        return None
    reliability = float(moments[RELIABILITY].sel({FACTOR: list(prepared.factors)}).mean())
    other = prepared.trial.other
    plan = Plan(
        candidates=len(prepared.factors),
        reliability=max(reliability, 1e-3),
        share_other=float(other.mean()),
    )
    found = smallest_benefit_sd(int(other.size), plan)
    return None if found is None else found * prepared.trial.residual_sd()
