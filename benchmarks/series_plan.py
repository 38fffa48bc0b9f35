"""Kinds of cohorts of time series, and the size of their traits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from series_covariance import (
    Group,
    edge_pattern,
    fisher_z,
    positive,
    root_of,
    smooth_pattern,
    state_direction,
)

PATTERNS = {"smooth": smooth_pattern, "edge": edge_pattern}
#: Number of subjects from which true loadings are computed, and of rounds that set the amplitude.
N_EXACT, ROUNDS = 96, 3
#: Volumes of a state in this computation.
VOLUMES = 400
#: Prior of sharing and arm means in cohorts that are drawn from it.
CONCENTRATION, MEAN_SD = 0.6, 0.5


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of cohort.

    `shared` and `specific` are shares of the variance of edges, one per factor; the specific
    factors belong to the arms in turn. `state` is the share that a state explains, `tau` its time
    constant in scans. `wishart_df` sets individual differences that no trait explains: half of the
    variance with the default. `bursts` is the mean variance that motion adds in bursts. `mean_gap`
    is the difference of the means of the first factor between the arms. `independent` edges are
    drawn directly, with independent errors. With `from_prior`, sharing and arm means are drawn
    from the prior of the model, and symptoms from a distribution of weights.
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
    from_prior: bool = False


KINDS = {
    "null": Kind(),
    "state": Kind(state=0.10),
    "fast-state": Kind(state=0.10, tau=0.05),
    "smooth-strong": Kind(shared=(0.10,) * 3, specific=(0.10,) * 2),
    "smooth-shared": Kind(shared=(0.10,) * 3),
    "edge-weak": Kind(pattern="edge", shared=(0.04,) * 3, specific=(0.03,) * 2),
    "smooth-weak": Kind(shared=(0.04,) * 3, specific=(0.03,) * 2),
    "prior-smooth": Kind(shared=(0.08,) * 3, from_prior=True),
    "prior-edge": Kind(pattern="edge", shared=(0.05,) * 3, from_prior=True),
    # Bursts of motion change the scores of traits within a scan: here these are traits alone.
    "still-smooth": Kind(shared=(0.08,) * 3, from_prior=True, bursts=0.0),
    "still-edge": Kind(pattern="edge", shared=(0.05,) * 3, from_prior=True, bursts=0.0),
    "independent": Kind(pattern="edge", shared=(0.04,) * 3, specific=(0.03,) * 2, independent=True),
}


@dataclass(frozen=True, eq=False)
class Plan:
    """Traits of a cohort.

    `share` (factor,): of the variance of edges. `variance` and `mean` (factor, arm): of the scores.
    `patterns` (factor, region, region), not yet scaled. `direction` (region,) of the state.
    """

    kind: Kind
    group: Group
    share: np.ndarray
    variance: np.ndarray
    mean: np.ndarray
    patterns: np.ndarray
    direction: np.ndarray

    @property
    def nothing(self) -> tuple[np.ndarray, float]:
        """Amplitudes of a cohort without traits and state."""
        return np.zeros(self.share.size), 0.0

    def draw_scores(self, rng: np.random.Generator, arm: np.ndarray) -> np.ndarray:
        """Draw scores (subject, factor)."""
        scores = rng.standard_normal((arm.size, self.share.size))
        return scores * np.sqrt(self.variance[:, arm].T) + self.mean[:, arm].T

    def total(self, noise: float) -> float:
        """Variance of an edge within arms, given that without traits and state."""
        return noise / (1 - self.kind.state - float(self.share @ self.variance.mean(axis=1)))

    def small_change(self, with_state: float = 0.0) -> np.ndarray:
        """Fisher z of the edges per unit of each pattern, for small changes."""
        patterns = self.patterns
        if with_state:
            extra = with_state * np.outer(self.direction, self.direction)
            patterns = np.concatenate([patterns, extra[None]])
        step = 1e-4 * self.group.root @ patterns @ self.group.root
        return (fisher_z(self.group.correlation + step) - fisher_z(self.group.correlation)) / 1e-4

    def explained(self, loadings: np.ndarray, noise: float) -> np.ndarray:
        """Share (factor, arm) of the variance of the edges of each arm, given that of the rest."""
        parts = self.variance * (loadings**2).mean(axis=1)[:, None]
        return parts / (parts.sum(axis=0) + noise)


def make_plan(kind: Kind, group: Group, rng: np.random.Generator) -> Plan:
    """Draw the traits of a kind, not yet scaled."""
    share = np.array(kind.shared + kind.specific)
    owner = np.array([-1] * len(kind.shared) + [k % 2 for k in range(len(kind.specific))])
    make = PATTERNS[kind.pattern]
    patterns = [make(rng, group) for _ in share]
    direction = state_direction(rng, group)
    variance = ((owner[:, None] < 0) | (owner[:, None] == np.arange(2))).astype(float)
    mean = np.zeros(variance.shape)
    mean[:1] = kind.mean_gap * np.array([-0.5, 0.5])
    if kind.from_prior:
        variance = 2 * rng.dirichlet([CONCENTRATION] * 2, share.size)
        mean = MEAN_SD * rng.standard_normal(variance.shape)
    return Plan(
        kind=kind,
        group=group,
        share=share,
        variance=variance,
        mean=mean,
        patterns=np.reshape(patterns, (-1, *group.root.shape)),
        direction=direction,
    )


def scale_traits(
    plan: Plan, noise: float
) -> tuple[tuple[np.ndarray, float], np.ndarray, np.ndarray]:
    """Find the amplitudes of traits and state that explain their shares; and their true loadings.

    Loadings are the regression of exact Fisher z on the scores in a population of subjects.
    """
    rng = np.random.default_rng(0)
    arm = np.arange(N_EXACT) % 2
    scores = plan.draw_scores(rng, arm)
    level = ornstein_uhlenbeck(rng, plan.kind.tau, VOLUMES, N_EXACT)
    target = np.append(plan.share, plan.kind.state) * plan.total(noise)
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


def ornstein_uhlenbeck(rng: np.random.Generator, tau: float, volumes: int, n: int) -> np.ndarray:
    keep = np.exp(-1.0 / (tau * volumes))
    level = rng.standard_normal((volumes, n))
    for t in range(1, volumes):
        level[t] = keep * level[t - 1] + np.sqrt(1 - keep**2) * level[t]
    return level


def mean_level_sd(tau: float) -> float:
    """SD of the mean over the scan of an Ornstein-Uhlenbeck process of variance 1."""
    return float(np.sqrt(2 * tau**2 * (1 / tau - 1 + np.exp(-1 / tau))))


def half_reliability(tau: float) -> float:
    """Reliability of a mean level from halves of the scan: 1 - variance of half differences."""
    half, whole = mean_level_sd(2 * tau) ** 2, mean_level_sd(tau) ** 2
    return 1 - (half - whole) / whole
