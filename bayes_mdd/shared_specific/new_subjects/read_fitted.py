"""Reading of a result into the arrays that the density of a new subject needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, BLOCK, CHAIN, COVARIATE, DRAW, FACTOR, FEATURE, SUBJECT, SYMPTOM
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.result import Result, read_with_participants
from bayes_mdd.shared_specific.likelihood.noise import feature_noise_scale
from bayes_mdd.shared_specific.new_subjects.covariates import code_covariates
from bayes_mdd.shared_specific.new_subjects.fitted import (
    EdgeTransform,
    Fitted,
    PosteriorDraws,
)
from bayes_mdd.shared_specific.posterior.stored_data import read_subject_scale, read_whitening
from bayes_mdd.shared_specific.schema import (
    ARM_MEAN,
    BLOCK_SCALE,
    LOADINGS,
    NOISE,
    OBSERVED_DATA,
    SCORES,
    SHARING,
    SYMPTOM_WEIGHT,
    WHITENED_BLOCK,
    WHITENING,
)
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array, IntArray

#: Draws of the posterior that are used by default, at most.
MAX_DRAWS = 1000
#: Relative difference between stored and recomputed sums of squares that rounding can explain.
ROUNDING = 1e-4


def read_fitted(
    idata: xr.DataTree | Result,
    training: xr.Dataset | None = None,
    *,
    max_draws: int = MAX_DRAWS,
) -> Fitted:
    """Read the fitted subjects, their features and the posterior from a result.

    Parameters
    ----------
    idata : DataTree or Result
        From `fit`.
    training : Dataset, optional
        The FeatureSet of the fit; needed where `idata` does not hold the features
        (``observed_data["y"]``).
    max_draws : int, default 1000
        Draws to use at most, evenly spaced within chains.

    Returns
    -------
    Fitted
        Arrays. Of a fit with noise by feature, each feature's noise is taken as known, at its
        expected precision: ``feature_noise`` is then in SD of the feature, and that of the blocks
        is 1.

    Raises
    ------
    DataContractError
        If the features of the fit are not available, `training` differs from what was fitted, or
        the result is of another model.
    """
    result = read_with_participants(idata, "projection")
    spec = spec_of(result)
    posterior, constant, loadings = result.posterior, result.constant, result.group(LOADINGS)
    subjects, features = _names(posterior, SUBJECT), _names(loadings, FEATURE)
    white = result.group(WHITENING) if WHITENING in result.tree.children else None
    blocks = _names(posterior, BLOCK if white is None else WHITENED_BLOCK)
    if white is None:
        y = _read_features(result, training, subjects, features)
        block = _positions(loadings[BLOCK].values.astype(str), blocks)
    else:
        y = white["y"].values.astype(float)
        block = _positions(white["feature_block"].values.astype(str), blocks)
    design = pd.DataFrame(
        constant["design"].values, index=list(subjects), columns=_names(constant, COVARIATE)
    )
    draws = _thin(posterior, max_draws)
    if spec.feature_noise == "student":
        # Each feature's noise is taken as known, at its expected precision.
        noise = loadings[NOISE].values.astype(float)
        draws = replace(draws, noise=np.ones_like(draws.noise))
    elif white is not None:
        noise = white["feature_noise"].values.astype(float)
    else:
        noise = _feature_noise(constant, spec, y, design.to_numpy(), block)
    scale = read_subject_scale(result)
    read = read_whitening(result)
    fitted = Fitted(
        spec=spec,
        subjects=subjects,
        arms=result.arms,
        features=features,
        blocks=blocks,
        factors=_names(posterior, FACTOR),
        arm=_positions(constant[ARM].values.astype(str), result.arms),
        block=block,
        feature_noise=noise,
        y=y / noise if scale is None else y / noise / scale[:, None],
        design=design,
        covariates=pd.DataFrame(
            {c: constant[c].values for c in spec.covariates if c in constant.coords},
            index=list(subjects),
        ),
        draws=draws,
        weight=float(constant.get("feature_weight", 1.0)),
        subject_scale=scale,
        transform=None if read is None else EdgeTransform(*read),
    )
    _check_features(result, fitted)
    _check_design(fitted)
    return fitted


def symptom_names(result: Result) -> tuple[str, ...]:
    """Read the names of the symptoms that a fit links.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    tuple of str
        Empty where there is no link.
    """
    return _names(result.posterior, SYMPTOM) if SYMPTOM_WEIGHT in result.posterior else ()


def _names(data: xr.Dataset, dim: str) -> tuple[str, ...]:
    return tuple(str(n) for n in data[dim].values)


def _positions(names: NDArray[Any], known: Sequence[str]) -> IntArray:
    return np.asarray(pd.Index(list(known)).get_indexer(pd.Index(names)))


def _read_features(
    result: Result,
    training: xr.Dataset | None,
    subjects: Sequence[str],
    features: Sequence[str],
) -> Array:
    """Features of the fit in the order of the result, shape (subject, feature)."""
    source = training
    if source is None and result.holds(OBSERVED_DATA, "y"):
        source = result.group(OBSERVED_DATA)
    if source is None:
        raise DataContractError(
            "features of the fit",
            [
                "this run does not hold the features that were fitted: pass the FeatureSet of the "
                "fit as training (on the command line: --training COHORT)."
            ],
        )
    problems = []
    for dim, expected in ((SUBJECT, subjects), (FEATURE, features)):
        missing = sorted(set(expected) - set(_names(source, dim)))
        if missing:
            problems.append(
                f"{dim}s of the fit are missing in training: {some(missing)}. Give the cohort "
                "of the "
                "fit."
            )
    if problems:
        raise DataContractError("features of the fit", problems)
    y = source["y"].transpose(SUBJECT, FEATURE)
    rows = _positions(np.array(subjects), _names(source, SUBJECT))
    columns = _positions(np.array(features), _names(source, FEATURE))
    return np.asarray(y.values.astype(float)[np.ix_(rows, columns)])


def _feature_noise(
    constant: xr.Dataset,
    spec: SharedSpecificSpec,
    y: Array,
    design: Array,
    block: IntArray,
) -> Array:
    """Relative noise as the run stored it, or estimated again as the fit did."""
    if "feature_noise" in constant:
        return np.asarray(constant["feature_noise"].values, dtype=float)
    if spec.feature_noise == "equal":
        return np.ones(y.shape[1])
    basis = np.linalg.qr(design, mode="complete")[0][:, design.shape[1] :]
    return feature_noise_scale(basis.T @ y, block, spec.n_factors)


def _thin(posterior: xr.Dataset, max_draws: int) -> PosteriorDraws:
    chains, draws = posterior.sizes[CHAIN], posterior.sizes[DRAW]
    keep = max(1, min(draws, max_draws // chains))
    rows = np.linspace(0, draws - 1, keep).round().astype(int)
    thinned = posterior.isel({DRAW: rows})

    def flat(name: str, *dims: str) -> Array:
        values = thinned[name].transpose(CHAIN, DRAW, *dims).values.astype(float)
        return np.asarray(values.reshape(-1, *values.shape[2:]))

    block = BLOCK if BLOCK in posterior[BLOCK_SCALE].dims else WHITENED_BLOCK
    sharing = flat(SHARING, ARM, FACTOR)
    return PosteriorDraws(
        chain=posterior[CHAIN].values,
        draw=thinned[DRAW].values,
        scores=flat(SCORES, SUBJECT, FACTOR),
        sharing=sharing,
        arm_mean=flat(ARM_MEAN, ARM, FACTOR) if ARM_MEAN in posterior else np.zeros_like(sharing),
        block_scale=flat(BLOCK_SCALE, block, FACTOR),
        noise=flat(NOISE, block),
    )


def _check_features(result: Result, fitted: Fitted) -> None:
    """Compare sums of squares with those that the run stored: names alone would not differ."""
    if not result.holds(OBSERVED_DATA, "features"):
        return
    stored = np.trace(result.group(OBSERVED_DATA)["features"].values, axis1=1, axis2=2)
    found = np.array([(part**2).sum() for part in fitted.residual])
    if fitted.spec.feature_noise == "student":  # features were not divided by a relative noise
        undivided = [
            ((r * fitted.feature_noise[at]) ** 2).sum()
            for r, at in zip(fitted.residual, fitted.members, strict=True)
        ]
        found = np.array(undivided)
    if not np.allclose(stored, found, rtol=ROUNDING):
        worst = fitted.blocks[int(np.argmax(np.abs(found / stored - 1)))]
        raise DataContractError(
            "features of the fit",
            [
                "training has the participants and features of the fit, but other values (most in "
                f"block {worst}): pass features of the same session, standardised as in the fit."
            ],
        )


def _check_design(fitted: Fitted) -> None:
    """Check that coding the fitted subjects again gives the design of the fit."""
    covariates = fitted.covariates
    again = code_covariates(covariates, covariates, list(fitted.design.columns), "refuse")
    if again.problems or not np.allclose(again.design, fitted.design.to_numpy()):
        raise DataContractError(
            "covariates of the fit",
            [
                "the stored design does not follow from the stored covariates "
                f"({some(covariates.columns)}): the run is of another version; fit again."
            ],
        )
