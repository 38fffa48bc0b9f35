"""Harmonisation of sites by ComBat, an alternative to site as a covariate of the model."""

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
from bayes_mdd.features.additions import DIFFERENCES, PIECES, drop_additions
from bayes_mdd.features.adjust.motion import groups_of
from bayes_mdd.features.adjust.quality_checks import arm_site_association
from bayes_mdd.features.adjust.sites import MIN_PER_SITE, covariate_columns, site_of
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.order import in_order_of, in_standard_order
from bayes_mdd.features.provenance import extend_provenance
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.specs import QualitySpec


@one_blas_thread()
def harmonize_sites(
    features: xr.Dataset,
    covariates: Sequence[str] = (),
    *,
    train: Iterable[str] | None = None,
    empirical_bayes: bool = True,
) -> xr.Dataset:
    """Remove differences between sites in mean and variance by ComBat.

    Consider ``site`` as a covariate of the model instead: the model then integrates out the effects
    of site together with their uncertainty. ComBat is available because it is widely used; the
    model treats its corrections as known without error.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set with the coordinate ``site``, as measured.
    covariates : sequence of str
        Coordinates of the subjects whose effects are preserved, e.g. ``("age", "sex",
        "diagnosis")``. The effect of an arm that is correlated with site is partly removed unless
        ``arm`` is listed.
    train : iterable of str, optional
        Subjects from whom the effects of site are estimated; the others are only adjusted. Default:
        all subjects. In prediction, pass the subjects of the training fold.
    empirical_bayes : bool, default True
        Pool the means and variances of each site across features.

    Returns
    -------
    xarray.Dataset
        A new feature set; ``provenance`` records the method and the number of subjects it was
        estimated from. Units do not change. Differences between halves or sessions get the scale
        of their site; pieces of the scan are left out, because ComBat applies to features only.

    Raises
    ------
    SpecError
        If neuroHarmonize is not installed.
    DataContractError
        If sites or covariates are missing, a site has fewer than 3 subjects to estimate from, arm
        is confounded with site, or the features are standardised.

    Warns
    -----
    UserWarning
        If arms are distributed unevenly across sites.

    References
    ----------
    .. [1] Johnson, W. E., Li, C. and Rabinovic, A. (2007). Adjusting batch effects in microarray
       expression data using empirical Bayes methods. Biostatistics, 8, 118-127.
    .. [2] Pomponio, R. et al. (2020). Harmonization of large MRI datasets for the analysis of
       brain imaging patterns throughout the lifespan. NeuroImage, 208, 116450.
    """
    learn, apply = _import_neuroharmonize()
    check_features(features)
    given, features = features, in_standard_order(features)
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
    _check_arms(features, covariates)
    y = features["y"].values.astype(np.float64)
    known = pd.DataFrame(design[:, 1:], columns=[f"c{i}" for i in range(design.shape[1] - 1)])
    table = known.assign(SITE=site)
    options: dict[str, Any] = {"eb": empirical_bayes and y.shape[1] > 1}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # neuroHarmonize and neuroCombat print messages; neuroCombat uses numpy.matrix.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        model, _ = learn(y[learned], table[learned].reset_index(drop=True), **options)
        adjusted = np.asarray(apply(y, table, model), dtype=np.float64)
        differences = {
            name: _scaled_by_site(
                features[name].values, y, adjusted, lambda data: apply(data, table, model)
            )
            for name in DIFFERENCES
            if name in features
        }
    if not np.isfinite(adjusted).all():
        bad = some(features[FEATURE].values[~np.isfinite(adjusted).all(axis=0)])
        raise DataContractError(
            "harmonisation", [f"ComBat returned no finite value for {bad}: exclude these features."]
        )
    facts = {
        "method": "ComBat (neuroHarmonize)",
        "learned_from": int(learned.sum()),
        "sites": len(np.unique(site)),
        "covariates": list(covariates),
        "empirical_bayes": options["eb"],
    }
    out = features.assign(
        {n: ((SUBJECT, FEATURE), v) for n, v in ({"y": adjusted} | differences).items()}
    )
    out = drop_additions(out, [PIECES], "ComBat applies to features, not to the series")
    text = extend_provenance(out.attrs.get("provenance"), harmonized=facts)
    return in_order_of(out, given).assign_attrs(provenance=text)


def _scaled_by_site(difference: Floats, y: Floats, adjusted: Floats, apply: Any) -> Floats:
    """Scale differences as their site; ComBat is linear in the features of a subject."""
    known = np.isfinite(difference)
    moved = np.asarray(apply(y + np.where(known, difference, 0.0)), dtype=np.float64)
    return np.where(known, moved - adjusted, np.nan)


def _import_neuroharmonize() -> tuple[Any, Any]:
    try:
        package = import_module("neuroHarmonize")
    except ImportError as error:
        raise SpecError(
            "ComBat requires neuroHarmonize, which is not installed: pip install "
            f"'bayes-mdd[harmonize]' ({error}). Alternatively, use site as a covariate of the "
            "model (covariates: [site])."
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
        problems.append(f"train lists {some(sorted(unknown))}, not subjects of the features.")
    if len(np.unique(site[learned])) < 2:
        problems.append("all training subjects are from one site: there is nothing to harmonise.")
    for name in np.unique(site):
        n = int((site[learned] == name).sum())
        if n < MIN_PER_SITE:
            listed = some(subjects[site == name])
            problems.append(
                f"site '{name}' ({listed}) has {n} training subject(s), but at least "
                f"{MIN_PER_SITE} are needed: exclude the site, or use site as a covariate of the "
                "model."
            )
    return problems


def _combat_problems(features: xr.Dataset, design: Floats, site: npt.NDArray[np.str_]) -> list[str]:
    problems = []
    if features.attrs.get("units") == "z":
        problems.append(
            "the features are standardised: harmonise the features as measured, then standardise."
        )
    dummies = (site[:, None] == np.unique(site)[None, :]).astype(np.float64)
    both = np.column_stack([dummies, design[:, 1:]])
    if np.linalg.matrix_rank(both) < both.shape[1]:
        problems.append(
            "the covariates are linearly dependent, or confounded with site, in the training "
            "subjects: remove one of them."
        )
    return problems


def _check_arms(features: xr.Dataset, covariates: Sequence[str]) -> None:
    """Refuse arms that are confounded with site; warn if they are associated with it."""
    if ARM not in features.coords:
        return
    arm = features[ARM].values.astype(str)
    columns = {ARM: arm, SITE: features[SITE].values.astype(str)}
    if DIAGNOSIS in features.coords:
        columns[DIAGNOSIS] = features[DIAGNOSIS].values.astype(str)
    table = pd.DataFrame(columns, index=features[SUBJECT].values.astype(str))
    patient = table[ARM] != MISSING
    if DIAGNOSIS in table:
        patient &= table[DIAGNOSIS] != CONTROL
    if table.loc[patient, ARM].nunique() < 2:
        return
    check_design(table[patient], [SITE], min_per_arm=1)
    value = arm_site_association(groups_of(features), columns[SITE])
    if value is not None and value > QualitySpec().max_arm_site:
        kept = "is preserved" if ARM in covariates else "is not among the preserved covariates"
        warnings.warn(
            f"arms are distributed unevenly across sites (Cramer's V {value:.2f}) and arm {kept}: "
            "ComBat cannot separate the effects of drug and scanner well.",
            UserWarning,
            stacklevel=3,
        )
