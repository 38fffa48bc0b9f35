"""Time series of the subjects of a cohort, given traits and their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from series_covariance import fisher_z, positive, root_of
from series_plan import Kind, Plan, ornstein_uhlenbeck

#: Second-order autoregression: mean, SD over subjects and SD over regions of both coefficients.
AUTOREGRESSION = ((0.60, 0.08, 0.03), (-0.08, 0.04, 0.01))
#: Volumes before the scan, in which the autoregression becomes stationary.
WARM_UP = 40


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


def draw_scans(plan: Plan, n: int, rng: np.random.Generator) -> Scans:
    """Draw individual parts and noise of n subjects."""
    kind, n_regions = plan.kind, plan.kind.n_regions
    volumes = rng.integers(kind.volumes[0], kind.volumes[1] + 1, n)
    longest = kind.volumes[1]
    phi = [
        mean + between * rng.standard_normal((n, 1)) + within * rng.standard_normal(n_regions)
        for mean, between, within in AUTOREGRESSION
    ]
    level = ornstein_uhlenbeck(rng, kind.tau, longest, n)
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


def edges_of(series: list[np.ndarray]) -> np.ndarray:
    return np.array([fisher_z(np.cov(x.T.astype(float))) for x in series])
