"""The simulated cohort: data and the true parameters they were drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import MISSING
from bayes_mdd.errors import SpecError, some
from bayes_mdd.simulate._datasets import feature_set, true_parameters
from bayes_mdd.simulate._design import (
    DEMO_ARMS,
    DEMO_PATTERNS,
    DEMO_SEED,
    SESSIONS,
    make_edges,
    make_regions,
)
from bayes_mdd.simulate._draw import (
    draw_edges,
    draw_loadings,
    draw_participants,
    draw_scores,
    make_sharing,
)
from bayes_mdd.simulate._series import draw_series
from bayes_mdd.simulate._symptoms import dimension_scores, draw_ratings

Source = Literal["edges", "series"]
#: Residual SD of an edge in Fisher z, where edges are drawn independently.
NOISE_SD = 0.2
#: Smallest number of volumes: 5 in each of 8 pieces, 20 in each half.
MIN_VOLUMES = 40


@dataclass(frozen=True)
class SimulatedCohort:
    """A simulated cohort with its true parameters.

    Parameters
    ----------
    features : xarray.Dataset
        Edges in Fisher z that meet the feature contract, including controls. With series, also
        ``half_difference`` (subject, feature) and ``pieces`` (subject, piece, pair); see
        `check_features`.
    symptoms : pandas.DataFrame
        Baseline dimension scores indexed by ``participant_id``, NaN where not rated.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    items : pandas.DataFrame
        HAMD-17 items of patients, one row per subject and session.
    truth : xarray.Dataset
        ``scores`` (subject, factor), ``sharing`` (arm, factor), ``loadings`` (factor, feature) in
        residual SD, ``symptom_weight`` (factor, symptom) on the latent severity, ``noise_sd`` in
        Fisher z; in points of the HAMD-17 total after treatment, ``benefit`` (subject) of the
        second drug, ``expected`` (subject, arm), and the slopes ``moderation`` and ``prognosis``
        (factor) per SD.
    regions : pandas.DataFrame
        Region table.
    settings : mapping
        Arguments of `simulate_cohort`.
    null_twin : pandas.DataFrame
        Totals in points by subject and session (``hamd17_null_total``): an outcome of the same
        patients in which nothing is planted.
    disposition : pandas.DataFrame
        Patients without a second rating, with the reason.
    series : mapping of str to numpy.ndarray
        Series (time, region) of each participant; empty if edges were drawn directly.
    """

    features: xr.Dataset
    symptoms: pd.DataFrame
    participants: pd.DataFrame
    items: pd.DataFrame
    truth: xr.Dataset
    regions: pd.DataFrame
    settings: Mapping[str, Any]
    null_twin: pd.DataFrame
    disposition: pd.DataFrame
    series: Mapping[str, np.ndarray] = field(default_factory=dict)


def simulate_cohort(
    seed: int = DEMO_SEED,
    *,
    n_subjects: Mapping[str, int] = DEMO_ARMS,
    n_controls: int = 39,
    n_regions: int = 51,
    n_shared: int = 3,
    n_specific: Mapping[str, int] | None = None,
    patterns: Mapping[str, Sequence[str]] = DEMO_PATTERNS,
    loading_scale: float = 0.5,
    specific_strength: float = 1.0,
    noise_sd: float | None = None,
    noise_df: float | None = None,
    sites: int = 2,
    site_shift: float = 0.3,
    covariate_effect: float = 0.15,
    symptom_weight: float = 0.6,
    missing_symptoms: float = 0.05,
    dropout: float = 0.15,
    benefit_sd: float = 8.0,
    source: Source = "series",
    n_volumes: int = 240,
) -> SimulatedCohort:
    r"""Simulate a cohort with known factors.

    Parameters
    ----------
    seed : int, default 1
        Seed; the same seed and arguments give the same cohort.
    n_subjects : mapping of str to int
        Number of patients by arm.
    n_controls : int, default 39
        Number of controls, who have effects of covariates and noise, but no factors.
    n_regions : int, default 51
        Number of regions, divided evenly among up to seven networks.
    n_shared : int, default 3
        Number of factors shared by all arms: ``shared1``, ``shared2``, ...
    n_specific : mapping of str to int, optional
        Number of factors specific to one arm, by arm: ``SSRI1``, ... Default: one per arm; ``{}``
        for none.
    patterns : mapping of str to sequence of str
        Network pairs of factors by name. Factors that are not named get six random pairs; ``{}``
        for random pairs in all factors.
    loading_scale : float, default 0.5
        SD of the mean loading of a network pair, in residual SD of an edge. The SD over the edges
        of a pair is 0.6 times this value. Small values give weak factors.
    specific_strength : float, default 1.0
        Multiplier of the loadings of specific factors.
    noise_sd : float, optional
        Residual SD of an edge in Fisher z. Default: 0.2. With series it follows from the number of
        volumes and cannot be set.
    noise_df : float, optional
        Degrees of freedom (above 2) of t-distributed noise with the same SD. Default: normal noise.
        Cannot be set with series.
    sites : int, default 2
        Number of sites; each arm is distributed over all sites.
    site_shift : float, default 0.3
        SD over edges of the shift of each site, in residual SD.
    covariate_effect : float, default 0.15
        SD over edges of the effects of age, sex and mean_fd, in residual SD per SD.
    symptom_weight : float, default 0.6
        Weight of a factor in the latent severity of a linked symptom dimension (see
        ``DEMO_LINKS``).
    missing_symptoms : float, default 0.05
        Fraction of missing ratings of a dimension before treatment.
    dropout : float, default 0.15
        Fraction of patients without a second rating. All patients whose first rating is too
        incomplete for a total have none, even if they are more.
    benefit_sd : float, default 8.0
        SD over patients of what the second of two drugs gains over the first, in points of the
        HAMD-17 total after treatment; 0 for none. It depends on ``shared1`` alone, and is as often
        below 0 as above. The default is much larger than anything a real trial has shown.
    source : {"edges", "series"}, default "series"
        "edges": each edge is drawn independently of the others. "series": a time series is drawn
        for each participant, and connectivity is measured from it, so that edges have the
        correlated errors of real connectivity.
    n_volumes : int, default 240
        Volumes of a series, at least 40.

    Returns
    -------
    SimulatedCohort
        Data and true parameters.

    Raises
    ------
    SpecError
        If an argument is out of range. The error lists all problems.

    Notes
    -----
    With ``source="series"``, a participant has autoregressive series (lag-1 autocorrelation about
    0.5, which differs among participants) with covariance :math:`C^{1/2} \exp(S) C^{1/2}`. C are
    base correlations with networks, a gradient and a global part (mean about 0.25). S is the sum of
    the traits times the scores, effects of age, sex and mean_fd, a shift of the site, and an
    individual part. Motion adds noise in bursts whose variance is proportional to mean_fd.
    ``loadings`` are the effects of the scores on Fisher z at the mean of all other effects.

    Examples
    --------
    >>> small = simulate_cohort(2, n_subjects={"A": 5, "B": 4}, n_controls=3, n_regions=14)
    >>> small.features.sizes["subject"], small.truth["factor"].values.tolist()
    (12, ['shared1', 'shared2', 'shared3', 'A1', 'B1'])
    """
    arms = {str(arm): int(n) for arm, n in n_subjects.items()}
    specific = dict.fromkeys(arms, 1) if n_specific is None else dict(n_specific)
    settings: dict[str, Any] = {
        "seed": seed,
        "n_subjects": arms,
        "n_controls": n_controls,
        "n_regions": n_regions,
        "n_shared": n_shared,
        "n_specific": specific,
        "patterns": {name: list(blocks) for name, blocks in patterns.items()},
        "loading_scale": loading_scale,
        "specific_strength": specific_strength,
        "noise_sd": NOISE_SD if noise_sd is None else noise_sd,
        "noise_df": noise_df,
        "sites": sites,
        "site_shift": site_shift,
        "covariate_effect": covariate_effect,
        "symptom_weight": symptom_weight,
        "missing_symptoms": missing_symptoms,
        "dropout": dropout,
        "benefit_sd": benefit_sd,
    }
    problems = _problems(settings)
    if source == "series":
        problems += [
            f"{name} cannot be set with series"
            for name, value in (("noise_sd", noise_sd), ("noise_df", noise_df))
            if value is not None
        ]
        settings = {k: v for k, v in settings.items() if k not in ("noise_sd", "noise_df")}
        settings |= {"source": source, "n_volumes": n_volumes}
        problems += [f"n_volumes must be at least {MIN_VOLUMES}"] * (n_volumes < MIN_VOLUMES)
    elif source not in get_args(Source):
        problems.append(f"source must be one of {', '.join(get_args(Source))}, got {source!r}")
    if problems:
        raise SpecError(f"simulate_cohort: {'; '.join(problems)}.")
    # One random stream per part, so that a change of one part does not affect the others.
    streams = [np.random.default_rng([seed, part]) for part in range(5)]
    participants = draw_participants(streams[0], settings)
    regions = make_regions(n_regions)
    edges = make_edges(regions)
    sharing = make_sharing(settings)
    loadings = draw_loadings(streams[1], edges["block"], sharing, settings)
    scores = draw_scores(streams[2], participants, sharing)
    drawn = (
        draw_series(streams[3], participants, regions, scores, loadings, settings)
        if source == "series"
        else draw_edges(streams[3], participants, edges, scores, loadings, settings)
    )
    arm = participants["arm"].loc[scores.index]
    ratings = draw_ratings(streams[4], scores, arm, settings)
    items = ratings.items
    baseline = items[items["session_id"] == SESSIONS[0]].set_index("participant_id")
    return SimulatedCohort(
        features=feature_set(drawn, participants, regions, edges, settings),
        symptoms=dimension_scores(baseline).reindex(participants.index),
        participants=participants,
        items=items,
        truth=true_parameters(scores, sharing, drawn, ratings.weights, edges, ratings.response),
        regions=regions,
        settings=MappingProxyType(settings),
        null_twin=ratings.null,
        disposition=ratings.left,
        series=MappingProxyType(dict(drawn.series)),
    )


def _problems(settings: Mapping[str, Any]) -> list[str]:
    arms, specific = settings["n_subjects"], settings["n_specific"]
    problems = [f"arm {a!r} needs at least 1 subject" for a, n in arms.items() if n < 1]
    problems += [
        f"n_specific names {a!r}, which is not an arm ({some(arms)})"
        for a in specific
        if a not in arms
    ]
    problems += ["n_subjects needs at least one arm"] if not arms else []
    problems += [f"{MISSING!r} cannot be the name of an arm"] if MISSING in arms else []
    least = {"n_controls": 0, "n_regions": 4, "n_shared": 0, "sites": 1, "seed": 0}
    problems += [f"{k} must be at least {n}" for k, n in least.items() if settings[k] < n]
    scales = ("loading_scale", "specific_strength", "site_shift", "covariate_effect", "benefit_sd")
    problems += [f"{k} must not be negative" for k in scales if settings[k] < 0]
    fractions = ("symptom_weight", "missing_symptoms", "dropout")
    problems += [f"{k} must be between 0 and 1" for k in fractions if not 0 <= settings[k] <= 1]
    problems += ["noise_sd must be above 0"] if not settings["noise_sd"] > 0 else []
    if settings["noise_df"] is not None and not settings["noise_df"] > 2:
        problems.append("noise_df must be above 2")
    return problems
