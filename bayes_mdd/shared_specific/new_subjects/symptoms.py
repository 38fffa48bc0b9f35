r"""What a symptom dimension is expected to be, given the scores of a person not in the fit.

The symptom's intercept and covariate effects have flat priors and are integrated out: with
:math:`X_r, H_r` of the fitted people who were rated and x, h of the new one,

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
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.types import Array

#: Points of the grid over which the noise of a symptom without link is integrated.
GRID = 400


@dataclass(frozen=True, eq=False)
class SymptomLink:
    """Linear prediction of symptoms, per draw.

    Parameters
    ----------
    names : tuple of str
        Symptom dimensions.
    weight : ndarray, shape (T, arm, factor, symptom)
        In SD of the symptom a unit of score.
    noise : ndarray, shape (T, symptom)
        Residual SD, in SD of the symptom.
    regress : tuple of ndarray, shape (covariate, rated)
        For each symptom: turns values of the rated people into coefficients.
    effect : ndarray, shape (covariate, symptom)
        Coefficients of the symptom in SD of the symptom.
    score_effect : ndarray, shape (T, covariate, factor, symptom)
        Coefficients of the rated people's scores.
    mean, sd : ndarray, shape (symptom,)
        What the symptom was standardised with.
    """

    names: tuple[str, ...]
    weight: Array
    noise: Array
    regress: tuple[Array, ...]
    effect: Array
    score_effect: Array
    mean: Array
    sd: Array

    def expect(self, design: Array, scores: Array, arm: int) -> tuple[Array, Array]:
        """Mean and SD of a new rating, given scores.

        Parameters
        ----------
        design : ndarray, shape (covariate,)
            Of the person.
        scores : ndarray, shape (T, factor)
            Of the person.
        arm : int
            Position of the arm.

        Returns
        -------
        mean, sd : ndarray, shape (T, symptom)
            In the symptom's unit.
        """
        predicted = np.einsum("q,tqks->tks", design, self.score_effect)
        moved = np.einsum("tks,tks->ts", scores[:, :, None] - predicted, self.weight[:, arm])
        leverage = np.array([((design @ r) ** 2).sum() for r in self.regress])
        mean = self.mean + self.sd * (design @ self.effect + moved)
        return mean, self.sd * self.noise * np.sqrt(1 + leverage)

    def draw(self, design: Array, scores: Array, arm: int, rng: np.random.Generator) -> Array:
        """Draw a new rating for each draw of scores.

        Parameters
        ----------
        design : ndarray, shape (covariate,)
            Of the person.
        scores : ndarray, shape (T, factor)
            Of the person.
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
        """Log density of known ratings, averaged over draws.

        Parameters
        ----------
        design : ndarray, shape (covariate,)
            Of the person.
        scores : ndarray, shape (T, factor)
            Draws given the person's features.
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
    idata: xr.DataTree, fitted: Fitted, symptoms: pd.DataFrame | None
) -> SymptomLink | None:
    """Collect the symptom link of a fit.

    Parameters
    ----------
    idata : DataTree
        From `fit`, with `symptom_weight`.
    fitted : Fitted
        The same, in arrays.
    symptoms : DataFrame, optional
        Symptoms of the fit; needed where the run does not hold ``observed_data["symptoms"]``.

    Returns
    -------
    SymptomLink or None
        None where the fitted people's ratings are not at hand, where no dimension has a Gaussian
        residual to predict with (ordinal items are left out), or where links differ by arm.

    Raises
    ------
    DataContractError
        If `symptoms` lacks a linked dimension.
    """
    posterior = idata["posterior"].to_dataset()
    if "symptom_noise" not in posterior or "symptom_weight_by_arm" in posterior:
        return None
    if "symptom_kind" in posterior.coords:
        posterior = posterior.sel({SYMPTOM: posterior["symptom_kind"].values == "gaussian"})
    names = tuple(str(s) for s in posterior[SYMPTOM].values)
    if not names:
        return None
    ratings = _ratings(idata, fitted, names, symptoms)
    if ratings is None:
        return None
    chosen = posterior.sel({DRAW: fitted.draws.draw})
    weight = chosen["symptom_weight"]
    if ARM not in weight.dims:
        weight = weight.expand_dims({ARM: list(fitted.arms)})
    w = weight.transpose(CHAIN, DRAW, ARM, FACTOR, SYMPTOM).values
    noise = chosen["symptom_noise"].transpose(CHAIN, DRAW, SYMPTOM).values
    rated = [np.flatnonzero(np.isfinite(column)) for column in ratings.T]
    mean = np.array([c[r].mean() for c, r in zip(ratings.T, rated, strict=True)])
    sd = np.array([c[r].std(ddof=1) for c, r in zip(ratings.T, rated, strict=True)])
    x = fitted.design.to_numpy()
    regress = tuple(np.linalg.pinv(x[r]) for r in rated)
    standard = (ratings - mean) / sd
    effect = [p @ standard[r, d] for d, (p, r) in enumerate(zip(regress, rated, strict=True))]
    on_scores = [p @ fitted.draws.scores[:, r] for p, r in zip(regress, rated, strict=True)]
    return SymptomLink(
        names=names,
        weight=w.reshape(-1, *w.shape[2:]),
        noise=noise.reshape(-1, noise.shape[2]),
        regress=regress,
        effect=np.stack(effect, axis=1),
        score_effect=np.stack(on_scores, axis=3),
        mean=mean,
        sd=sd,
    )


def _ratings(
    idata: xr.DataTree, fitted: Fitted, names: tuple[str, ...], symptoms: pd.DataFrame | None
) -> Array | None:
    """Ratings of the fitted people, shape (subject, symptom); NaN where not rated."""
    if symptoms is None:
        observed = idata["observed_data"].to_dataset()
        if "symptoms" not in observed:
            return None
        stored = observed["symptoms"].transpose(SUBJECT, DIMENSION)
        return np.asarray(stored.sel({DIMENSION: list(names)}).values, dtype=float)
    lacking = [n for n in names if n not in symptoms.columns]
    if lacking:
        raise DataContractError(
            "symptoms of the fit", [f"the table lacks the linked dimension(s) {some(lacking)}."]
        )
    return np.asarray(symptoms.reindex(list(fitted.subjects))[list(names)].to_numpy(dtype=float))


def log_density_without_link(
    rating: float, design: Array, ratings: Array, fitted_design: Array, *, noise_scale: float
) -> float:
    """Log density of a new rating under intercept and covariates alone.

    Parameters
    ----------
    rating : float
        Of the new person; NaN gives NaN.
    design : ndarray, shape (covariate,)
        Of the new person.
    ratings : ndarray, shape (subject,)
        Of the fitted people; NaN where not rated.
    fitted_design : ndarray, shape (subject, covariate)
        Of the fitted people.
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
    regress = np.linalg.pinv(x)
    left = (s - mean) / sd - x @ (regress @ ((s - mean) / sd))
    n, square = len(s) - x.shape[1], float((left**2).sum())
    centre = np.sqrt(square / n)
    noise = centre * np.exp(np.linspace(-1.5, 1.5, GRID) * max(1.0, 4 / np.sqrt(n)))
    # On a grid of equal steps in log(noise): the step is a constant, the Jacobian is `noise`.
    log_weight = -n * np.log(noise) - square / (2 * noise**2) - (noise / noise_scale) ** 2 / 2
    log_weight += np.log(noise)
    spread = sd * noise * np.sqrt(1 + ((design @ regress) ** 2).sum())
    expected = mean + sd * (design @ (regress @ ((s - mean) / sd)))
    log = -0.5 * ((rating - expected) / spread) ** 2 - np.log(spread) - 0.5 * np.log(2 * np.pi)
    return float(logsumexp(log_weight + log) - logsumexp(log_weight))
