"""What a finished fit knows about its people, its draws and its loadings, in arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, FEATURE, SUBJECT, SYMPTOM
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.inference.new_person import Loadings
from bayes_mdd.model.noise import feature_noise_scale
from bayes_mdd.specs import SharedSpecificSpec

Array = NDArray[np.float64]

#: Draws of the posterior that are used, evenly thinned, unless asked otherwise.
MAX_DRAWS = 1000
#: Draws handled at once, so that memory stays small.
CHUNK = 64
#: Relative difference between stored and recomputed sums of squares that is rounding.
SAME = 1e-4


@dataclass(frozen=True, eq=False)
class Draws:
    """Thinned draws of the posterior, chains one after the other.

    Parameters
    ----------
    chain, draw : ndarray of int, shape (chain,) and (draw,)
        Labels of what was kept of each; arrays below run over chain x draw.
    scores : ndarray, shape (T, subject, factor)
        Of the fitted people.
    sharing : ndarray, shape (T, arm, factor)
        Share of an arm in the variance of a factor.
    arm_mean : ndarray, shape (T, arm, factor)
        Mean of the scores in an arm; zero where the model has none.
    block_scale : ndarray, shape (T, block, factor)
        Prior SD of loadings, in units of the block's noise.
    noise : ndarray, shape (T, block)
        Residual SD.
    """

    chain: NDArray[Any]
    draw: NDArray[Any]
    scores: Array
    sharing: Array
    arm_mean: Array
    block_scale: Array
    noise: Array


@dataclass(frozen=True, eq=False)
class Fitted:
    """The fitted people and the posterior.

    Features are in units of their relative noise (`feature_noise`), as the model sees them.

    Parameters
    ----------
    spec : SharedSpecificSpec
        What was fitted.
    subjects, arms, features, blocks, factors : tuple of str
        Names.
    arm : ndarray of int, shape (subject,)
        Position of each person's arm.
    block : ndarray of int, shape (feature,)
        Position of each feature's block.
    feature_noise : ndarray, shape (feature,)
        Noise of a feature relative to its block.
    y : ndarray, shape (subject, feature)
        Features divided by `feature_noise`.
    design : DataFrame, shape (subject, covariate)
        Intercept and covariates.
    people : DataFrame
        Covariates of the fitted people as they came.
    draws : Draws
        The posterior.
    """

    spec: SharedSpecificSpec
    subjects: tuple[str, ...]
    arms: tuple[str, ...]
    features: tuple[str, ...]
    blocks: tuple[str, ...]
    factors: tuple[str, ...]
    arm: NDArray[np.int64]
    block: NDArray[np.int64]
    feature_noise: Array
    y: Array
    design: pd.DataFrame
    people: pd.DataFrame
    draws: Draws

    @cached_property
    def size(self) -> Array:
        """Number of features of each block."""
        return np.bincount(self.block, minlength=len(self.blocks)).astype(float)

    @cached_property
    def regress(self) -> Array:
        """Turns values of the fitted people into coefficients, shape (covariate, subject)."""
        return np.asarray(np.linalg.pinv(self.design.to_numpy()))

    @cached_property
    def effect(self) -> Array:
        """Least-squares coefficients of the features, shape (covariate, feature)."""
        return np.asarray(self.regress @ self.y)

    @cached_property
    def residual(self) -> Array:
        """What the design leaves of the features, shape (subject, feature)."""
        return np.asarray(self.y - self.design.to_numpy() @ self.effect)

    @cached_property
    def cross_products(self) -> Array:
        """Of `residual`, summed over a block's features, shape (block, subject, subject)."""
        parts = [self.residual[:, self.block == b] for b in range(len(self.blocks))]
        return np.stack([part @ part.T for part in parts])

    @cached_property
    def score_effect(self) -> Array:
        """Least-squares coefficients of the scores, shape (T, covariate, factor)."""
        return np.asarray(self.regress @ self.draws.scores)

    @cached_property
    def score_residual(self) -> Array:
        """What the design leaves of the scores, shape (T, subject, factor)."""
        return np.asarray(self.draws.scores - self.design.to_numpy() @ self.score_effect)

    @cached_property
    def gram(self) -> Array:
        """Of `score_residual`, shape (T, factor, factor)."""
        h = self.score_residual
        return np.asarray(np.swapaxes(h, 1, 2) @ h)

    @cached_property
    def pattern(self) -> Array:
        """Scores times `cross_products` times scores, shape (T, block, factor, factor)."""
        h = self.score_residual
        n_draws, n, k = h.shape
        flat = self.cross_products.reshape(-1, n)
        out = np.empty((n_draws, len(self.blocks), k, k))
        for at in range(0, n_draws, CHUNK):
            part = h[at : at + CHUNK]
            weighted = (flat @ np.swapaxes(part, 0, 1).reshape(n, -1)).reshape(
                len(self.blocks), n, len(part), k
            )
            out[at : at + CHUNK] = np.einsum("tnk,bntl->tbkl", part, weighted, optimize=True)
        return out

    @cached_property
    def loadings(self) -> Loadings:
        """What each draw says of the loadings."""
        return given_loadings(
            self.gram, self.pattern, self.draws.block_scale, self.draws.noise, self.size
        )


def given_loadings(
    gram: Array, pattern: Array, block_scale: Array, noise: Array, size: Array
) -> Loadings:
    """Conditional covariance and second moment of the loadings.

    Parameters
    ----------
    gram : ndarray, shape (T, factor, factor)
        Of the scores, the design projected out.
    pattern : ndarray, shape (T, block, factor, factor)
        Scores times the block's cross-products times scores.
    block_scale : ndarray, shape (T, block, factor)
        Prior SD of loadings.
    noise : ndarray, shape (T, block)
        Residual SD.
    size : ndarray, shape (block,)
        Number of features.

    Returns
    -------
    Loadings
        For `integrate_scores`.
    """
    # V = D (I + D G D)^-1 D stays defined when a block scale is zero.
    row, column = block_scale[..., :, None], block_scale[..., None, :]
    m = np.eye(gram.shape[1]) + row * gram[:, None] * column
    spread = row * np.linalg.inv(m) * column
    spread = (spread + np.swapaxes(spread, 2, 3)) / 2
    return Loadings(spread, spread @ pattern @ spread, noise**2, size)


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
        Arrays.

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
        draws=_thinned(posterior, max_draws),
    )
    _check_same(idata, fitted)
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
    return feature_noise_scale(basis.T @ y, block.astype(str), spec.n_factors)


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
    if not np.allclose(stored, found, rtol=SAME):
        worst = fitted.blocks[int(np.argmax(np.abs(found / stored - 1)))]
        raise DataContractError(
            "features of the fit",
            [
                "training has the people and features of the fit, but other values (most in block "
                f"{worst}): give it the reference and the session that the fit had."
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
