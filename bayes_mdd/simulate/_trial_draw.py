"""Random draws of a simulated trial: slopes, errors of scans, arms, effects, drop-out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.simulate._design import Rng
from bayes_mdd.types import Array, BoolArray, IntArray

#: Points of the outcome per residual SD, and its mean before and after treatment.
POINTS, BASELINE, ENDPOINT = 7.0, 22.0, 14.0
#: Baseline SD in points, and slope of the outcome on it.
BASELINE_SD, BASELINE_SLOPE = 4.0, 0.4
#: Largest total of the scale.
HIGHEST: Final = 52
#: Spread of the log error variance of scores over patients.
ERROR_SPREAD = 0.5
#: Reasons of drop-out that do not depend on the outcome.
CHANCE_REASONS: Final = ("withdrew", "lost", "administrative", "adverse_event")


def draw_slopes(
    k: int,
    benefit_sd: float,
    r2: float,
    moderators: Sequence[int],
    moderation: Mapping[int, float] | None,
    rng: Rng,
) -> tuple[Array, Array]:
    """Slopes of the drug effect and of the outcome on the scores, in residual SD."""
    theta = np.zeros(k)
    for j in moderators:
        theta[j] = benefit_sd / np.sqrt(len(moderators))
    if moderation is not None:
        theta[:] = 0.0
        for j, value in moderation.items():
            theta[j] = value
    beta = np.sqrt(r2 / (1 - r2) / k) * rng.choice([-1.0, 1.0], k)
    return theta, beta


@dataclass(frozen=True, eq=False)
class ScanErrors:
    """Errors of the scores that a scan gives: their values, size and variance."""

    #: Multiple of the mean error variance, by subject.
    size: Array
    #: Errors (subject, factor), and their variance by subject.
    error: Array
    variance: Array


def draw_errors(rng: Rng, n: int, k: int, reliability: float) -> ScanErrors:
    size = np.exp(ERROR_SPREAD * rng.standard_normal(n) - ERROR_SPREAD**2 / 2)
    variance = (1 / reliability - 1) * size
    return ScanErrors(size, np.sqrt(variance)[:, None] * rng.standard_normal((n, k)), variance)


def score_posterior(eta: Array, errors: ScanErrors, believed: float | None) -> tuple[Array, Array]:
    """Posterior means and covariances of scores under a standard normal prior."""
    n, k = eta.shape
    assumed = errors.variance if believed is None else np.full(n, 1 / believed - 1)
    covariance = (assumed / (1 + assumed))[:, None, None] * np.eye(k)
    return (eta + errors.error) / (1 + assumed)[:, None], covariance


def assign_arms(
    rng: Rng, share: float, log_odds: Array, site: IntArray, confounded: bool
) -> tuple[BoolArray, Array]:
    """Arms, with the planned numbers in each site unless confounded, and their probability."""
    if confounded:
        p = 1 / (1 + np.exp(-(log_odds + np.log(share / (1 - share)))))
        return np.asarray(rng.random(site.size) < p), p
    other = np.zeros(site.size, dtype=bool)
    for s in np.unique(site):
        rows = np.flatnonzero(site == s)
        other[rng.permutation(rows)[: round(share * rows.size)]] = True
    return other, np.full(site.size, share)


def drug_difference(
    eta: Array, theta: Array, drug_effect: float, nonlinear: bool, crossover: bool
) -> tuple[Array, Array]:
    """Compute the expected outcome on the other drug minus the default, and its best linear slopes.

    Without crossover the difference is log-normal in ``eta @ theta``, so that its mean is the drug
    effect, its SD the length of theta, and its sign the same for everyone.
    """
    size = float(np.sqrt((theta**2).sum()))
    if nonlinear:
        return drug_effect + np.sign(eta) @ theta, np.sqrt(2 / np.pi) * theta
    if crossover or not size:
        return drug_effect + eta @ theta, theta
    mean, sign = abs(drug_effect), np.sign(drug_effect)
    s = np.sqrt(np.log1p((size / mean) ** 2))
    log = np.log(mean) - s**2 / 2 + sign * s * (eta @ theta) / size
    return sign * np.exp(log), mean * s * theta / size


def draw_noise(rng: Rng, n: int, heavy_tails: bool) -> Array:
    return rng.standard_t(4, n) / np.sqrt(2) if heavy_tails else rng.standard_normal(n)


def round_points(values: Array) -> Array:
    return np.asarray(np.clip(values.round(), 0, HIGHEST))


def draw_drop_out(rng: Rng, missing: str, share: float, value: Array, baseline: Array) -> BoolArray:
    """Patients without an outcome: those with a poor baseline, or with a poor outcome, rather."""
    if missing == "none":
        return np.zeros(value.size, dtype=bool)
    drive = value if missing == "not random" else baseline
    score = drive + rng.logistic(size=value.size)
    return np.asarray(score > np.quantile(score, 1 - share))


def draw_reasons(rng: Rng, gone: BoolArray, missing: str) -> Array:
    """Reason by patient, empty where the outcome is known."""
    reason = np.full(gone.size, "", dtype=object)
    chance = rng.choice(CHANCE_REASONS, gone.size)
    reason[gone] = "lack_of_efficacy" if missing == "not random" else chance[gone]
    return reason


def score_moments_of(names: list[str], mean: Array, covariance: Array) -> xr.Dataset:
    """Moments as `bayes_mdd.score_moments` arranges them."""
    factors = factor_names(mean.shape[1])
    between = mean.var(axis=0, ddof=1)
    within = np.diagonal(covariance, axis1=1, axis2=2).mean(axis=0)
    return xr.Dataset(
        {
            "mean": (("subject", "factor"), mean),
            "covariance": (("subject", "factor", "factor_2"), covariance),
            "reliability": ("factor", between / (between + within)),
        },
        coords={
            "subject": np.array(names, dtype=object),
            "factor": factors,
            "factor_2": factors.copy(),
        },
        attrs={"arm_aware": 0, "source": ""},
    )


def factor_names(k: int) -> Array:
    return np.array([f"F{j + 1}" for j in range(k)], dtype=object)


def true_effects(
    names: list[str],
    arms: tuple[str, str],
    *,
    eta: Array,
    slopes: tuple[Array, Array],
    difference: Array,
    expected: Array,
    propensity: Array,
) -> xr.Dataset:
    """Truth of patients and factors, in points."""
    moderation, prognosis = slopes
    return xr.Dataset(
        {
            "benefit": ("subject", -POINTS * difference),
            "expected": (("subject", "arm"), ENDPOINT + POINTS * expected),
            "propensity": ("subject", propensity),
            "eta": (("subject", "factor"), eta),
            "moderation": ("factor", POINTS * moderation),
            "prognosis": ("factor", POINTS * prognosis),
        },
        coords={
            "subject": np.array(names, dtype=object),
            "arm": np.array(arms, dtype=object),
            "factor": factor_names(eta.shape[1]),
        },
        attrs={"default_arm": arms[0], "other_arm": arms[1]},
    )


def draw_people(
    rng: Rng, names: list[str], known: pd.DataFrame, n_controls: int, sites: Sequence[str]
) -> pd.DataFrame:
    """Participants table: patients with sex and head motion, and controls after them."""
    n = len(known) + n_controls
    sex, motion = np.where(rng.random(n) < 0.6, "F", "M"), np.exp(rng.normal(-2.0, 0.4, n))
    age = np.clip(40 + 12 * rng.standard_normal(n_controls), 18, 80).round()
    site = np.array(sites, dtype=object)[rng.integers(len(sites), size=n_controls)]
    return pd.DataFrame(
        {
            "diagnosis": ["MDD"] * len(known) + ["HC"] * n_controls,
            "arm": [*known["arm"], *["n/a"] * n_controls],
            "site": [*known["site"], *site],
            "age": [*known["age"], *age],
            "sex": sex,
            "mean_fd": motion.round(3),
        },
        index=pd.Index(names, name="participant_id"),
    )
