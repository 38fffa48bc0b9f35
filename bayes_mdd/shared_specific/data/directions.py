"""Refusal of features that are not standardised, or that leave no error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.adjust.reference import MAD_TO_SD
from bayes_mdd.types import Array

#: What covariates leave of a feature is rounding error up to this fraction of its SD.
ROUNDING = 1e-8
#: The same for directions, relative to the variance of the largest one.
SMALLEST = 1e-12
#: Features, evenly spaced, of which the directions are counted first; features handled at once.
SEARCHED, CHUNK = 1000, 4096
#: Largest SD of features, in units of the prior scale of the noise.
LARGEST_SD = 10.0


def check_scale(y: Array, noise_scale: float) -> None:
    """Refuse features that are much larger than the prior of the noise allows.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features.
    noise_scale : float
        Scale of the half-normal prior of the noise.

    Raises
    ------
    DataContractError
        If the median SD of the features, by their median absolute deviations, exceeds 10 times
        `noise_scale`.

    Examples
    --------
    >>> check_scale(np.random.default_rng(0).normal(size=(9, 4)), 1.0)
    """
    some_features = y[:, :: -(-y.shape[1] // SEARCHED)]
    distance = np.abs(some_features - np.median(some_features, axis=0))
    sd = float(np.median(MAD_TO_SD * np.median(distance, axis=0)))
    if sd > LARGEST_SD * noise_scale:
        raise DataContractError(
            "features of the model",
            [
                f"the features have a median SD of {sd:.3g}, and the priors are made for features "
                f"with an SD of about 1 (noise_scale is {noise_scale:g}): standardise them with "
                "reference_to_controls."
            ],
        )


def check_directions(y: Array, design: Array, n_factors: int, names: Sequence[str]) -> None:
    """Refuse features that covariates or as many factors describe without error.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features; each varies.
    design : ndarray, shape (subject, covariate)
        Intercept and covariates, of full column rank.
    n_factors : int
        Largest number of factors.
    names : sequence of str
        Names of the features.

    Raises
    ------
    DataContractError
        If covariates describe a feature without error, or if there are more features than
        directions and no more directions than factors, as with copies of one feature.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=(9, 4))
    >>> check_directions(y, np.ones((9, 1)), 2, list("abcd"))
    >>> try:
    ...     check_directions(y[:, [0, 0, 0]], np.ones((9, 1)), 2, list("abc"))
    ... except DataContractError as error:
    ...     print(error.problems[0].split(":")[0])
    the 3 features vary in 1 direction only, so that 2 factors describe them without error
    """
    basis = np.linalg.qr(design)[0]
    p = y.shape[1]
    searched = np.arange(0, p, -(-p // SEARCHED))
    flat = np.concatenate(
        [~_without(y[:, i : i + CHUNK], basis).any(axis=0) for i in range(0, p, CHUNK)]
    )
    if flat.any():
        raise DataContractError(
            "features of the model",
            [
                f"the covariates describe {int(flat.sum())} feature(s) without error: "
                f"{some(np.asarray(names)[flat])}. Remove these features, or the covariates that "
                "they equal."
            ],
        )
    if p == 1 or _rank(_similarity(_without(y[:, searched], basis))) > n_factors:
        return
    similarity = np.zeros((len(y), len(y)))
    for i in range(0, p, CHUNK):
        similarity += _similarity(_without(y[:, i : i + CHUNK], basis))
    n = _rank(similarity)
    if n_factors < n or n == p:
        return
    directions = f"{n} direction{'s' if n > 1 else ''}"
    factors = f"{n_factors} factors describe" if n_factors > 1 else "one factor describes"
    fewer = f", or set n_factors below {n}" if n > 1 else ""
    raise DataContractError(
        "features of the model",
        [
            f"the {p} features vary in {directions} only, so that {factors} them without error: "
            f"remove features (or participants) that repeat others or are sums of others{fewer}."
        ],
    )


def _without(y: Array, basis: Array) -> Array:
    """Features without the design, over their SD; 0 where only rounding error is left."""
    centred = y - y.mean(axis=0)
    size = np.sqrt((centred**2).mean(axis=0))
    z = (centred - basis @ (basis.T @ centred)) / size
    z[:, np.sqrt((z**2).mean(axis=0)) <= ROUNDING] = 0.0
    return np.asarray(z)


def _similarity(z: Array) -> Array:
    return np.asarray(z @ z.T)


def _rank(similarity: Array) -> int:
    """Count directions."""
    values = np.linalg.eigvalsh(similarity)
    return int((values > SMALLEST * values[-1]).sum())
