"""Simulated trials of two drugs, with everybody's true benefit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

#: Points of the outcome per residual SD, and its mean before and after treatment.
POINTS, BASELINE, ENDPOINT = 7.0, 22.0, 14.0
#: Baseline SD in points, and slope of the outcome on it.
BASELINE_SD, BASELINE_SLOPE = 4.0, 0.4
#: Spread of the log error variance of scores over patients.
ERROR_SPREAD = 0.5
Missing = Literal["none", "random", "not random"]


@dataclass(frozen=True, eq=False)
class SimulatedTrial:
    """A trial and its truth.

    Parameters
    ----------
    scores : Dataset
        Moments of the scores: ``mean`` (subject, factor), ``covariance`` (subject, factor,
        factor_2), ``reliability`` (factor).
    outcomes : DataFrame
        Indexed by participant: ``arm``, ``hamd17``, ``hamd17_baseline``, ``age``, ``site``, and
        ``missing_reason`` where the outcome is missing.
    truth : Dataset
        On ``subject``: ``benefit`` of the other drug in points, ``expected`` (subject, arm), the
        expected outcome on each drug, ``eta`` (subject, factor), the true scores; on ``factor``:
        ``moderation`` and ``prognosis`` in points per SD. Attributes: ``benefit_sd``,
        ``drug_effect``, ``default_arm``, ``other_arm``.
    """

    scores: xr.Dataset
    outcomes: pd.DataFrame
    truth: xr.Dataset


def simulate_trial(
    *,
    seed: int = 1,
    n: int = 120,
    benefit_sd: float = 0.4,
    drug_effect: float = 0.0,
    prognosis_r2: float = 0.2,
    reliability: float = 0.8,
    believed: float | None = None,
    n_factors: int = 5,
    moderators: Sequence[int] = (0,),
    nonlinear: bool = False,
    share_other: float = 0.5,
    noise_ratio: float = 1.0,
    confounding: float = 0.0,
    missing: Missing = "none",
    missing_share: float = 0.3,
    n_sites: int = 1,
    site_by_drug: float = 0.0,
    heavy_tails: bool = False,
    whole_points: bool = False,
    shift: float = 0.0,
    arms: tuple[str, str] = ("SSRI", "SNRI"),
    moderation: Mapping[int, float] | None = None,
    model_seed: int = 0,
    prefix: str = "sub",
) -> SimulatedTrial:
    """Simulate a trial of two drugs.

    True scores have variance 1. Their scan has an error that differs between patients; the moments
    that are returned are those of a fit that knows the size of this error.

    Parameters
    ----------
    seed : int, default 1
        Of patients, scans and outcomes.
    n : int, default 120
        Number of patients.
    benefit_sd : float, default 0.4
        SD over patients of the benefit of the other drug, in residual SD of the outcome (7 points).
    drug_effect : float, default 0.0
        Mean outcome on the other drug minus that on the default, in residual SD; below 0 the
        other drug is better.
    prognosis_r2 : float, default 0.2
        Share of the variance of the outcome that scores explain on either drug.
    reliability : float, default 0.8
        Of the scores, on average.
    believed : float, optional
        Reliability that the fit of the scores believes. Default: the true one of each patient.
    n_factors : int, default 5
        Number of factors.
    moderators : sequence of int, default (0,)
        Positions of the factors that carry the benefit, equally.
    nonlinear : bool, default False
        Whether the benefit depends on the sign of the scores only.
    share_other : float, default 0.5
        Share of patients who receive the other drug.
    noise_ratio : float, default 1.0
        Noise SD in the arm of the other drug over that in the default arm.
    confounding : float, default 0.0
        Log-odds of the other drug per SD of the first factor and of baseline; 0 for a randomised
        trial.
    missing : {"none", "random", "not random"}, default "none"
        Drop-out: depending on baseline, or on the outcome itself.
    missing_share : float, default 0.3
        Share of patients without an outcome.
    n_sites : int, default 1
        Number of sites.
    site_by_drug : float, default 0.0
        SD over sites of the drug effect, in residual SD.
    heavy_tails : bool, default False
        Noise from a t distribution with 4 degrees of freedom, with the same variance.
    whole_points : bool, default False
        Outcomes rounded to whole points from 0 to 52.
    shift : float, default 0.0
        Mean of all scores, in SD: a new site unlike the trial.
    arms : tuple of str, default ("SSRI", "SNRI")
        Default and other drug.
    moderation : mapping of int to float, optional
        Slopes of the drug effect on single factors in residual SD, instead of `benefit_sd` and
        `moderators`.
    model_seed : int, default 0
        Of the signs of the slopes: trials with the same one have the same truth.
    prefix : str, default "sub"
        Start of participant ids.

    Returns
    -------
    SimulatedTrial
        Scores, outcomes and truth.

    Examples
    --------
    >>> trial = simulate_trial(seed=1, n=200, benefit_sd=0.5)
    >>> round(float(trial.truth["benefit"].std()) / 7, 1)
    0.5
    """
    rng = np.random.default_rng([23, seed])
    theta, beta = _slopes(
        n_factors,
        benefit_sd,
        prognosis_r2,
        moderators,
        moderation,
        np.random.default_rng(model_seed),
    )
    eta = rng.standard_normal((n, n_factors)) + shift
    mean, covariance = _scan(rng, eta, reliability, believed)
    baseline = rng.standard_normal(n)
    site = rng.integers(n_sites, size=n)
    of_site = 0.3 * rng.standard_normal(n_sites) * (n_sites > 1)
    by_drug = site_by_drug * rng.standard_normal(n_sites)
    other = _assign(rng, share_other, confounding * (eta[:, 0] + baseline), site, confounding != 0)
    effect = np.sign(eta) @ theta if nonlinear else eta @ theta
    difference = drug_effect + by_drug[site] + effect
    common = eta @ beta + of_site[site] + BASELINE_SLOPE * BASELINE_SD / POINTS * baseline
    expected = np.column_stack([common - difference / 2, common + difference / 2])
    noise = _noise(rng, n, heavy_tails) * np.where(other, noise_ratio, 1.0)
    value = expected[np.arange(n), other.astype(int)] + noise
    outcome = ENDPOINT + POINTS * value
    if whole_points:
        outcome = np.clip(outcome.round(), 0, 52)
    names = [f"{prefix}-{i + 1:04d}" for i in range(n)]
    table = pd.DataFrame(
        {
            "arm": np.array(arms, dtype=object)[other.astype(int)],
            "hamd17": outcome,
            "hamd17_baseline": BASELINE + BASELINE_SD * baseline,
            "age": np.clip(40 + 12 * rng.standard_normal(n), 18, 80).round(),
            "site": [f"site{s + 1}" for s in site],
        },
        index=pd.Index(names, name="participant_id"),
    )
    table = _drop_out(rng, table, missing, missing_share, value, baseline)
    table.attrs = _declaration(arms, confounding != 0, share_other)
    return SimulatedTrial(
        scores=_moments(names, mean, covariance),
        outcomes=table,
        truth=_truth(names, arms, eta, theta, beta, difference, expected, drug_effect),
    )


def _slopes(
    k: int,
    benefit_sd: float,
    r2: float,
    moderators: Sequence[int],
    moderation: Mapping[int, float] | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
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


def _scan(
    rng: np.random.Generator, eta: np.ndarray, reliability: float, believed: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and covariances of scores under a standard normal prior."""
    n, k = eta.shape
    size = np.exp(ERROR_SPREAD * rng.standard_normal(n) - ERROR_SPREAD**2 / 2)
    variance = (1 / reliability - 1) * size
    seen = eta + np.sqrt(variance)[:, None] * rng.standard_normal(eta.shape)
    assumed = variance if believed is None else np.full(n, 1 / believed - 1)
    covariance = (assumed / (1 + assumed))[:, None, None] * np.eye(k)
    return seen / (1 + assumed)[:, None], covariance


def _assign(
    rng: np.random.Generator, share: float, log_odds: np.ndarray, site: np.ndarray, confounded: bool
) -> np.ndarray:
    """Arms, with the planned numbers in each site unless confounded."""
    if confounded:
        p = 1 / (1 + np.exp(-(log_odds + np.log(share / (1 - share)))))
        return np.asarray(rng.random(site.size) < p)
    other = np.zeros(site.size, dtype=bool)
    for s in np.unique(site):
        rows = np.flatnonzero(site == s)
        other[rng.permutation(rows)[: round(share * rows.size)]] = True
    return other


def _noise(rng: np.random.Generator, n: int, heavy_tails: bool) -> np.ndarray:
    return rng.standard_t(4, n) / np.sqrt(2) if heavy_tails else rng.standard_normal(n)


def _drop_out(
    rng: np.random.Generator,
    table: pd.DataFrame,
    missing: Missing,
    share: float,
    value: np.ndarray,
    baseline: np.ndarray,
) -> pd.DataFrame:
    reason = np.full(len(table), "", dtype=object)
    if missing != "none":
        drive = value if missing == "not random" else baseline
        score = drive + rng.logistic(size=len(table))
        gone = score > np.quantile(score, 1 - share)
        table = table.assign(hamd17=table["hamd17"].where(~gone))
        reason[gone] = "lack_of_efficacy" if missing == "not random" else "withdrew"
    return table.assign(missing_reason=reason)


def _declaration(arms: tuple[str, str], confounded: bool, share_other: float) -> dict[str, object]:
    """Attributes of the outcomes, as `read_outcomes` states them."""
    return {
        "outcome": "hamd17",
        "baseline": "hamd17_baseline",
        "units": "points",
        "higher_is_better": False,
        "assignment": "observational" if confounded else "randomised",
        "default": arms[0],
        "allocation": None if confounded else share_other,
        "strata": [],
    }


def _moments(names: list[str], mean: np.ndarray, covariance: np.ndarray) -> xr.Dataset:
    factors = np.array([f"F{k + 1}" for k in range(mean.shape[1])], dtype=object)
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


def _truth(
    names: list[str],
    arms: tuple[str, str],
    eta: np.ndarray,
    theta: np.ndarray,
    beta: np.ndarray,
    difference: np.ndarray,
    expected: np.ndarray,
    drug_effect: float,
) -> xr.Dataset:
    return xr.Dataset(
        {
            "benefit": ("subject", -POINTS * difference),
            "expected": (("subject", "arm"), ENDPOINT + POINTS * expected),
            "eta": (("subject", "factor"), eta),
            "moderation": ("factor", POINTS * theta),
            "prognosis": ("factor", POINTS * beta),
        },
        coords={
            "subject": np.array(names, dtype=object),
            "arm": np.array(arms, dtype=object),
            "factor": np.array([f"F{k + 1}" for k in range(theta.size)], dtype=object),
        },
        attrs={
            "benefit_sd": float(POINTS * np.sqrt((theta**2).sum())),
            "drug_effect": float(POINTS * drug_effect),
            "default_arm": arms[0],
            "other_arm": arms[1],
        },
    )
