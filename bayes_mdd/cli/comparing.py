"""``bayes-mdd compare``: models of one family on one cohort, by people held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bayes_mdd as bm
from bayes_mdd.cli import show
from bayes_mdd.cli.settle import settle_spec
from bayes_mdd.errors import SpecError
from bayes_mdd.specs import AnalysisSpec, SharedSpecificSpec

NO_LINK = "without symptoms"
ALL_SHARED = "all shared"


def make_models(
    spec: SharedSpecificSpec, numbers: Sequence[int], *, symptom_link: bool, shared_only: bool
) -> dict[str, SharedSpecificSpec]:
    """List the models that the options ask for.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model of the spec file.
    numbers : sequence of int
        Numbers of factors; empty for that of the spec.
    symptom_link : bool
        Whether to add each model without its symptom link.
    shared_only : bool
        Whether to add each model with all factors shared.

    Returns
    -------
    dict of str to SharedSpecificSpec
        At least two.

    Raises
    ------
    SpecError
        If that makes one model only, or the spec does not allow an option.

    Examples
    --------
    >>> list(make_models(SharedSpecificSpec(), [2, 4], symptom_link=False, shared_only=True))
    ['K=2', 'K=2, all shared', 'K=4', 'K=4, all shared']
    """
    base = bm.vary_factors(spec, numbers) if numbers else {f"K={spec.n_factors}": spec}
    if symptom_link and not spec.symptoms:
        raise SpecError("--symptom-link: the spec links no symptoms that this cohort has.")
    if shared_only and spec.sharing is not None:
        raise SpecError("--shared-only: the spec fixes 'sharing' already.")
    models: dict[str, SharedSpecificSpec] = {}
    for name, model in base.items():
        models[name] = model
        if symptom_link:
            models[f"{name}, {NO_LINK}"] = replace(model, symptoms=())
        if shared_only:
            pattern = {"shared": model.n_factors}
            models[f"{name}, {ALL_SHARED}"] = replace(model, sharing=pattern)
    if len(models) < 2:
        raise SpecError(
            "one model cannot be compared: give --n-factors 2,4,6, --symptom-link or --shared-only."
        )
    return models


def parse_numbers(text: str) -> list[int]:
    """Read ``2,4,6``.

    Parameters
    ----------
    text : str
        Whole numbers, separated by commas.

    Returns
    -------
    list of int
        The numbers.

    Raises
    ------
    SpecError
        If it is not that.

    Examples
    --------
    >>> parse_numbers("2,4,6")
    [2, 4, 6]
    """
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise SpecError(f"--n-factors wants whole numbers such as 2,4,6, got '{text}'.") from None


def compare_on_cohort(
    spec: AnalysisSpec,
    folder: Path,
    numbers: Sequence[int],
    *,
    symptom_link: bool,
    shared_only: bool,
    folds: int,
    seed: int,
    jobs: int | None,
) -> bm.Comparison:
    """Read a cohort, put its features against the controls, and compare models.

    Parameters
    ----------
    spec : AnalysisSpec
        Model, reference and sampler.
    folder : Path
        The cohort.
    numbers : sequence of int
        Numbers of factors; empty for that of the spec.
    symptom_link, shared_only : bool
        As in `make_models`.
    folds, seed : int
        Of the cross-validation.
    jobs : int or None
        Fits at once.

    Returns
    -------
    Comparison
        As `bayes_mdd.compare_models` returns it.
    """
    show.note(f"Reading {folder}")
    symptoms = bm.read_cohort(folder).symptoms
    features = bm.read_features(folder)
    spec, notes = settle_spec(spec, features, symptoms)
    for text in notes:
        show.note(f"Note: {text}")
    models = make_models(spec.model, numbers, symptom_link=symptom_link, shared_only=shared_only)
    features = bm.reference_to_controls(features, covariates=spec.reference.covariates)
    show.note(f"Fitting {len(models)} models to {folds} parts of the people each")
    return bm.compare_models(
        models,
        features,
        symptoms=symptoms,
        folds=folds,
        seed=seed,
        sampler=spec.sampler,
        n_jobs=jobs,
    )


def tables(found: bm.Comparison) -> Mapping[str, Any]:
    """Name the tables that a comparison holds.

    Parameters
    ----------
    found : Comparison
        As `bayes_mdd.compare_models` returns it.

    Returns
    -------
    mapping of str to DataFrame
        ``features`` and, where symptoms are linked, ``symptoms``; the model is a column.
    """
    named = {"features": found.table.reset_index()}
    if found.symptom_table is not None:
        named["symptoms"] = found.symptom_table.reset_index()
    return named


def write_comparison(found: bm.Comparison, folder: Path) -> list[Path]:
    """Write the tables and each person's densities.

    Parameters
    ----------
    found : Comparison
        As `bayes_mdd.compare_models` returns it.
    folder : Path
        Made when it does not exist; files of the same names are replaced.

    Returns
    -------
    list of Path
        ``compare_features.tsv``, ``compare_symptoms.tsv`` where there is one, and
        ``compare_people.nc``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, table in tables(found).items():
        path = folder / f"compare_{name}.tsv"
        table.to_csv(path, sep="\t", index=False, na_rep="n/a", float_format="%.6g")
        files.append(path)
    people = folder / "compare_people.nc"
    found.pointwise.to_netcdf(people, engine="h5netcdf")
    return [*files, people]
