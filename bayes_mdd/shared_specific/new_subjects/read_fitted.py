"""From the tree that `fit` returned to the arrays that new people are judged by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, FEATURE, SUBJECT, SYMPTOM
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.shared_specific.likelihood.noise import feature_noise_scale
from bayes_mdd.shared_specific.new_subjects.covariates import code_covariates
from bayes_mdd.shared_specific.new_subjects.fitted import Draws, Fitted
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array

#: Draws of the posterior that are used, evenly thinned, unless asked otherwise.
MAX_DRAWS = 1000
#: Relative difference between stored and recomputed sums of squares that is rounding.
SAME = 1e-4


def read_fitted(
    idata: xr.DataTree,
    training: xr.Dataset | None = None,
    *,
    max_draws: int = MAX_DRAWS,
) -> Fitted:
    """Collect what a fit knows.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    training : Dataset, optional
        The FeatureSet of the fit; needed where `idata` does not hold the features themselves
        (``observed_data["y"]``).
    max_draws : int, default 1000
        Draws to use at most, evenly spaced within chains.

    Returns
    -------
    Fitted
        Arrays. Of a fit with noise by feature, each feature's noise is taken as known, at its
        expected precision: ``feature_noise`` is then in SD of the feature, and the blocks' is 1.

    Raises
    ------
    DataContractError
        If the features of the fit are not at hand, or `training` is not what was fitted.
    """
    posterior = idata["posterior"].to_dataset()
    constant = idata["constant_data"].to_dataset()
    described = idata["loadings"].to_dataset()
    spec = SharedSpecificSpec.from_mapping(json.loads(idata.attrs["spec"]))
    subjects, features = _names(posterior, SUBJECT), _names(described, FEATURE)
    arms, blocks = _names(posterior, ARM), _names(posterior, BLOCK)
    y = _training_values(idata, training, subjects, features)
    block = _positions(described[BLOCK].values.astype(str), blocks)
    design = pd.DataFrame(
        constant["design"].values, index=list(subjects), columns=_names(constant, "covariate")
    )
    draws = _thinned(posterior, max_draws)
    if spec.feature_noise == "student":
        # Each feature's noise at its expected precision, taken as known.
        noise = described["noise"].values.astype(float)
        draws = replace(draws, noise=np.ones_like(draws.noise))
    else:
        noise = _feature_noise(constant, spec, y, design.to_numpy(), block)
    fitted = Fitted(
        spec=spec,
        subjects=subjects,
        arms=arms,
        features=features,
        blocks=blocks,
        factors=_names(posterior, FACTOR),
        arm=_positions(constant[ARM].values.astype(str), arms),
        block=block,
        feature_noise=noise,
        y=y / noise,
        design=design,
        people=pd.DataFrame(
            {c: constant[c].values for c in spec.covariates if c in constant.coords},
            index=list(subjects),
        ),
        draws=draws,
        weight=float(constant.get("feature_weight", 1.0)),
    )
    _check_same(idata, fitted)
    _check_design(fitted)
    return fitted


def _names(data: xr.Dataset, dim: str) -> tuple[str, ...]:
    return tuple(str(n) for n in data[dim].values)


def _positions(names: NDArray[Any], known: Sequence[str]) -> NDArray[np.int64]:
    return np.asarray(pd.Index(list(known)).get_indexer(pd.Index(names)))


def _training_values(
    idata: xr.DataTree,
    training: xr.Dataset | None,
    subjects: Sequence[str],
    features: Sequence[str],
) -> Array:
    stored = idata["observed_data"].to_dataset() if "observed_data" in idata.children else None
    source = training
    if source is None and stored is not None and "y" in stored:
        source = stored
    if source is None:
        raise DataContractError(
            "features of the fit",
            [
                "this run does not hold the features it was fitted to: give the FeatureSet of the "
                "fit as training (on the command line: --training COHORT)."
            ],
        )
    problems = []
    for dim, wanted in ((SUBJECT, subjects), (FEATURE, features)):
        lacking = sorted(set(wanted) - set(_names(source, dim)))
        if lacking:
            problems.append(f"{dim}s of the fit are missing in training: {some(lacking)}.")
    if problems:
        raise DataContractError("features of the fit", problems)
    chosen = source["y"].transpose(SUBJECT, FEATURE)
    rows = _positions(np.array(subjects), _names(source, SUBJECT))
    columns = _positions(np.array(features), _names(source, FEATURE))
    return np.asarray(chosen.values.astype(float)[np.ix_(rows, columns)])


def _feature_noise(
    constant: xr.Dataset,
    spec: SharedSpecificSpec,
    y: Array,
    design: Array,
    block: NDArray[np.int64],
) -> Array:
    """Read what the run stored, or estimate it again as the fit did."""
    if "feature_noise" in constant:
        return np.asarray(constant["feature_noise"].values, dtype=float)
    if spec.feature_noise == "equal":
        return np.ones(y.shape[1])
    basis = np.linalg.qr(design, mode="complete")[0][:, design.shape[1] :]
    return feature_noise_scale(basis.T @ y, block, spec.n_factors)


def _thinned(posterior: xr.Dataset, max_draws: int) -> Draws:
    chains, draws = posterior.sizes[CHAIN], posterior.sizes[DRAW]
    keep = max(1, min(draws, max_draws // chains))
    rows = np.linspace(0, draws - 1, keep).round().astype(int)
    chosen = posterior.isel({DRAW: rows})

    def flat(name: str, *dims: str) -> Array:
        values = chosen[name].transpose(CHAIN, DRAW, *dims).values.astype(float)
        return np.asarray(values.reshape(-1, *values.shape[2:]))

    sharing = flat("sharing", ARM, FACTOR)
    mean = np.zeros_like(sharing)
    if "arm_mean" in posterior:
        mean = flat("arm_mean", ARM, FACTOR)
    return Draws(
        chain=posterior[CHAIN].values,
        draw=chosen[DRAW].values,
        scores=flat("scores", SUBJECT, FACTOR),
        sharing=sharing,
        arm_mean=mean,
        block_scale=flat("block_scale", BLOCK, FACTOR),
        noise=flat("noise", BLOCK),
    )


def _check_same(idata: xr.DataTree, fitted: Fitted) -> None:
    """Compare sums of squares with those the run stored: other features would pass unseen."""
    observed = idata["observed_data"].to_dataset()
    if "features" not in observed:
        return
    stored = np.trace(observed["features"].values, axis1=1, axis2=2)
    found = np.trace(fitted.cross_products, axis1=1, axis2=2)
    if fitted.spec.feature_noise == "student":  # features were not divided by anything then
        plain = [
            ((r * fitted.feature_noise[at]) ** 2).sum()
            for r, at in zip(fitted.residual, fitted.members, strict=True)
        ]
        found = np.array(plain)
    if not np.allclose(stored, found, rtol=SAME):
        worst = fitted.blocks[int(np.argmax(np.abs(found / stored - 1)))]
        raise DataContractError(
            "features of the fit",
            [
                "training has the people and features of the fit, but other values (most in block "
                f"{worst}): give it the reference and the session that the fit had."
            ],
        )


def _check_design(fitted: Fitted) -> None:
    """Make sure that coding the fitted people again gives the design of the fit."""
    again = code_covariates(fitted.people, fitted.people, list(fitted.design.columns), "refuse")
    if again.problems or not np.allclose(again.design, fitted.design.to_numpy()):
        raise DataContractError(
            "covariates of the fit",
            [
                "the stored design does not follow from the stored covariates "
                f"({some(fitted.people.columns)}): the run is of another version; fit again."
            ],
        )


def symptom_names(idata: xr.DataTree) -> tuple[str, ...]:
    """Name the symptom dimensions that a fit links.

    Parameters
    ----------
    idata : DataTree
        From `fit`.

    Returns
    -------
    tuple of str
        Empty where there is no link.
    """
    posterior = idata["posterior"].to_dataset()
    return _names(posterior, SYMPTOM) if "symptom_weight" in posterior else ()
