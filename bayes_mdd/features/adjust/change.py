"""Change between two sessions as features."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, MISSING, SESSION, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.additions import (
    HALF_DIFFERENCE,
    PIECES,
    RAW_MEAN,
    RAW_SD,
    RAW_UNITS,
    SESSION_DIFFERENCE,
    drop_additions,
)
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.matrices import FISHER_Z, R
from bayes_mdd.features.provenance import extend_provenance, left_out_text
from bayes_mdd.features.repetition_time import REPETITION_TIME
from bayes_mdd.features.view_coordinates import same_values

#: Settings of the measurement that must be equal in both sessions.
SAME = ("source", "measure", "estimator", "fisher_z", "band", "tr", "scale", "transform")
#: Coordinates of the subjects that must not differ between sessions.
CONSTANT = ("arm", "diagnosis", "site", "sex")


def change_features(followup: xr.Dataset, baseline: xr.Dataset) -> xr.Dataset:
    """Subtract baseline from follow-up, for the subjects with both sessions.

    The estimand is the change of a subject between two sessions, not the pattern at baseline. It
    is affected by regression to the mean, by drop-out and, without randomised arms, by the reasons
    for the choice of the drug.

    Parameters
    ----------
    followup, baseline : xarray.Dataset
        Feature sets of the two sessions with the same features, as measured (before
        `reference_to_controls`). Features are matched by name.

    Returns
    -------
    xarray.Dataset
        Feature set in the order of `baseline`. The subjects have their coordinates at baseline;
        covariates that differ at follow-up are added as ``<name>_followup``. The attribute
        ``estimand`` is "change"; ``left_out`` lists subjects without follow-up or baseline. If the
        features are Fisher z or r, ``raw_mean`` is the mean of the reference subjects (controls if
        there are any, else subjects with an arm) at baseline and ``raw_sd`` is 1. If both sessions
        have half differences, that of the change is their difference; pieces of the scan and
        differences between sessions are left out.

    Raises
    ------
    DataContractError
        If features, units, measure or regions differ; if a feature set is already standardised; if
        arm, diagnosis, site or sex differs between sessions; or if fewer than 3 subjects have both
        sessions.

    See Also
    --------
    reference_to_controls : Standardise the change; do not apply it to the two sessions.

    Examples
    --------
    >>> def session(shift):
    ...     names = {"subject": ["s1", "s2", "s3"], "feature": ["a--b"]}
    ...     on = {"block": ("feature", ["N-N"]), "arm": ("subject", ["X", "X", "X"])}
    ...     y = [[0.1 + shift], [0.2], [0.4]]
    ...     return xr.Dataset({"y": (("subject", "feature"), y)}, names | on)
    >>> change = change_features(session(0.5), session(0.0))
    >>> change["y"].values.ravel().tolist(), change.attrs["estimand"]
    ([0.5, 0.0, 0.0], 'change')
    """
    problems = [
        *_set_problems(followup, "follow-up"),
        *_set_problems(baseline, "baseline"),
    ]
    problems = problems or [
        *_feature_problems(followup, baseline),
        *_method_problems(followup, baseline),
    ]
    if problems:
        raise DataContractError("change", problems)
    late, early = ([str(s) for s in d[SUBJECT].values] for d in (followup, baseline))
    both = [s for s in early if s in set(late)]
    left_out = {
        "no follow-up": [s for s in early if s not in set(both)],
        "no baseline": [s for s in late if s not in set(both)],
    }
    if len(both) < 3:
        raise DataContractError("change", [_too_few(both, early, late)])
    before = baseline.sel({SUBJECT: both})
    after = followup.sel({SUBJECT: both, FEATURE: baseline[FEATURE].values})
    problems = _subject_problems(after, before)
    if problems:
        raise DataContractError("change", problems)
    change = _subtract(after, before)
    facts = {"n": len(both), "sessions": [_sessions(before), _sessions(after)]}
    change = change.assign_coords(_followup_coordinates(after, before)).assign_attrs(
        estimand="change",
        reference="none (follow-up minus baseline)",
        provenance=extend_provenance(change.attrs.get("provenance"), change=facts),
        **left_out_text("both sessions needed", {k: v for k, v in left_out.items() if v}),
    )
    if "arm" in change.coords:
        check_features(change)  # refuses features with the same change in all subjects
    return change


def _subtract(after: xr.Dataset, before: xr.Dataset) -> xr.Dataset:
    """Subtract values and half differences; keep the mean at baseline as raw scale."""
    names = ["y"]
    if HALF_DIFFERENCE in after and HALF_DIFFERENCE in before:
        names.append(HALF_DIFFERENCE)
    change = before.assign(
        {name: ((SUBJECT, FEATURE), after[name].values - before[name].values) for name in names}
    )
    lacking = [HALF_DIFFERENCE] if len(names) == 1 else []
    change = drop_additions(
        change, [*lacking, SESSION_DIFFERENCE, PIECES], "not defined for a change between sessions"
    )
    units = before.attrs.get("units")
    if units not in (FISHER_Z, R):
        return change
    mean = before["y"].values[_reference_subjects(before)].astype(np.float64).mean(axis=0)
    return change.assign_coords(
        {RAW_MEAN: (FEATURE, mean), RAW_SD: (FEATURE, np.ones_like(mean))}
    ).assign_attrs({RAW_UNITS: units})


def _reference_subjects(features: xr.Dataset) -> Any:
    """Mark controls; without controls, subjects with an arm; without arms, all subjects."""
    for name, value, equal in ((DIAGNOSIS, CONTROL, True), (ARM, MISSING, False)):
        if name in features.coords:
            chosen = (features[name].values.astype(str) == value) == equal
            if chosen.any():
                return chosen
    return np.ones(features.sizes[SUBJECT], dtype=bool)


def _set_problems(features: xr.Dataset, when: str) -> list[str]:
    if not isinstance(features, xr.Dataset) or "y" not in features:
        return [f"{when} is not a feature set: expected a Dataset with y (subject, feature)."]
    problems = []
    for dim in (SUBJECT, FEATURE):
        names = features[dim].values.astype(str)
        unique, count = np.unique(names, return_counts=True)
        if (count > 1).any():
            problems.append(
                f"{when} repeats the {dim}(s) {some(unique[count > 1])}: names must be unique."
            )
    if features.attrs.get("units") == "z":
        problems.append(
            f"{when} is already standardised ({features.attrs.get('reference', 'z')}), so the "
            "sessions would differ in zero and unit. Compute the change of the features as "
            "measured, then apply reference_to_controls to it."
        )
    if features.attrs.get("units") == R and (np.abs(features["y"].values) > 1).any():
        problems.append(
            f'{when} has the units "r" but values above 1, as for Fisher z: correct the units.'
        )
    if features.attrs.get("estimand") == "change":
        problems.append(f"{when} is already a change: pass the features of the two sessions.")
    return problems


def _feature_problems(followup: xr.Dataset, baseline: xr.Dataset) -> list[str]:
    late, early = (d[FEATURE].values.astype(str) for d in (followup, baseline))
    problems = []
    lost, new = np.setdiff1d(early, late), np.setdiff1d(late, early)
    if lost.size:
        problems.append(
            f"{lost.size} feature(s) of baseline are not in follow-up: {some(lost)}. Use the same "
            "regions in both sessions."
        )
    if new.size:
        problems.append(
            f"{new.size} feature(s) of follow-up are not in baseline: {some(new)}. Use the same "
            "regions in both sessions."
        )
    if problems:
        return problems
    aligned = followup.sel({FEATURE: early})
    for name in ("block", "kind", "view"):
        if name in aligned.coords and name in baseline.coords:
            differs = aligned[name].values.astype(str) != baseline[name].values.astype(str)
            if differs.any():
                problems.append(
                    f"the {name} of {some(early[differs])} differs between the sessions: read both "
                    "with the same region table."
                )
    return problems


def _method_problems(followup: xr.Dataset, baseline: xr.Dataset) -> list[str]:
    problems = []
    late, early = (str(d.attrs.get("units", "unstated")) for d in (followup, baseline))
    if late != early:
        problems.append(
            f"units are {late} at follow-up and {early} at baseline: use the same measure."
        )
    facts = [_facts(d) for d in (followup, baseline)]
    by_subject = all(REPETITION_TIME in d.coords for d in (followup, baseline))
    for name in SAME:
        if name == "tr" and by_subject:  # see `_repetition_problems`
            continue
        a, b = (f.get(name) for f in facts)
        if a is not None and b is not None and a != b:
            problems.append(
                f"{name} is {a} at follow-up and {b} at baseline: use the same settings."
            )
    return problems


def _facts(features: xr.Dataset) -> Mapping[str, Any]:
    try:
        facts = json.loads(features.attrs.get("provenance") or "{}")
    except (TypeError, json.JSONDecodeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _subject_problems(after: xr.Dataset, before: xr.Dataset) -> list[str]:
    problems = []
    for name in CONSTANT:
        if name in after.coords and name in before.coords:
            late, early = (d[name].values.astype(str) for d in (after, before))
            differs = late != early
            if differs.any():
                listed = some(
                    f"{s} ({b}, then {a})"
                    for s, a, b in zip(
                        after[SUBJECT].values[differs],
                        late[differs],
                        early[differs],
                        strict=True,
                    )
                )
                problems.append(
                    f"{name} differs between the sessions for {listed}: correct it, or exclude "
                    "these participants."
                )
    return problems + _repetition_problems(after, before)


def _repetition_problems(after: xr.Dataset, before: xr.Dataset) -> list[str]:
    """Compare the repetition times of each subject, where the measure depends on them."""
    both = (after, before)
    if not all(REPETITION_TIME in d.coords and "tr" in _facts(d) for d in both):
        return []
    late, early = (d[REPETITION_TIME].values.astype(np.float64) for d in both)
    differs = ~np.isclose(late, early, rtol=0.01, equal_nan=True)
    if not differs.any():
        return []
    listed = some(
        f"{s} ({b:g} s, then {a:g} s)"
        for s, a, b in zip(
            after[SUBJECT].values[differs], late[differs], early[differs], strict=True
        )
    )
    return [
        f"the repetition time differs between the sessions for {listed}: the measure depends on "
        "it, so that the change is not that of the brain. Exclude these participants."
    ]


def _followup_coordinates(after: xr.Dataset, before: xr.Dataset) -> dict[str, Any]:
    """Covariates that changed (motion, age, ratings), named ``<name>_followup``."""
    changed = {}
    for name, values in after.coords.items():
        if values.dims != (SUBJECT,) or name in (SUBJECT, SESSION, *CONSTANT):
            continue
        earlier = before.coords.get(name)
        if earlier is None or not same_values(values.values, earlier.values).all():
            changed[f"{name}_followup"] = (SUBJECT, values.values)
    return changed


def _sessions(features: xr.Dataset) -> str | None:
    if SESSION in features.coords:
        return ", ".join(dict.fromkeys(map(str, np.atleast_1d(features[SESSION].values))))
    session = _facts(features).get("session")
    return None if session is None else str(session)


def _too_few(both: list[str], early: list[str], late: list[str]) -> str:
    return (
        f"{len(both)} participant(s) have both sessions, but at least 3 are needed (baseline: "
        f"{some(early)}; follow-up: {some(late)}): check the spelling of the ids."
    )
