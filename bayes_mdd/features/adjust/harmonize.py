"""ComBat, as an option, to take differences between sites out of features."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Collection, Iterable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.cohort import check_design
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, FEATURE, MISSING, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.adjust.motion import groups_of
from bayes_mdd.features.adjust.quality_checks import arm_site_association
from bayes_mdd.features.adjust.sites import MIN_PER_SITE, covariate_columns, site_of
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.provenance import extend_provenance
from bayes_mdd.specs import QualitySpec


def harmonize_sites(
    features: xr.Dataset,
    covariates: Sequence[str] = (),
    *,
    train: Iterable[str] | None = None,
    empirical_bayes: bool = True,
) -> xr.Dataset:
    """Take differences in mean and spread between sites out of features by ComBat.

    The model's own way is better founded: with ``site`` among its covariates, site is integrated
    out together with its uncertainty. ComBat is offered because the field knows it; what it took
    out, the model counts as known.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with the coordinate ``site``, as measured.
    covariates : sequence of str
        Coordinates of the subjects whose effects are kept, e.g. ``("age", "sex", "diagnosis")``.
        An arm that is not named is treated as part of the site where they go together.
    train : iterable of str, optional
        People to learn from; the others are only adjusted. Default everybody. In prediction these
        must be the people of the training fold.
    empirical_bayes : bool, default True
        Borrow strength over features for the sites' means and spreads.

    Returns
    -------
    xarray.Dataset
        A new feature set; ``provenance`` says what was done, from how many people.

    Raises
    ------
    SpecError
        If neuroHarmonize is not installed.
    DataContractError
        If sites or covariates are absent or unknown for somebody, a site has fewer than 3 people
        to learn from (or none), arm is confounded with site, or features are standardised.

    Warns
    -----
    UserWarning
        If arms are spread unevenly over sites.

    References
    ----------
    .. [1] Johnson, W. E., Li, C. and Rabinovic, A. (2007). Adjusting batch effects in microarray
       expression data using empirical Bayes methods. Biostatistics, 8, 118-127.
    .. [2] Pomponio, R. et al. (2020). Harmonization of large MRI datasets for the analysis of
       brain imaging patterns throughout the lifespan. NeuroImage, 208, 116450.
    """
    learn, apply = _neuroharmonize()
    check_features(features)
    site = site_of(features)
    subjects = features[SUBJECT].values.astype(str)
    chosen = set(subjects) if train is None else {str(s) for s in train}
    learned = np.array([s in chosen for s in subjects])
    design = covariate_columns(features, covariates)
    design[:, 1:] -= design[learned, 1:].mean(axis=0) if learned.any() else 0.0
    problems = [
        *_training_problems(site, learned, chosen - set(subjects), subjects),
        *_combat_problems(features, design[learned], site[learned]),
    ]
    if problems:
        raise DataContractError("harmonisation", problems)
    _consider_arms(features, covariates)
    y = features["y"].values.astype(np.float64)
    known = pd.DataFrame(design[:, 1:], columns=[f"c{i}" for i in range(design.shape[1] - 1)])
    table = known.assign(SITE=site)
    options: dict[str, Any] = {"eb": empirical_bayes and y.shape[1] > 1}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # Both packages print what they do, and neuroCombat still works with numpy.matrix.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        model, _ = learn(y[learned], table[learned].reset_index(drop=True), **options)
        adjusted = np.asarray(apply(y, table, model), dtype=np.float64)
    if not np.isfinite(adjusted).all():
        bad = some(features[FEATURE].values[~np.isfinite(adjusted).all(axis=0)])
        raise DataContractError("harmonisation", [f"ComBat gives no value for {bad}."])
    facts = {
        "method": "ComBat (neuroHarmonize)",
        "learned_from": int(learned.sum()),
        "sites": len(np.unique(site)),
        "covariates": list(covariates),
        "empirical_bayes": options["eb"],
    }
    text = extend_provenance(features.attrs.get("provenance"), harmonized=facts)
    out = features.assign(y=((SUBJECT, FEATURE), adjusted))
    return out.assign_attrs(provenance=text)


def _neuroharmonize() -> tuple[Any, Any]:
    try:
        package = import_module("neuroHarmonize")
    except ImportError as error:
        raise SpecError(
            "ComBat needs neuroHarmonize, which is not installed here: pip install "
            f"'bayes-mdd[harmonize]' ({error}). Or leave site to the model (covariates: [site])."
        ) from error
    return package.harmonizationLearn, package.harmonizationApply


def _training_problems(
    site: npt.NDArray[np.str_],
    learned: npt.NDArray[np.bool_],
    unknown: Collection[str],
    subjects: npt.NDArray[np.str_],
) -> list[str]:
    problems = []
    if unknown:
        problems.append(f"train names {some(sorted(unknown))}, who are not among the features.")
    if len(np.unique(site[learned])) < 2:
        problems.append("the people to learn from are of one site: there is nothing to harmonise.")
    for name in np.unique(site):
        n = int((site[learned] == name).sum())
        if n < MIN_PER_SITE:
            who = some(subjects[site == name])
            problems.append(
                f"site '{name}' has {n} people to learn from ({who}): at least {MIN_PER_SITE} are "
                "needed; leave the site out or use site as covariate of the model."
            )
    return problems


def _combat_problems(features: xr.Dataset, design: Floats, site: npt.NDArray[np.str_]) -> list[str]:
    problems = []
    if features.attrs.get("units") == "z":
        problems.append("features are standardised: harmonise what was measured, then standardise.")
    dummies = (site[:, None] == np.unique(site)[None, :]).astype(np.float64)
    both = np.column_stack([dummies, design[:, 1:]])
    if np.linalg.matrix_rank(both) < both.shape[1]:
        problems.append(
            "the covariates to keep follow from each other or from site among the people to learn "
            "from: leave one out."
        )
    return problems


def _consider_arms(features: xr.Dataset, covariates: Sequence[str]) -> None:
    """Refuse arms that follow from site; warn where they lean on it."""
    if ARM not in features.coords:
        return
    arm = features[ARM].values.astype(str)
    columns = {ARM: arm, SITE: features[SITE].values.astype(str)}
    if DIAGNOSIS in features.coords:
        columns[DIAGNOSIS] = features[DIAGNOSIS].values.astype(str)
    people = pd.DataFrame(columns, index=features[SUBJECT].values.astype(str))
    patient = people[ARM] != MISSING
    if DIAGNOSIS in people:
        patient &= people[DIAGNOSIS] != CONTROL
    if people.loc[patient, ARM].nunique() < 2:
        return
    check_design(people[patient], [SITE], min_per_arm=1)
    value = arm_site_association(groups_of(features), columns[SITE])
    if value is not None and value > QualitySpec().max_arm_site:
        kept = "is kept" if ARM in covariates else "is not among the covariates that are kept"
        warnings.warn(
            f"arms are spread unevenly over sites (Cramer's V {value:.2f}) and arm {kept}: ComBat "
            "cannot tell well what belongs to the drug and what to the scanner.",
            UserWarning,
            stacklevel=3,
        )
