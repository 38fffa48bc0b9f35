"""Validation of a cohort and a spec: all that a fit would say, without fitting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayes_mdd.errors import BayesMDDError, SpecError, problems_of
from bayes_mdd.features.adjust.quality import check_quality
from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.features.cohort_inputs import CohortInputs, read_cohort_inputs
from bayes_mdd.features.input_tables import tabulate_columns, tabulate_features
from bayes_mdd.features.roles import list_roles_of
from bayes_mdd.specs import AnalysisSpec, Spec
from bayes_mdd.specs.column_names import is_motion_name
from bayes_mdd.workflow.resolve import resolve_spec

type Lister = Callable[[Any, xr.Dataset, pd.DataFrame | None], list[str]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Validation:
    """Result of `validate_cohort`.

    Parameters
    ----------
    problems : tuple of str
        Everything that a fit would refuse; empty if the cohort can be fitted.
    notes : tuple of str
        Decisions, and what a fit would warn of.
    participants : pandas.DataFrame
        The participants as they were read; empty if they could not be.
    roles : pandas.DataFrame
        Number of participants in each role: ``role``, ``diagnosis``, ``arm``, ``participants``,
        ``use``; it holds no ids.
    role_lines : tuple of str
        The same as sentences, with the ids of those who are left out.
    columns : pandas.DataFrame
        How each column enters, see `bayes_mdd.features.input_tables.tabulate_columns`.
    features : pandas.DataFrame
        Number of features by ``kind`` and ``block``.
    units : str
        Units of the features as measured.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    participants: pd.DataFrame = field(default_factory=pd.DataFrame)
    roles: pd.DataFrame = field(default_factory=pd.DataFrame)
    role_lines: tuple[str, ...] = ()
    columns: pd.DataFrame = field(default_factory=pd.DataFrame)
    features: pd.DataFrame = field(default_factory=pd.DataFrame)
    units: str = "n/a"

    @property
    def passed(self) -> bool:
        """Whether the cohort can be fitted."""
        return not self.problems


def _list_shared_specific(
    model: Any, features: xr.Dataset, symptoms: pd.DataFrame | None
) -> list[str]:
    from bayes_mdd.shared_specific.data.problems import list_problems

    return list_problems(model, features, symptoms)


def _list_polar_lda(model: Any, features: xr.Dataset, symptoms: pd.DataFrame | None) -> list[str]:
    from bayes_mdd.polar_lda.data import prepare_counts

    if features.attrs.get("units") != "z":
        return []  # why they are not standardised is a problem already
    try:
        prepare_counts(model, features)
    except BayesMDDError as error:
        return problems_of(error)
    return []


#: What each model family would refuse, listed without importing a sampler.
LISTERS: Mapping[str, Lister] = {
    "shared_specific": _list_shared_specific,
    "polar_lda": _list_polar_lda,
}


def validate_cohort(
    folder: str | Path,
    spec: AnalysisSpec | Spec | None = None,
    *,
    controls: Sequence[str] | None = None,
) -> Validation:
    """Tell everything that a fit would say about a cohort and a spec, without fitting.

    Participants, symptoms and features are read, the spec is resolved against them, and the design
    of the model is checked. PyMC is not imported.

    Parameters
    ----------
    folder : str or Path
        The cohort folder.
    spec : AnalysisSpec or Spec of a model, optional
        Model, reference and quality thresholds. Default: those of an empty spec.
    controls : sequence of str, optional
        The diagnoses that mark healthy controls, see `bayes_mdd.cohort.read_participants`.

    Returns
    -------
    Validation
        All problems; roles of the participants, columns and features as far as they can be read.

    Raises
    ------
    SpecError
        If the kind of model is unknown.

    Examples
    --------
    >>> found = validate_cohort("data/demo")  # doctest: +SKIP
    >>> found.passed, found.roles["participants"].tolist()  # doctest: +SKIP
    (True, [39, 31, 31])
    """
    spec = spec or AnalysisSpec()
    if not isinstance(spec, AnalysisSpec):
        spec = AnalysisSpec(model=spec)
    if spec.kind not in LISTERS:
        raise SpecError(f"kind must be one of {', '.join(LISTERS)}, got {spec.kind!r}.")
    inputs = read_cohort_inputs(folder, controls=controls)
    problems = list(inputs.problems)
    notes = [] if inputs.cohort is None else list(inputs.cohort.notes)
    columns = features = pd.DataFrame()
    units = "n/a"
    if inputs.features is not None:
        spec, found = _resolve(spec, inputs, problems)
        notes += found
        notes += _check_model(spec, inputs, problems)
        features = tabulate_features(inputs.features)
        units = str(inputs.features.attrs.get("units", "n/a"))
        columns = _columns(spec, inputs)
        notes += _motion_notes(spec, features)
    lines, roles = list_roles_of(
        inputs.participants,
        inputs.features,
        group=spec.reference.group,
        controls_fitted=getattr(spec.model, "controls", None) == "arm",
    )
    return Validation(
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(notes),
        participants=pd.DataFrame() if inputs.participants is None else inputs.participants,
        roles=roles,
        role_lines=tuple(lines),
        columns=columns,
        features=features,
        units=units,
    )


def _symptoms(spec: AnalysisSpec, inputs: CohortInputs) -> pd.DataFrame:
    """Symptoms as a fit takes them; without rows where they could not be read."""
    if inputs.cohort is None:
        return pd.DataFrame()
    symptoms = inputs.cohort.symptoms
    if getattr(spec.model, "ordinal_symptoms", ()):
        symptoms = symptoms.join(inputs.cohort.item_scores)
    return symptoms


def _resolve(
    spec: AnalysisSpec, inputs: CohortInputs, problems: list[str]
) -> tuple[AnalysisSpec, list[str]]:
    assert inputs.features is not None
    symptoms = pd.DataFrame() if inputs.cohort is None else inputs.cohort.symptoms
    try:
        return resolve_spec(spec, inputs.features, symptoms)
    except BayesMDDError as error:
        problems += problems_of(error)
    return spec.resolve(map(str, inputs.features.coords), map(str, symptoms.columns))


def _check_model(spec: AnalysisSpec, inputs: CohortInputs, problems: list[str]) -> list[str]:
    """Standardise, list what the model refuses, and return what the quality checks say."""
    raw = inputs.features
    assert raw is not None
    features, notes = raw, []
    covariates = spec.reference.covariates
    try:
        features = reference_to_controls(raw, covariates, group=spec.reference.group)
        quality = check_quality(features, spec.quality, before=raw)
        notes = [f"quality: {name}: {advice}" for name, advice in quality.failed.items()]
    except BayesMDDError as error:
        problems += problems_of(error)
    model = spec.model
    if inputs.cohort is None and hasattr(model, "symptoms"):
        # The symptoms could not be read, which is a problem already.
        model = replace(
            model,
            symptoms=(),
            symptoms_if_present=(),
            ordinal_symptoms=(),
            symptom_links="common",
        )
    problems += LISTERS[spec.kind](model, features, _symptoms(spec, inputs))
    return notes


def _motion_notes(spec: AnalysisSpec, features: pd.DataFrame) -> list[str]:
    """Say that motion is not controlled, for which a fit of functional scans fails a check."""
    used = (*getattr(spec.model, "covariates", ()), *spec.reference.covariates)
    functional = features["kind"].str.contains("functional|alff|reho|bold|fmri", case=False).any()
    if not functional or any(is_motion_name(name) for name in used):
        return []
    return [
        "motion is not controlled: no covariate of head motion is in the model or the reference, "
        "so a check of the fit will fail. Add mean_fd to participants.tsv and to model.covariates."
    ]


def _columns(spec: AnalysisSpec, inputs: CohortInputs) -> pd.DataFrame:
    assert inputs.features is not None
    model = spec.model
    linked = [*getattr(model, "symptoms", ()), *getattr(model, "ordinal_symptoms", ())]
    return tabulate_columns(
        inputs.features,
        model=getattr(model, "covariates", ()),
        reference=spec.reference.covariates,
        symptoms=_symptoms(spec, inputs) if inputs.cohort is not None else None,
        linked=linked,
    )
