"""What commands read: a spec with its replaced values, and a cohort."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bayes_mdd as bm
from bayes_mdd.cli.groups import ControlWords
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.shipped import MODELS, RESPONSE_MODELS
from bayes_mdd.errors import SpecError, UnreadableFileError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_SEED = "sampler.seed"


@dataclass(frozen=True, eq=False)
class Inputs:
    """A cohort, and the spec resolved against it.

    Parameters
    ----------
    spec : AnalysisSpec
        Without the optional names that the cohort lacks.
    features : xarray.Dataset
        FeatureSet as measured, not yet standardised.
    symptoms : pandas.DataFrame
        Symptom dimensions and, where the model links them, items; indexed by participant.
    """

    spec: bm.AnalysisSpec
    features: xr.Dataset
    symptoms: pd.DataFrame


def read_spec_argument(
    name: str, settings: Iterable[str] | None, *, seed: int | None = None
) -> bm.AnalysisSpec:
    """Read the spec of a command and replace values.

    Parameters
    ----------
    name : str
        A spec file or the name of a shipped model.
    settings : iterable of str, optional
        Words ``KEY=VALUE`` of ``--set``.
    seed : int, optional
        Seed of the sampler, from ``--seed``.

    Returns
    -------
    AnalysisSpec
        The validated spec.

    Raises
    ------
    SpecError
        If the spec or a setting is not valid, or the seed is given twice.
    """
    return read_named_spec(name).with_overrides(parse_changes(settings, seed, _SEED))


def parse_changes(settings: Iterable[str] | None, seed: int | None, *seeds: str) -> dict[str, Any]:
    """Parse the values that ``--set`` and ``--seed`` replace in a spec.

    Parameters
    ----------
    settings : iterable of str, optional
        Words ``KEY=VALUE`` of ``--set``.
    seed : int, optional
        Value of ``--seed``.
    *seeds : str
        Keys that ``--seed`` sets.

    Returns
    -------
    dict
        New values by key.

    Raises
    ------
    SpecError
        If a setting is not valid, or the seed is given twice.
    """
    changes = parse_settings(settings or ())
    if seed is None:
        return changes
    if twice := [key for key in seeds if key in changes]:
        raise SpecError(f"--seed and --set {twice[0]}=... set the same value: give one of them.")
    return changes | dict.fromkeys(seeds, seed)


def read_named_spec(name: str) -> bm.AnalysisSpec:
    """Read a spec file, or a shipped model by its name.

    Parameters
    ----------
    name : str
        A path such as ``my/spec.yaml``, or a name such as ``shared_specific``.

    Returns
    -------
    AnalysisSpec
        The validated spec.

    Raises
    ------
    SpecError
        If there is neither such a file nor such a model, or the spec is not valid.
    """
    if Path(name).suffix in {".yaml", ".yml"} or Path(name).exists():
        return bm.read_spec(name)
    if name in RESPONSE_MODELS:
        raise SpecError(
            f"'{name}' is a spec of `bayes-mdd response`, not of a fit of factors alone. "
            f"Give a .yaml file or one of: {', '.join(MODELS)}."
        )
    if name not in MODELS:
        raise SpecError(
            f"There is no spec file '{name}' and no shipped model of that name. "
            f"Give a .yaml file or one of: {', '.join(MODELS)}."
        )
    return bm.read_spec(MODELS[name])


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Parse words ``KEY=VALUE`` with YAML values.

    Parameters
    ----------
    settings : iterable of str
        For example ``["model.n_factors=8", "model.covariates=[site, age]"]``.

    Returns
    -------
    dict
        Values by dotted key, for `AnalysisSpec.with_overrides`.

    Raises
    ------
    SpecError
        If a word has another form.

    Examples
    --------
    >>> parse_settings(["model.n_factors=8", "model.covariates=[site]"])
    {'model.n_factors': 8, 'model.covariates': ['site']}
    """
    # Imported here: `bayes-mdd --help` does not need it.
    from bayes_mdd.files.structured import parse_yaml

    values: dict[str, Any] = {}
    for word in settings:
        key, equals, text = word.partition("=")
        key = key.strip()
        try:
            value = parse_yaml(text, f"--set {key}")
        except UnreadableFileError as error:
            raise SpecError(f"{error} (--set expects KEY=VALUE with a YAML value.)") from error
        if not (key and equals and text) or (value is None and text not in {"null", "~"}):
            raise SpecError(f"--set expects KEY=VALUE, e.g. model.n_factors=8, got '{word}'.")
        if key in values:
            raise SpecError(f"--set gives {key} more than once: give it once.")
        values[key] = value
    return values


def read_inputs(
    spec: bm.AnalysisSpec,
    folder: Path,
    controls: ControlWords | None = None,
    *,
    hide_arms: bool = False,
) -> Inputs:
    """Read a cohort and resolve the spec against it.

    Parameters
    ----------
    spec : AnalysisSpec
        May have ``*_if_present`` lists; names that are left out are reported.
    folder : Path
        The cohort.
    controls : ControlWords, optional
        What the command says about controls.
    hide_arms : bool, default False
        Whether all patients are put into one arm, see `bayes_mdd.hide_arms`.

    Returns
    -------
    Inputs
        Spec, features and symptoms.
    """
    from bayes_mdd.features.cohort_inputs import read_cohort_inputs
    from bayes_mdd.features.roles import list_roles_of
    from bayes_mdd.specs import kind_of
    from bayes_mdd.workflow.families import family_of
    from bayes_mdd.workflow.resolve import resolve_spec

    log.info("Reading %s", folder)
    words = controls or ControlWords()
    read = read_cohort_inputs(folder, controls=words.reading(spec))
    cohort, features = read.require(folder)
    words.check(cohort.participants)
    lines, _ = list_roles_of(
        cohort.participants,
        features,
        group=spec.reference.group,
        controls_fitted=getattr(spec.model, "controls", None) == "arm",
    )
    for text in cohort.notes:
        log.info("Note: %s", text)
    log.info("Participants:\n%s", "\n".join(f"  {line}" for line in lines))
    if hide_arms:
        features = bm.hide_arms(features)
    spec, notes = resolve_spec(spec, features, cohort.symptoms)
    for text in notes:
        log.info("Note: %s", text)
    for text in _covariate_lines(spec, features):
        log.info("Covariate %s", text)
    symptoms = cohort.symptoms
    if family_of(kind_of(spec.model)).items(spec.model):
        symptoms = symptoms.join(cohort.item_scores)
    return Inputs(spec, features, symptoms)


def _covariate_lines(spec: bm.AnalysisSpec, features: xr.Dataset) -> list[str]:
    """Say how each covariate enters, and its range in the cohort."""
    from bayes_mdd.features.input_tables import tabulate_columns

    table = tabulate_columns(
        features,
        model=getattr(spec.model, "covariates", ()),
        reference=spec.reference.covariates,
    )
    return [
        f"{row['column']}: {row['enters_as']}, {row['values']} ({row['used_in']})"
        for _, row in table[table["used_in"] != "not used"].iterrows()
    ]
