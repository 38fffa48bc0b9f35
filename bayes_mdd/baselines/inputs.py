"""Checks of everything that is compared, and the arrays that methods see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.baselines.methods import (
    BOTH,
    CHOICE,
    CLINICAL,
    EARLY,
    PROGNOSIS,
)
from bayes_mdd.baselines.request import EVENTS, Request, check_request
from bayes_mdd.baselines.tasks import fold_problems, idle_methods
from bayes_mdd.dims import CONTROL, DIAGNOSIS, SITE, SUBJECT
from bayes_mdd.errors import BayesMDDError, DataContractError, SpecError, problems_of, some
from bayes_mdd.features import hide_arms, reference_to_controls
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.copies import find_copies, say_copies
from bayes_mdd.features.order import in_standard_order
from bayes_mdd.response.column_checks import PROPENSITY
from bayes_mdd.response.outcome_values import remission_limit
from bayes_mdd.response.prepare import Prepared, prepare
from bayes_mdd.response.scores import build_moments
from bayes_mdd.specs import AnalysisSpec
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.studies.stage_one import StageOne
from bayes_mdd.types import Array, BoolArray
from bayes_mdd.workflow.resolve import resolve_spec

#: The factor model unless another one is given.
STAGE_ONE: Final = AnalysisSpec.from_mapping(
    {
        "model": {"n_factors": 8, "covariates_if_present": ["site", "age", "sex", "mean_fd"]},
        "reference": {"covariates_if_present": ["age", "sex", "mean_fd"]},
    }
)
#: Last week of an early change.
EARLY_WEEKS: Final = 2.0


@dataclass(frozen=True, eq=False)
class Checked:
    """A request that can be honoured.

    Parameters
    ----------
    request : Request
        With the methods and views that are left.
    cases : Cases
        The patients.
    notes : tuple of str
        What was left out, and what to know about the rest.
    """

    request: Request
    cases: Cases
    notes: tuple[str, ...]


def check_inputs(
    spec: ResponseSpec,
    features: xr.Dataset,
    outcomes: pd.DataFrame,
    request: Request,
    *,
    visits: pd.DataFrame | None,
    stage_one: AnalysisSpec | None,
) -> Checked:
    """Check a request against the data, and build what methods see.

    Parameters
    ----------
    spec : ResponseSpec
        Outcome, baseline, covariates and arms.
    features : Dataset
        FeatureSet.
    outcomes : DataFrame
        One row per patient.
    request : Request
        What a user asks for.
    visits : DataFrame, optional
        From `read_visits`.
    stage_one : AnalysisSpec, optional
        The factor model and the reference.

    Returns
    -------
    Checked
        The request, and the patients.

    Raises
    ------
    DataContractError, SpecError
        If anything cannot be used; every problem is listed.
    """
    problems = check_request(request)
    if spec.kind not in ("gaussian", "student", "binary"):
        problems.append(
            f"baselines predict outcomes in points or a binary outcome, got kind '{spec.kind}'."
        )
    of_data: list[str] = []
    prepared = None
    try:
        check_features(features)
        features = in_standard_order(features)
        prepared = _prepare(spec, features, outcomes)
    except BayesMDDError as error:
        of_data = problems_of(error)
    notes: list[str] = []
    early = None
    if EARLY in request.views:
        early, found = _early_change(spec, visits, prepared)
        of_data += found
    if prepared is not None and not problems:
        request, found, said = _fit_request(spec, prepared, features, request)
        of_data += found
        notes += said
    if not problems and not of_data and prepared is not None:
        try:
            cases, said = _build(spec, prepared, features, request, early, stage_one or STAGE_ONE)
            notes += said
        except BayesMDDError as error:
            of_data = problems_of(error)
        else:
            of_data = [*fold_problems(cases, request), *idle_methods(cases, request)]
            if not of_data:
                return Checked(request, cases, tuple(notes))
    if of_data:
        raise DataContractError("baselines", [*problems, *of_data])
    raise SpecError("compare_baselines: " + " ".join(problems))


def _prepare(spec: ResponseSpec, features: xr.Dataset, outcomes: pd.DataFrame) -> Prepared:
    names = features[SUBJECT].values.astype(str)[~_controls(features)]
    n = names.size
    without_scores = build_moments(
        np.zeros((n, 0)), np.zeros((n, 0, 0)), names, np.zeros(0, dtype=str), {}
    )
    return prepare(spec, without_scores, outcomes)


def _controls(features: xr.Dataset) -> BoolArray:
    if DIAGNOSIS not in features.coords:
        return np.zeros(features.sizes[SUBJECT], dtype=bool)
    return np.asarray(features[DIAGNOSIS].values.astype(str) == CONTROL)


def _early_change(
    spec: ResponseSpec, visits: pd.DataFrame | None, prepared: Prepared | None
) -> tuple[Array | None, list[str]]:
    """Change of the rating from baseline to the last visit up to week 2."""
    if visits is None:
        return None, [
            "view 'early' needs the ratings of the first weeks: pass visits=read_visits(...)."
        ]
    lacking = [c for c in ("participant_id", "week", "value") if c not in visits]
    if lacking:
        return None, [f"visits lack the columns {some(lacking)}: pass read_visits(...)."]
    if spec.baseline is None:
        return None, ["view 'early' is a change from baseline: name the column in spec.baseline."]
    if prepared is None:
        return None, []
    week = pd.to_numeric(visits["week"], errors="coerce")
    rows = visits[(week > 0) & (week <= EARLY_WEEKS) & visits["value"].notna()]
    rows = rows.assign(participant_id=rows["participant_id"].astype(str)).sort_values("week")
    last = rows.groupby("participant_id")["value"].last()
    found = last.reindex(pd.Index(prepared.subjects))
    if not found.notna().any():
        return None, [
            f"no patient was rated in the first {EARLY_WEEKS:g} weeks of the drug, so there is no "
            "early change: leave out view 'early'."
        ]
    change = found.to_numpy(dtype=float) - prepared.table[spec.baseline].to_numpy(dtype=float)
    return change, []


def _fit_request(
    spec: ResponseSpec, prepared: Prepared, features: xr.Dataset, request: Request
) -> tuple[Request, list[str], list[str]]:
    """Leave out what these data do not allow, unless it was asked for by name."""
    problems, notes = [], []
    methods, views = request.methods, request.views
    if not (spec.baseline or spec.covariates):
        without = tuple(v for v in views if v not in (CLINICAL, BOTH))
        notes.append(
            "The spec names neither baseline nor covariates: there is no clinical view, and no "
            "comparison with what is known without a scan."
        )
        if not without or (request.named and CLINICAL in methods):
            problems.append("there are no clinical columns: name spec.baseline or spec.covariates.")
        views = without
        methods = tuple(m for m in methods if m != CLINICAL)
    why = _why_no_choice(spec, prepared)
    only = [m for m in methods if m in CHOICE and m not in PROGNOSIS]
    if why and only:
        if request.named:
            problems.append(f"{some(only)} cannot be evaluated: {why}.")
        else:
            notes.append(f"Choice of the drug is not compared: {why}.")
        methods = tuple(m for m in methods if m not in only)
    if request.scheme == "leave_site_out":
        sites = _sites(prepared.table, features, prepared.subjects)
        if sites is None:
            problems.append("scheme 'leave_site_out' needs a column 'site' of the outcomes.")
        elif len(set(sites)) < 2:
            problems.append(
                "scheme 'leave_site_out' needs two sites or more, all patients are from "
                f"{sites[0]}."
            )
    return replace(request, methods=methods, views=views), problems, notes


def _why_no_choice(spec: ResponseSpec, prepared: Prepared) -> str:
    if spec.kind not in ("gaussian", "student"):
        return f"gains are estimated in points, and the outcome is {spec.kind}"
    if spec.assignment == "observational" and PROPENSITY not in prepared.table:
        return (
            "arms were not randomised, and the probability of each drug is not known (column "
            "'propensity')"
        )
    return ""


def _sites(
    table: pd.DataFrame, features: xr.Dataset, subjects: tuple[str, ...]
) -> list[str] | None:
    if SITE in table:
        return table[SITE].astype(str).tolist()
    if SITE not in features.coords:
        return None
    by_name = dict(zip(features[SUBJECT].values.astype(str), features[SITE].values, strict=True))
    return [str(by_name[s]) for s in subjects]


def _build(
    spec: ResponseSpec,
    prepared: Prepared,
    features: xr.Dataset,
    request: Request,
    early: Array | None,
    stage_one: AnalysisSpec,
) -> tuple[Cases, list[str]]:
    ids = np.array(prepared.subjects)
    names = features[SUBJECT].values.astype(str)
    control = _controls(features)
    kept = features.isel({SUBJECT: np.flatnonzero(control | np.isin(names, ids))})
    kept = kept.drop_vars([v for v in kept.data_vars if v != "y"])
    hidden = hide_arms(kept)
    resolved, notes = resolve_spec(stage_one, hidden, pd.DataFrame(index=pd.Index(names)))
    of_controls = bool(control.any()) and resolved.reference.group == "controls"
    group: Literal["controls", "patients"] = "controls" if of_controls else "patients"
    referenced = features.attrs.get("units") != "z"
    covariates = resolved.reference.covariates
    if referenced:
        # Refuses what cannot be standardised; folds repeat it with their training patients.
        reference_to_controls(hidden, covariates, group=group)
        if group == "patients":
            notes.append("Features are standardised against the training patients of each fold.")
    elif features.attrs.get("reference_group") != "controls":
        notes.append(
            "The features were standardised within the patients before the folds: pass them as "
            "measured, so that this is learned in each fold."
        )
    y = kept["y"].transpose(SUBJECT, "feature").values.astype(float)
    at = {name: i for i, name in enumerate(kept[SUBJECT].values.astype(str))}
    rows = np.array([at[i] for i in ids])
    healthy = np.flatnonzero(_controls(kept)) if group == "controls" else np.zeros(0, dtype=int)
    nuisance = _nuisance(kept, covariates if referenced else ())
    event, event_name, problems = _event(spec, prepared, request)
    if problems:
        raise DataContractError("baselines", problems)
    points = None
    if spec.kind != "binary":
        points = prepared.trial.outcome + prepared.level
    if event is None:
        notes.append(event_name)
    sites = _sites(prepared.table, features, prepared.subjects) or [""] * ids.size
    levels, code = np.unique(np.array(sites), return_inverse=True)
    harmonise = request.harmonise if levels.size > 1 else "none"
    if copies := find_copies(kept):
        notes.append(f"{say_copies(copies)} Copies in training and test folds inflate accuracy.")
    if early is not None and (unrated := int(np.isnan(early).sum())):
        notes.append(
            f"{unrated} of {ids.size} patients were not rated in the first {EARLY_WEEKS:g} weeks; "
            "view 'early' gives them the mean change of the training patients and an indicator."
        )
    cases = Cases(
        prepared=prepared,
        edges=y[rows],
        controls=y[healthy],
        nuisance=nuisance[rows],
        nuisance_controls=nuisance[healthy],
        clinical=tuple([*([spec.baseline] if spec.baseline else []), *spec.covariates]),
        early=early,
        event=event,
        event_name=event_name,
        points=points,
        propensity=_propensity(prepared),
        site=code.astype(np.int64),
        sites=tuple(levels.tolist()),
        referenced=referenced,
        stage_one=StageOne(
            features=hidden if group == "controls" else hidden.isel({SUBJECT: rows}),
            factors=replace(resolved, reference=replace(resolved.reference, group=group))
            if referenced
            else resolved.model,
        ),
        harmonise=harmonise,
        combat_features=kept if harmonise == "combat" else None,
        choice=not _why_no_choice(spec, prepared),
    )
    return cases, notes


def _nuisance(features: xr.Dataset, covariates: Sequence[str]) -> Array:
    columns = [np.zeros((features.sizes[SUBJECT], 0))]
    for name in covariates:
        values = features[name].values
        if values.dtype.kind in "fiub":
            number = values.astype(float)
            columns.append((number - number.mean())[:, None])
        else:
            levels = np.unique(values.astype(str))
            columns.append((values.astype(str)[:, None] == levels[1:]).astype(float))
    return np.column_stack(columns)


def _event(
    spec: ResponseSpec, prepared: Prepared, request: Request
) -> tuple[BoolArray | None, str, list[str]]:
    """Whether the event occurs, its name (or why there is none), and problems."""
    table = prepared.table
    value = table[spec.outcome].to_numpy(dtype=float)
    if spec.kind == "binary":
        return value == 1, f"{spec.outcome} = 1", []
    limit = remission_limit(spec)
    halved = None
    if spec.baseline is not None and not spec.higher_is_better:
        before = table[spec.baseline].to_numpy(dtype=float)
        halved = (value <= before / 2) if (before > 0).all() else None
    known: dict[str, tuple[BoolArray | None, str]] = {
        "response": (halved, f"response (at least 50% fewer points of {spec.outcome})"),
        "remission": (
            None if limit is None else value <= limit,
            f"remission ({spec.outcome} of at most {limit:g})" if limit is not None else "",
        ),
    }
    names = EVENTS if request.event is None else (request.event,)
    reasons = []
    for name in names:
        event, text = known[name]
        if event is None:
            need = (
                "needs spec.baseline above 0 and an outcome of which lower is better"
                if name == "response"
                else "is defined for totals of known scales (hamd17, madrs)"
            )
            reasons.append(f"{name} {need}")
            continue
        least = int(min(event.sum(), (~event).sum()))
        needed = 2 if request.scheme == "leave_site_out" else request.folds
        if least < needed:
            reasons.append(
                f"{name} divides the patients into {int(event.sum())} and {int((~event).sum())}, "
                f"at least {needed} of each are needed"
            )
            continue
        return event, text, []
    said = "; ".join(reasons)
    if request.event is not None:
        return None, "", [f"event '{request.event}' cannot be predicted: {said}."]
    return None, f"No event is predicted, only points: {said}.", []


def _propensity(prepared: Prepared) -> Array:
    if PROPENSITY in prepared.table:
        return prepared.table[PROPENSITY].to_numpy(dtype=float)
    other, stratum = prepared.trial.other, prepared.stratum
    size = np.bincount(stratum)
    share = np.bincount(stratum, other) / size
    # A stratum in which all received one drug has the allocation of the trial.
    share = np.where((share > 0) & (share < 1), share, other.mean())
    return np.asarray(share[stratum])
