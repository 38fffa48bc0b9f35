"""Cohorts of time series with known traits, for methods that work on connectivity.

The covariance of a subject is ``C^(1/2) M^(1/2) W M^(1/2) C^(1/2)`` with ``M = I + sum_k h_k T_k``:
C the group correlations, T_k the traits, h_k the scores, W a Wishart matrix around the identity.
Signals are autocorrelated, differently in each subject and region. Bursts of motion make the scans
of some subjects noisier. A state is a direction whose power follows an Ornstein-Uhlenbeck process.

The size of a trait is given as the share of the variance of an arm's edges that it explains. It is
set numerically, from the noise of the cohort that was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from series_covariance import fisher_z, make_group
from series_plan import KINDS, Plan, make_plan, mean_level_sd, scale_traits
from series_scans import draw_scans, edges_of, record

import bayes_mdd as bm
from bayes_mdd.features.assemble import edge_features

ARMS = ("SNRI", "SSRI")
#: Weights of the symptoms on the first two shared factors; the rest of the variance (1) is error.
SYMPTOMS = {"anhedonia": (0.6, 0.0), "arousal": (-0.4, 0.5)}


@dataclass(frozen=True, eq=False)
class SeriesCohort:
    """A cohort and its truth.

    `series`: (time, region) arrays, none where edges are independent. `z` (subject, edge): Fisher
    z. `scores` (subject, factor): shared factors first; those of a specific factor are 0 in the
    other arm. `variance` (factor, arm): of the scores; `sharing` are its shares. `loadings`
    (factor, edge): change of Fisher z per unit of a score. `explained` (factor, arm): share of the
    variance of Fisher z of an arm. `mean_gap` (factor,): mean of the scores in the second arm minus
    that in the first. `symptom_weights` (factor, symptom), per unit of a score. `state` (subject,):
    mean level of the state in the scan, and `state_loadings` (edge,) its effect per SD.
    `other_session` (subject, edge): Fisher z of another session, NaN without one.
    """

    kind: str
    seed: int
    series: list[np.ndarray]
    z: np.ndarray
    regions: pd.DataFrame
    arm: np.ndarray
    scores: np.ndarray
    variance: np.ndarray
    loadings: np.ndarray
    explained: np.ndarray
    mean_gap: np.ndarray
    symptoms: pd.DataFrame
    symptom_weights: pd.DataFrame
    state: np.ndarray | None = None
    state_loadings: np.ndarray | None = None
    other_session: np.ndarray | None = None

    @property
    def sharing(self) -> np.ndarray:
        return self.variance / self.variance.sum(axis=1, keepdims=True)

    @property
    def subjects(self) -> list[str]:
        return [f"sub-{i + 1:03d}" for i in range(len(self.arm))]

    @property
    def participants(self) -> pd.DataFrame:
        index = pd.Index(self.subjects, name="participant_id")
        return pd.DataFrame({"arm": self.arm}, index=index)


def draw(kind: str, seed: int, **overrides: Any) -> SeriesCohort:
    """Draw a cohort; `overrides` replace values of its `Kind`.

    Cohorts of one seed have the same regions, noise and individual differences in all kinds.
    """
    chosen = replace(KINDS[kind], **overrides)
    streams = [np.random.default_rng([20, seed, k]) for k in range(5)]
    group = make_group(streams[0], chosen.n_regions)
    arm = np.repeat(np.arange(2), chosen.people)
    plan = make_plan(chosen, group, streams[2])
    scores = plan.draw_scores(streams[1], arm)
    series, truth = (_draw_edges if chosen.independent else _draw_series)(
        plan, arm, scores, streams[3]
    )
    symptoms, weights = _symptoms(plan, scores, streams[4])
    cohort = SeriesCohort(
        kind=kind,
        seed=seed,
        series=series,
        regions=group.regions,
        arm=np.array(ARMS)[arm],
        scores=scores,
        variance=plan.variance,
        mean_gap=plan.mean[:, 1] - plan.mean[:, 0],
        symptoms=symptoms,
        symptom_weights=weights,
        **truth,
    )
    return replace(cohort, symptoms=symptoms.set_axis(cohort.participants.index, axis=0))


def features(cohort: SeriesCohort, halves: bool = True, pieces: int = 8) -> xr.Dataset:
    """Measure the connectivity of a cohort, not standardised."""
    if cohort.series:
        found = bm.connectivity_from_timeseries(
            dict(zip(cohort.subjects, cohort.series, strict=True)),
            cohort.regions,
            participants=cohort.participants,
            halves=halves,
            pieces=pieces or None,
        )
        if cohort.other_session is None:
            return found
        change = (found["y"].values - cohort.other_session) / 2
        return found.assign(session_difference=(("subject", "feature"), change))
    return edge_features(
        cohort.z,
        cohort.subjects,
        cohort.regions,
        participants=cohort.participants,
        units="fisher_z",
        measure="correlation",
        provenance="drawn with independent errors",
    )


def _draw_series(
    plan: Plan, arm: np.ndarray, scores: np.ndarray, rng: np.random.Generator
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Draw the series of a cohort, and the truth about its edges."""
    scans = draw_scans(plan, arm.size, rng)
    noise = variance_within(edges_of(record(plan, scans, scores, *plan.nothing)), arm)
    # Traits also change the noise a little, so that the sizes are set twice.
    for _ in range(2 if plan.share.size or plan.kind.state else 1):
        amplitude, loadings, state_loadings = scale_traits(plan, noise)
        series = record(plan, scans, scores, *amplitude)
        z = edges_of(series)
        noise = noise if plan.kind.state else variance_within(z, arm, scores)
    state = [x[:n].mean() for x, n in zip(scans.level.T, scans.volumes, strict=True)]
    return series, {
        "z": z,
        "loadings": loadings,
        "explained": plan.explained(loadings, variance_within(z, arm, scores)),
        "state": np.array(state) / mean_level_sd(plan.kind.tau) if plan.kind.state else None,
        "state_loadings": state_loadings if plan.kind.state else None,
    }


def _draw_edges(
    plan: Plan, arm: np.ndarray, scores: np.ndarray, rng: np.random.Generator
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Draw edges with independent errors, and the truth about them."""
    base = fisher_z(plan.group.correlation)
    sd = 0.13 * np.exp(0.1 * rng.standard_normal(base.size))
    effect = plan.small_change()
    size = np.sqrt(plan.share * plan.total((sd**2).mean()) / (effect**2).mean(axis=1))
    loadings = effect * size[:, None]
    z = base + scores @ loadings + sd * rng.standard_normal((arm.size, base.size))
    explained = plan.explained(loadings, variance_within(z, arm, scores))
    return [], {"z": z, "loadings": loadings, "explained": explained}


def variance_within(z: np.ndarray, arm: np.ndarray, scores: np.ndarray | None = None) -> float:
    """Mean variance of edges within arms, of what scores do not explain."""
    member = arm[:, None] == np.unique(arm)
    design = member if scores is None else np.column_stack([member, scores])
    left = z - design @ np.linalg.lstsq(design, z, rcond=None)[0]
    return float((left**2).sum() / (len(z) - design.shape[1]) / z.shape[1])


def _symptoms(
    plan: Plan, scores: np.ndarray, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Symptoms, and their weights (factor, symptom) on the factors."""
    weights = np.zeros((scores.shape[1], len(SYMPTOMS)))
    used = min(len(plan.kind.shared), 2)
    weights[:used] = np.array(list(SYMPTOMS.values())).T[:used]
    error = np.sqrt(1 - (weights**2).sum(axis=0))
    if plan.kind.from_prior:
        weights = 0.4 * rng.standard_normal(weights.shape) * (rng.random(weights.shape) < 2 / 3)
        error = np.ones(len(SYMPTOMS))
    values = scores @ weights + error * rng.standard_normal((len(scores), len(SYMPTOMS)))
    names = list(SYMPTOMS)
    return pd.DataFrame(values, columns=names), pd.DataFrame(weights, columns=names)
