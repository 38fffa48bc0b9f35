r"""Prediction of symptom dimensions from the scores of a subject who was not in the fit.

The symptom's intercept and covariate effects have flat priors and are integrated out: with
:math:`X_r, H_r` of the fitted subjects with a rating and x, h of the new subject,

.. math:: s \mid h \sim N\big(x^\top X_r^+ s_r + (h - H_r^\top X_r^{+\top} x)^\top \beta,\;
   \sigma^2 (1 + x^\top (X_r^\top X_r)^{-1} x)\big)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp

from bayes_mdd.dims import ARM, CHAIN, DIMENSION, DRAW, FACTOR, SUBJECT, SYMPTOM
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.posterior.symptoms import read_link_units
from bayes_mdd.shared_specific.schema import (
    OBSERVED_DATA,
    SYMPTOM_NOISE,
    SYMPTOM_WEIGHT,
    SYMPTOM_WEIGHT_BY_ARM,
)
from bayes_mdd.types import Array

#: Points of the grid over which the residual SD of a symptom without link is integrated.
GRID = 400


@dataclass(frozen=True, eq=False)
class SymptomLink:
    """Linear prediction of symptoms from scores, per draw.

    Parameters
    ----------
    names : tuple of str
        Symptom dimensions.
    weight : ndarray, shape (T, arm, factor, symptom)
        In SD of the symptom per unit of score.
    noise : ndarray, shape (T, symptom)
        Residual SD, in SD of the symptom.
    design_inverse : tuple of ndarray, shape (covariate, rated)
        For each symptom: pseudo-inverse of the design of the subjects with a rating.
    coefficients : ndarray, shape (covariate, symptom)
        Least-squares coefficients of the symptom, in SD of the symptom.
    score_coefficients : ndarray, shape (T, covariate, factor, symptom)
        Least-squares coefficients of the scores of the subjects with a rating.
    mean, sd : ndarray, shape (symptom,)
        Mean and SD with which the symptom was standardised.
    """

    names: tuple[str, ...]
    weight: Array
    noise: Array
    design_inverse: tuple[Array, ...]
    coefficients: Array
    score_coefficients: Array
    mean: Array
    sd: Array

    def expect(self, design: Array, scores: Array, arm: int) -> tuple[Array, Array]:
        """Compute mean and SD of a new rating given scores.

        Parameters
        ----------
        design : ndarray, shape (covariate,)
            Design row of the subject.
        scores : ndarray, shape (T, factor)
            Scores of the subject.
        arm : int
            Position of the arm.

        Returns
        -------
        mean, sd : ndarray, shape (T, symptom)
            In the symptom's unit.
        """
        predicted = np.einsum("q,tqks->tks", design, self.score_coefficients)
        of_scores = np.einsum("tks,tks->ts", scores[:, :, None] - predicted, self.weight[:, arm])
        leverage = np.array([((design @ r) ** 2).sum() for r in self.design_inverse])
        mean = self.mean + self.sd * (design @ self.coefficients + of_scores)
        return mean, self.sd * self.noise * np.sqrt(1 + leverage)

    def draw(self, design: Array, scores: Array, arm: int, rng: np.random.Generator) -> Array:
        """Draw a new rating for each draw of scores.

        Parameters
        ----------
        design : ndarray, shape (covariate,)
            Design row of the subject.
        scores : ndarray, shape (T, factor)
            Scores of the subject.
        arm : int
            Position of the arm.
        rng : numpy.random.Generator
            For the noise.

        Returns
        -------
        ndarray, shape (T, symptom)
            In the symptom's unit.
        """
        mean, sd = self.expect(design, scores, arm)
        return np.asarray(mean + sd * rng.standard_normal(mean.shape))

    def log_density(self, design: Array, scores: Array, arm: int, rating: Array) -> Array:
        """Compute the log density of known ratings, averaged over draws.

        Parameters
        ----------
        design : ndarray, shape (covariate,)
            Design row of the subject.
        scores : ndarray, shape (T, factor)
            Draws given the subject's features.
        arm : int
            Position of the arm.
        rating : ndarray, shape (symptom,)
            NaN where not rated.

        Returns
        -------
        ndarray, shape (symptom,)
            NaN where not rated.
        """
        mean, sd = self.expect(design, scores, arm)
        log = -0.5 * ((rating - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
        return np.asarray(logsumexp(log, axis=0) - np.log(len(log)))


def read_symptom_link(
    idata: xr.DataTree | Result, fitted: Fitted, symptoms: pd.DataFrame | None
) -> SymptomLink | None:
    """Read the symptom link of a fit.

    Parameters
    ----------
    idata : DataTree or Result
        From `fit`, with `symptom_weight`.
    fitted : Fitted
        The same fit in arrays.
    symptoms : DataFrame, optional
        Symptoms of the fit; needed where the run does not hold ``observed_data["symptoms"]``.

    Returns
    -------
    SymptomLink or None
        None where the ratings of the fitted subjects are not available, where no dimension has a
        Gaussian residual (ordinal items are not predicted), or where links differ by arm.

    Raises
    ------
    DataContractError
        If `symptoms` lacks a linked dimension.
    """
    result = read_result(idata)
    posterior = result.posterior
    if SYMPTOM_NOISE not in posterior or SYMPTOM_WEIGHT_BY_ARM in posterior:
        return None
    if SYMPTOM_WEIGHT in posterior:
        kinds = read_link_units(result)
        posterior = posterior.sel(
            {SYMPTOM: [s for s, (kind, _) in kinds.items() if kind == "gaussian"]}
        )
    names = tuple(str(s) for s in posterior[SYMPTOM].values)
    if not names:
        return None
    ratings = _read_ratings(result, fitted, names, symptoms)
    if ratings is None:
        return None
    thinned = posterior.sel({DRAW: fitted.draws.draw})
    weight = thinned[SYMPTOM_WEIGHT]
    if ARM not in weight.dims:
        weight = weight.expand_dims({ARM: list(fitted.arms)})
    w = weight.transpose(CHAIN, DRAW, ARM, FACTOR, SYMPTOM).values
    noise = thinned[SYMPTOM_NOISE].transpose(CHAIN, DRAW, SYMPTOM).values
    rated = [np.flatnonzero(np.isfinite(column)) for column in ratings.T]
    mean = np.array([c[r].mean() for c, r in zip(ratings.T, rated, strict=True)])
    sd = np.array([c[r].std(ddof=1) for c, r in zip(ratings.T, rated, strict=True)])
    x = fitted.design.to_numpy()
    inverse = tuple(np.linalg.pinv(x[r]) for r in rated)
    standard = (ratings - mean) / sd
    of_symptom = [p @ standard[r, d] for d, (p, r) in enumerate(zip(inverse, rated, strict=True))]
    of_scores = [p @ fitted.draws.scores[:, r] for p, r in zip(inverse, rated, strict=True)]
    return SymptomLink(
        names=names,
        weight=w.reshape(-1, *w.shape[2:]),
        noise=noise.reshape(-1, noise.shape[2]),
        design_inverse=inverse,
        coefficients=np.stack(of_symptom, axis=1),
        score_coefficients=np.stack(of_scores, axis=3),
        mean=mean,
        sd=sd,
    )


def _read_ratings(
    result: Result, fitted: Fitted, names: tuple[str, ...], symptoms: pd.DataFrame | None
) -> Array | None:
    """Ratings of the fitted subjects, shape (subject, symptom); NaN where not rated."""
    if symptoms is None:
        if not result.holds(OBSERVED_DATA, "symptoms"):
            return None
        stored = result.group(OBSERVED_DATA)["symptoms"].transpose(SUBJECT, DIMENSION)
        return np.asarray(stored.sel({DIMENSION: list(names)}).values, dtype=float)
    missing = [n for n in names if n not in symptoms.columns]
    if missing:
        raise DataContractError(
            "symptoms of the fit",
            [
                f"the table has no column for the linked dimension(s) {some(missing)}: pass the "
                "table that was fitted."
            ],
        )
    return np.asarray(symptoms.reindex(list(fitted.subjects))[list(names)].to_numpy(dtype=float))


def log_density_without_link(
    rating: float, design: Array, ratings: Array, fitted_design: Array, *, noise_scale: float
) -> float:
    """Compute the log density of a new rating under intercept and covariates alone.

    Parameters
    ----------
    rating : float
        Rating of the new subject; NaN gives NaN.
    design : ndarray, shape (covariate,)
        Design row of the new subject.
    ratings : ndarray, shape (subject,)
        Ratings of the fitted subjects; NaN where not rated.
    fitted_design : ndarray, shape (subject, covariate)
        Design of the fitted subjects.
    noise_scale : float
        Scale of the half-normal prior of the residual SD, in SD of the symptom; the same prior as
        in the model with a link.

    Returns
    -------
    float
        The residual SD is integrated out on a grid.
    """
    rated = np.isfinite(ratings)
    s, x = ratings[rated], fitted_design[rated]
    mean, sd = s.mean(), s.std(ddof=1)
    inverse = np.linalg.pinv(x)
    residual = (s - mean) / sd - x @ (inverse @ ((s - mean) / sd))
    n, square = len(s) - x.shape[1], float((residual**2).sum())
    centre = np.sqrt(square / n)
    noise = centre * np.exp(np.linspace(-1.5, 1.5, GRID) * max(1.0, 4 / np.sqrt(n)))
    # The grid has equal steps in log(noise): the step is a constant, the Jacobian is `noise`.
    log_weight = -n * np.log(noise) - square / (2 * noise**2) - (noise / noise_scale) ** 2 / 2
    log_weight += np.log(noise)
    spread = sd * noise * np.sqrt(1 + ((design @ inverse) ** 2).sum())
    expected = mean + sd * (design @ (inverse @ ((s - mean) / sd)))
    log = -0.5 * ((rating - expected) / spread) ** 2 - np.log(spread) - 0.5 * np.log(2 * np.pi)
    return float(logsumexp(log_weight + log) - logsumexp(log_weight))
