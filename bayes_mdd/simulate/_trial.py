"""Simulated trials of two drugs, with everybody's true benefit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.simulate._design import make_regions
from bayes_mdd.simulate._trial_check import trial_problems
from bayes_mdd.simulate._trial_draw import (
    BASELINE,
    BASELINE_SD,
    BASELINE_SLOPE,
    ENDPOINT,
    POINTS,
    assign_arms,
    draw_drop_out,
    draw_errors,
    draw_noise,
    draw_people,
    draw_reasons,
    draw_slopes,
    drug_difference,
    round_points,
    score_moments_of,
    score_posterior,
    true_effects,
)
from bayes_mdd.simulate._trial_scans import trial_features
from bayes_mdd.simulate._trial_visits import draw_visits

Missing = Literal["none", "random", "not random"]


@dataclass(frozen=True, eq=False)
class SimulatedTrial:
    """A trial and its truth.

    Parameters
    ----------
    scores : Dataset
        Moments of the scores of patients: ``mean`` (subject, factor), ``covariance`` (subject,
        factor, factor_2), ``reliability`` (factor).
    outcomes : DataFrame
        Indexed by participant: ``arm``, ``hamd17``, ``hamd17_baseline``, ``age``, ``site``, and
        ``missing_reason`` where the outcome is missing. Attributes as those of `read_outcomes`.
    truth : Dataset
        On ``subject``: ``benefit`` of the other drug in points, ``expected`` (subject, arm), the
        expected outcome on each drug, ``propensity``, the probability of the other drug, ``eta``
        (subject, factor), the true scores; on ``factor``: ``moderation`` and ``prognosis`` in
        points per SD (best linear slopes); with features, ``loadings`` (factor, feature).
        Attributes: ``benefit_sd`` and ``drug_effect`` in points, ``default_arm``, ``other_arm``.
    visits : DataFrame
        Every rating: ``participant_id``, ``session_id``, ``week``, ``value``, as from
        `read_visits`.
    disposition : DataFrame
        Patients who left: ``last_session`` and ``reason`` by participant.
    participants : DataFrame
        Patients and controls by participant: ``diagnosis``, ``arm``, ``site``, ``age``, ``sex``,
        ``mean_fd``.
    features : Dataset or None
        FeatureSet of all participants in Fisher z.
    regions : DataFrame or None
        Region table of the features.
    settings : mapping
        Arguments of `simulate_trial`.
    """

    scores: xr.Dataset
    outcomes: pd.DataFrame
    truth: xr.Dataset
    visits: pd.DataFrame
    disposition: pd.DataFrame
    participants: pd.DataFrame
    features: xr.Dataset | None = None
    regions: pd.DataFrame | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


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
    crossover: bool = True,
    specific: Mapping[int, str] | None = None,
    share_other: float = 0.5,
    noise_ratio: float = 1.0,
    confounding: float = 0.0,
    missing: Missing = "none",
    missing_share: float = 0.3,
    n_sites: int = 1,
    sites: Sequence[str] | None = None,
    site_by_drug: float = 0.0,
    heavy_tails: bool = False,
    whole_points: bool = False,
    shift: float = 0.0,
    arms: tuple[str, str] = ("SSRI", "SNRI"),
    moderation: Mapping[int, float] | None = None,
    model_seed: int = 0,
    features: bool = False,
    n_regions: int = 20,
    n_controls: int = 0,
    prefix: str = "sub",
) -> SimulatedTrial:
    """Simulate a trial of two drugs.

    True scores have variance 1. Their scan has an error that differs between patients; the moments
    that are returned are those of a fit that knows the size of this error.

    ===========================================  ===============================================
    trial                                        arguments
    ===========================================  ===============================================
    nothing to find                              ``benefit_sd=0, prognosis_r2=0``
    prognosis only                               ``benefit_sd=0``
    average difference only                      ``benefit_sd=0, drug_effect=-0.4``
    crossover on a factor of all patients        the default
    crossover on a factor of one arm             ``specific={0: "SNRI"}``
    one drug better for all, more so for some    ``drug_effect=-0.6, crossover=False``
    benefit not linear in the score              ``nonlinear=True``
    two moderators                               ``moderators=(0, 1)``
    not randomised                               ``confounding=1``
    drop-out                                     ``missing="random"``, ``missing="not random"``
    drug effect differs between sites            ``n_sites=6, site_by_drug=0.3``
    HAMD totals with outliers                    ``heavy_tails=True, whole_points=True``
    a new site unlike the trial                  ``shift=1.5, sites=["new"], prefix="new"``
    ===========================================  ===============================================

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
    crossover : bool, default True
        If False, the drug that `drug_effect` favours is better for every patient (apart from
        effects of sites), and the benefit is skewed: log-normal with the same mean and SD.
    specific : mapping of int to str, optional
        Factors that vary in one arm only, by position, with the name of the arm; in the other arm
        their scores are 0. Scans before treatment cannot differ so between randomised arms: the
        trial is then declared as observational.
    share_other : float, default 0.5
        Share of patients who receive the other drug.
    noise_ratio : float, default 1.0
        Noise SD in the arm of the other drug over that in the default arm.
    confounding : float, default 0.0
        Log-odds of the other drug per SD of the first factor and of baseline; 0 for a randomised
        trial. ``truth["propensity"]`` has the probabilities.
    missing : {"none", "random", "not random"}, default "none"
        Drop-out: depending on baseline, or on the outcome itself.
    missing_share : float, default 0.3
        Share of patients without an outcome.
    n_sites : int, default 1
        Number of sites.
    sites : sequence of str, optional
        Their names. Default: ``site1``, ``site2``, ...
    site_by_drug : float, default 0.0
        SD over sites of the drug effect, in residual SD.
    heavy_tails : bool, default False
        Noise from a t distribution with 4 degrees of freedom, with the same variance.
    whole_points : bool, default False
        Ratings rounded to whole points from 0 to 52.
    shift : float, default 0.0
        Mean of all scores, in SD: a new site unlike the trial.
    arms : tuple of str, default ("SSRI", "SNRI")
        Default and other drug.
    moderation : mapping of int to float, optional
        Slopes of the drug effect on single factors in residual SD, instead of `benefit_sd` and
        `moderators`.
    model_seed : int, default 0
        Of the signs of the slopes and of the loadings: trials with the same one have the same
        truth.
    features : bool, default False
        Whether edges are drawn, too: true scores times loadings on pairs of networks, plus noise.
        Their least-squares scores under the true loadings are the scans behind ``scores``.
    n_regions : int, default 20
        Number of regions of the features.
    n_controls : int, default 0
        Number of healthy controls with features; their scores are 0.
    prefix : str, default "sub"
        Start of participant ids.

    Returns
    -------
    SimulatedTrial
        Scores, outcomes, visits, features and truth.

    Raises
    ------
    SpecError
        If an argument is out of range. The error lists all problems.

    See Also
    --------
    write_trial : Write the trial as a cohort folder.

    Examples
    --------
    >>> trial = simulate_trial(seed=1, n=200, benefit_sd=0.5)
    >>> trial.truth.attrs["benefit_sd"], trial.truth["benefit"].sizes["subject"]
    (3.5, 200)
    """
    given = {name: value for name, value in locals().items() if name != "given"}
    if problems := trial_problems(given):
        raise SpecError(f"simulate_trial: {'; '.join(problems)}.")
    rng = np.random.default_rng([23, seed])
    slopes = draw_slopes(
        n_factors,
        benefit_sd,
        prognosis_r2,
        moderators,
        moderation,
        np.random.default_rng(model_seed),
    )
    theta, beta = slopes
    eta = rng.standard_normal((n, n_factors)) + shift
    errors = draw_errors(rng, n, n_factors, reliability)
    before = rng.standard_normal(n)
    site = rng.integers(n_sites, size=n)
    of_site = 0.3 * rng.standard_normal(n_sites) * (n_sites > 1)
    by_drug = site_by_drug * rng.standard_normal(n_sites)
    log_odds = confounding * (eta[:, 0] + before)
    other, propensity = assign_arms(rng, share_other, log_odds, site, confounding != 0)
    arm = np.array(arms, dtype=object)[other.astype(int)]
    for factor, own in (specific or {}).items():
        eta[arm != own, factor] = 0.0
    difference, linear = drug_difference(eta, theta, drug_effect, nonlinear, crossover)
    difference = difference + by_drug[site]
    common = eta @ beta + of_site[site] + BASELINE_SLOPE * BASELINE_SD / POINTS * before
    expected = np.column_stack([common - difference / 2, common + difference / 2])
    noise = draw_noise(rng, n, heavy_tails) * np.where(other, noise_ratio, 1.0)
    value = expected[np.arange(n), other.astype(int)] + noise
    first, last = BASELINE + BASELINE_SD * before, ENDPOINT + POINTS * value
    if whole_points:
        first, last = round_points(first), round_points(last)
    names = [f"{prefix}-{i + 1:04d}" for i in range(n + n_controls)]
    site_names = list(sites or [f"site{s + 1}" for s in range(n_sites)])
    known = pd.DataFrame(
        {
            "arm": arm,
            "hamd17": last,
            "hamd17_baseline": first,
            "age": np.clip(40 + 12 * rng.standard_normal(n), 18, 80).round(),
            "site": [site_names[s] for s in site],
        },
        index=pd.Index(names[:n], name="participant_id"),
    )
    gone = draw_drop_out(rng, missing, missing_share, value, before)
    # Streams of their own, so that they do not change what has been drawn above.
    streams = [np.random.default_rng([23, seed, part]) for part in range(1, 4)]
    reason = draw_reasons(streams[0], gone, missing)
    visits, left = draw_visits(streams[1], names[:n], first, last, gone, whole=whole_points)
    people = draw_people(streams[0], names, known, n_controls, site_names)
    truth = true_effects(
        names[:n],
        arms,
        eta=eta,
        slopes=(linear, beta),
        difference=difference,
        expected=expected,
        propensity=propensity,
    )
    truth.attrs |= {
        "benefit_sd": float(POINTS * np.sqrt((theta**2).sum())),
        "drug_effect": float(POINTS * drug_effect),
    }
    dataset, regions = None, None
    if features:
        regions = make_regions(n_regions)
        dataset, loadings = trial_features(streams[2], eta, errors, people, regions, given)
        truth["loadings"] = loadings
    table = known.assign(hamd17=known["hamd17"].where(~gone), missing_reason=reason)
    table.attrs.update(_declaration(given))
    return SimulatedTrial(
        scores=score_moments_of(names[:n], *score_posterior(eta, errors, believed)),
        outcomes=table,
        truth=truth,
        visits=visits,
        disposition=left.to_frame("last_session").assign(reason=reason[gone]),
        participants=people,
        features=dataset,
        regions=regions,
        settings=given,
    )


def _declaration(given: Mapping[str, Any]) -> dict[str, object]:
    """Attributes of the outcomes, as `read_outcomes` states them."""
    randomised = given["confounding"] == 0 and not given["specific"]
    return {
        "outcome": "hamd17",
        "baseline": "hamd17_baseline",
        "scale": "hamd17",
        "units": "points",
        "higher_is_better": False,
        "assignment": "randomised" if randomised else "observational",
        "default": given["arms"][0],
        "allocation": given["share_other"] if randomised else None,
        "strata": ["site"] if randomised and given["n_sites"] > 1 else [],
    }
