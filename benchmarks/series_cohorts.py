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
from series_covariance import (
    Group,
    edge_pattern,
    fisher_z,
    make_group,
    positive,
    root_of,
    smooth_pattern,
    state_direction,
)

import bayes_mdd as bm
from bayes_mdd.features.assemble import edge_features

ARMS = ("SNRI", "SSRI")
#: Second-order autoregression: mean, SD over subjects and SD over regions of both coefficients.
AUTOREGRESSION = ((0.60, 0.08, 0.03), (-0.08, 0.04, 0.01))
#: Volumes before the scan, in which the autoregression becomes stationary.
WARM_UP = 40
#: Weights of the symptoms on the first two shared factors; the rest of the variance (1) is error.
SYMPTOMS = {"anhedonia": (0.6, 0.0), "arousal": (-0.4, 0.5)}
#: Number of subjects from which true loadings are computed, and of rounds that set the amplitude.
N_EXACT, ROUNDS = 96, 3


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of cohort.

    `shared` and `specific` are shares of the variance of edges, one per factor; the specific
    factors belong to the arms in turn. `state` is the share that a state explains, `tau` its time
    constant in scans. `wishart_df` sets individual differences that no trait explains: half of the
    variance with the default. `bursts` is the mean variance that motion adds in bursts. `mean_gap`
    is the difference of the means of the first factor between the arms. `independent` edges are
    drawn directly, with independent errors.
    """

    pattern: str = "smooth"
    shared: tuple[float, ...] = ()
    specific: tuple[float, ...] = ()
    state: float = 0.0
    tau: float = 0.25
    people: tuple[int, int] = (31, 31)
    n_regions: int = 102
    volumes: tuple[int, int] = (200, 235)
    wishart_df: int = 130
    bursts: float = 2.0
    mean_gap: float = 0.0
    independent: bool = False


KINDS = {
    "null": Kind(),
    "state": Kind(state=0.10),
    "fast-state": Kind(state=0.10, tau=0.02),
    "smooth-strong": Kind(shared=(0.10,) * 3, specific=(0.10,) * 2),
    "smooth-shared": Kind(shared=(0.10,) * 3),
    "edge-weak": Kind(pattern="edge", shared=(0.04,) * 3, specific=(0.03,) * 2),
    "smooth-weak": Kind(shared=(0.04,) * 3, specific=(0.03,) * 2),
    "independent": Kind(pattern="edge", shared=(0.04,) * 3, specific=(0.03,) * 2, independent=True),
}


@dataclass(frozen=True, eq=False)
class SeriesCohort:
    """A cohort and its truth.

    `series`: (time, region) arrays, none where edges are independent. `z` (subject, edge): Fisher
    z. `scores` (subject, factor): shared factors first; those of a specific factor are 0 in the
    other arm. `sharing` (factor, arm). `loadings` (factor, edge): change of Fisher z per unit of a
    score. `explained` (factor, arm): share of the variance of Fisher z of an arm. `mean_gap`
    (factor,): mean of the second arm minus that of the first. `state` (subject,): mean level of the
    state in the scan, and `state_loadings` (edge,) its effect per SD. `other_session` (subject,
    edge): Fisher z of another session, NaN without one.
    """

    kind: str
    seed: int
    series: list[np.ndarray]
    z: np.ndarray
    regions: pd.DataFrame
    arm: np.ndarray
    scores: np.ndarray
    sharing: np.ndarray
    loadings: np.ndarray
    explained: np.ndarray
    mean_gap: np.ndarray
    symptoms: pd.DataFrame
    symptom_weights: pd.DataFrame
    state: np.ndarray | None = None
    state_loadings: np.ndarray | None = None
    other_session: np.ndarray | None = None

    @property
    def subjects(self) -> list[str]:
        return [f"sub-{i + 1:03d}" for i in range(len(self.arm))]

    @property
    def participants(self) -> pd.DataFrame:
        index = pd.Index(self.subjects, name="participant_id")
        return pd.DataFrame({"arm": self.arm}, index=index)


@dataclass(frozen=True, eq=False)
class Scans:
    """What does not depend on the size of traits: individual parts, noise, and the state's level.

    `own` (subject, region, region): roots of the Wishart matrices. `noise` (subject, time, region):
    independent innovations. `level` (time, subject): state, of variance 1. `motion` (time,
    subject): amplitude of the signal. `volumes` (subject,). `phi` (2, subject, region).
    """

    own: np.ndarray
    noise: np.ndarray
    level: np.ndarray
    motion: np.ndarray
    volumes: np.ndarray
    phi: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """Traits of a cohort: `patterns` (factor, region, region), shares, sharing and mean gaps."""

    kind: Kind
    group: Group
    share: np.ndarray
    sharing: np.ndarray
    gap: np.ndarray
    patterns: np.ndarray
    direction: np.ndarray

    @property
    def nothing(self) -> tuple[np.ndarray, float]:
        """Amplitudes of a cohort without traits and state."""
        return np.zeros(self.share.size), 0.0

    def draw_scores(self, rng: np.random.Generator, arm: np.ndarray) -> np.ndarray:
        scores = rng.standard_normal((arm.size, self.share.size)) + self.gap * (arm[:, None] - 0.5)
        return scores * (self.sharing[:, arm].T > 0)

    def total(self, noise: float) -> np.ndarray:
        """Variance of an edge in each arm, given that of an arm without traits and state."""
        return noise / (1 - self.kind.state - self.share @ (self.sharing > 0))

    def target(self, noise: float) -> np.ndarray:
        """Mean square of the loadings of each factor."""
        return (
            self.share
            * (self.total(noise) * (self.sharing > 0)).sum(axis=1)
            / np.maximum((self.sharing > 0).sum(axis=1), 1)
        )

    def small_change(self, with_state: float = 0.0) -> np.ndarray:
        """Fisher z of the edges per unit of each pattern, for small changes."""
        patterns = self.patterns
        if with_state:
            extra = with_state * np.outer(self.direction, self.direction)
            patterns = np.concatenate([patterns, extra[None]])
        step = 1e-4 * self.group.root @ patterns @ self.group.root
        return (fisher_z(self.group.correlation + step) - fisher_z(self.group.correlation)) / 1e-4

    def explained(self, loadings: np.ndarray, z: np.ndarray, arm: np.ndarray) -> np.ndarray:
        """Share (factor, arm) of the variance of the edges of each arm."""
        total = [z[arm == a].var(axis=0, ddof=1).mean() for a in range(2)]
        squares = (loadings**2).mean(axis=1)
        return (self.sharing > 0) * squares[:, None] / np.array(total)


def draw(kind: str, seed: int, **overrides: Any) -> SeriesCohort:
    """Draw a cohort; `overrides` replace values of its `Kind`.

    Cohorts of one seed have the same regions, noise and individual differences in all kinds.
    """
    chosen = replace(KINDS[kind], **overrides)
    streams = [np.random.default_rng([20, seed, k]) for k in range(5)]
    group = make_group(streams[0], chosen.n_regions)
    arm = np.repeat(np.arange(2), chosen.people)
    plan = make_plan(chosen, group, streams[1], streams[2])
    scores = plan.draw_scores(streams[1], arm)
    series, truth = (_draw_edges if chosen.independent else _draw_series)(
        plan, arm, scores, streams[3]
    )
    symptoms, weights = _symptoms(scores, len(chosen.shared), streams[4])
    cohort = SeriesCohort(
        kind=kind,
        seed=seed,
        series=series,
        regions=group.regions,
        arm=np.array(ARMS)[arm],
        scores=scores,
        sharing=plan.sharing,
        mean_gap=plan.gap,
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


def make_plan(
    kind: Kind, group: Group, score_rng: np.random.Generator, trait_rng: np.random.Generator
) -> Plan:
    """Draw the traits of a kind, not yet scaled."""
    share = np.array(kind.shared + kind.specific)
    owner = np.array([-1] * len(kind.shared) + [k % 2 for k in range(len(kind.specific))])
    own = owner[:, None] == np.arange(2)
    gap = np.zeros(share.size)
    gap[:1] = kind.mean_gap
    make = {"smooth": smooth_pattern, "edge": edge_pattern}[kind.pattern]
    patterns = [make(trait_rng, group) for _ in share]
    return Plan(
        kind=kind,
        group=group,
        share=share,
        sharing=np.where(owner[:, None] < 0, 0.5, own),
        gap=gap,
        patterns=np.reshape(patterns, (-1, *group.root.shape)),
        direction=state_direction(trait_rng, group),
    )


def _draw_series(
    plan: Plan, arm: np.ndarray, scores: np.ndarray, rng: np.random.Generator
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Draw the series of a cohort, and the truth about its edges."""
    scans = draw_scans(plan, arm.size, rng)
    noise = variance_within(_edges(record(plan, scans, scores, *plan.nothing)), arm)
    # Traits also change the noise a little, so that the sizes are set twice.
    for _ in range(2 if plan.share.size or plan.kind.state else 1):
        amplitude, loadings, state_loadings = scale_traits(plan, noise)
        series = record(plan, scans, scores, *amplitude)
        z = _edges(series)
        noise = variance_within(z, arm, scores) if plan.share.size else noise
    state = [x[:n].mean() for x, n in zip(scans.level.T, scans.volumes, strict=True)]
    return series, {
        "z": z,
        "loadings": loadings,
        "explained": plan.explained(loadings, z, arm),
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
    size = np.sqrt(plan.target((sd**2).mean()) / (effect**2).mean(axis=1))
    loadings = effect * size[:, None]
    z = base + scores @ loadings + sd * rng.standard_normal((arm.size, base.size))
    explained = plan.explained(loadings, z, arm)
    return [], {"z": z, "loadings": loadings, "explained": explained}


def scale_traits(
    plan: Plan, noise: float
) -> tuple[tuple[np.ndarray, float], np.ndarray, np.ndarray]:
    """Find the amplitudes of traits and state that explain their shares; and their true loadings.

    Loadings are the regression of exact Fisher z on the scores in a population of subjects.
    """
    rng = np.random.default_rng(0)
    arm = np.arange(N_EXACT) % 2
    scores = plan.draw_scores(rng, arm)
    level = _ornstein_uhlenbeck(rng, plan.kind.tau, 400, N_EXACT)
    target = np.append(plan.target(noise), plan.kind.state * plan.total(noise).mean())
    mean_level = level.mean(axis=0) / mean_level_sd(plan.kind.tau)
    design = np.column_stack([np.ones(N_EXACT), scores, mean_level])
    effect = plan.small_change(with_state=mean_level_sd(plan.kind.tau))
    size = np.sqrt(target / (effect**2).mean(axis=1))
    for k in range(ROUNDS + 1):
        root = plan.group.root @ root_of(np.tensordot(scores * size[:-1], plan.patterns, 1))
        power = positive(size[-1] * level).mean(axis=0)
        side = root @ plan.direction
        covariance = root @ np.swapaxes(root, 1, 2)
        covariance += (power - 1)[:, None, None] * side[:, :, None] * side[:, None, :]
        loadings = np.linalg.lstsq(design, fisher_z(covariance), rcond=None)[0][1:]
        if k < ROUNDS:
            found = (loadings**2).mean(axis=1)
            size = size * np.sqrt(np.where(target > 0, target / np.maximum(found, 1e-12), 0.0))
    return (size[:-1], float(size[-1])), loadings[:-1], loadings[-1]


def draw_scans(plan: Plan, n: int, rng: np.random.Generator) -> Scans:
    """Draw individual parts and noise of n subjects."""
    kind, n_regions = plan.kind, plan.kind.n_regions
    volumes = rng.integers(kind.volumes[0], kind.volumes[1] + 1, n)
    longest = kind.volumes[1]
    phi = [
        mean + between * rng.standard_normal((n, 1)) + within * rng.standard_normal(n_regions)
        for mean, between, within in AUTOREGRESSION
    ]
    level = _ornstein_uhlenbeck(rng, kind.tau, longest, n)
    return Scans(
        own=np.array([_root_of_wishart(rng, n_regions, kind.wishart_df) for _ in range(n)]),
        noise=rng.standard_normal((n, WARM_UP + longest, n_regions)),
        level=level,
        motion=_motion(rng, kind, WARM_UP + longest, n),
        volumes=volumes,
        phi=np.array(phi),
    )


def record(
    plan: Plan, scans: Scans, scores: np.ndarray, traits: np.ndarray, state: float
) -> list[np.ndarray]:
    """Series (time, region) of each subject, given the amplitudes of traits and state."""
    inner = scans.noise @ np.swapaxes(scans.own, 1, 2)
    if state:
        gain = np.sqrt(positive(state * scans.level.T)) - 1
        gain = np.pad(gain, ((0, 0), (WARM_UP, 0)))
        inner += (gain * (inner @ plan.direction))[:, :, None] * plan.direction
    root = root_of(np.tensordot(scores * traits, plan.patterns, 1)) @ plan.group.root
    x = (inner @ root) * scans.motion.T[:, :, None]
    first, second = scans.phi
    for t in range(2, x.shape[1]):
        x[:, t] += first * x[:, t - 1] + second * x[:, t - 2]
    x = x[:, WARM_UP:] * plan.group.sd
    return [series[:n].astype(np.float32) for series, n in zip(x, scans.volumes, strict=True)]


def _root_of_wishart(rng: np.random.Generator, n_regions: int, df: int) -> np.ndarray:
    """Root of a Wishart matrix around the identity; degrees of freedom differ between subjects."""
    df = max(int(df * rng.lognormal(0.0, 0.3)), n_regions + 5)
    x = rng.standard_normal((n_regions, df))
    return np.linalg.cholesky(x @ x.T / df)


def _motion(rng: np.random.Generator, kind: Kind, volumes: int, n: int) -> np.ndarray:
    """Amplitude (time, subject) of the signal: bursts, more and stronger in some subjects."""
    amount = kind.bursts * rng.lognormal(-0.5, 1.0, n)
    starts = rng.random((volumes, n)) < 0.015
    rise = np.zeros((volumes, n))
    for t in range(volumes):
        rise[t] = 0.75 * rise[t - 1] if t else 0.0
        rise[t, starts[t]] += rng.gamma(2.0, 1.0, starts[t].sum())
    return np.sqrt(1 + amount * rise)


def _ornstein_uhlenbeck(rng: np.random.Generator, tau: float, volumes: int, n: int) -> np.ndarray:
    keep = np.exp(-1.0 / (tau * volumes))
    level = rng.standard_normal((volumes, n))
    for t in range(1, volumes):
        level[t] = keep * level[t - 1] + np.sqrt(1 - keep**2) * level[t]
    return level


def mean_level_sd(tau: float) -> float:
    """SD of the mean over the scan of an Ornstein-Uhlenbeck process of variance 1."""
    return float(np.sqrt(2 * tau**2 * (1 / tau - 1 + np.exp(-1 / tau))))


def variance_within(z: np.ndarray, arm: np.ndarray, scores: np.ndarray | None = None) -> float:
    """Mean variance of edges within arms, of what scores do not explain."""
    design = np.column_stack(
        [arm[:, None] == np.unique(arm), *([] if scores is None else [scores])]
    )
    left = z - design @ np.linalg.lstsq(design, z, rcond=None)[0]
    return float((left**2).sum() / (len(z) - design.shape[1]) / z.shape[1])


def _edges(series: list[np.ndarray]) -> np.ndarray:
    return np.array([fisher_z(np.cov(x.T.astype(float))) for x in series])


def _symptoms(
    scores: np.ndarray, n_shared: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Symptoms, and their weights (factor, symptom) on the factors."""
    weights = np.zeros((scores.shape[1], len(SYMPTOMS)))
    used = min(n_shared, 2)
    weights[:used] = np.array(list(SYMPTOMS.values())).T[:used]
    error = np.sqrt(1 - (weights**2).sum(axis=0))
    values = scores @ weights + error * rng.standard_normal((len(scores), len(SYMPTOMS)))
    names = list(SYMPTOMS)
    return pd.DataFrame(values, columns=names), pd.DataFrame(weights, columns=names)
