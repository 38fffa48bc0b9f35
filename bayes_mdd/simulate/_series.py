"""Time series of the participants, and the connectivity measured from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from bayes_mdd.simulate._covariance import (
    covariance_of,
    deviations_of_edges,
    draw_base_correlation,
    draw_deviations,
    fisher_z,
    power,
)
from bayes_mdd.simulate._design import Rng
from bayes_mdd.simulate._draw import DrawnEdges, nuisance_columns, scores_of_all, site_codes
from bayes_mdd.types import Array

#: Lag-1 autocorrelation of the signals: mean and SD over participants.
AUTOCORRELATION: Final = (0.5, 0.05)
#: SD of the deviations of each participant, in Fisher z of an edge.
INDIVIDUAL_SD: Final = 0.06
#: Variance of the motion noise of a region at average mean_fd (signals have variance 1). It is
#: proportional to mean_fd and reduces all correlations of a participant.
MOTION_NOISE, AVERAGE_FD = 0.15, 0.147
#: Motion comes in bursts: probability that one starts at a volume, its volumes, its variance
#: relative to that of the other volumes.
BURST_START, BURST_LENGTH, BURST_VARIANCE = 0.03, 5, 6.0
#: Number of pieces of a scan.
PIECES: Final = 8
#: First number of the random streams of the participants.
STREAM: Final = 5


@dataclass(frozen=True)
class _Population:
    """Base correlations, and deviations per unit of scores, covariates and sites."""

    base: Array
    traits: Array
    covariates: Array
    sites: Array
    loadings: Array


def draw_series(
    rng: Rng,
    participants: pd.DataFrame,
    regions: pd.DataFrame,
    scores: pd.DataFrame,
    loadings: Array,
    settings: Mapping[str, Any],
) -> DrawnEdges:
    """Draw the series of all participants and measure connectivity.

    The deviation of a participant (see `bayes_mdd.simulate._covariance`) is the sum of traits times
    scores, effects of covariates, the shift of the site, and an individual part. `loadings` are
    given in units of the expected residual SD of an edge; the result has them in units of the
    residual SD that was drawn, for edges with average motion.
    """
    volumes = settings["n_volumes"]
    population = _draw_population(rng, regions, loadings, settings)
    root = power(population.base, 0.5)
    all_scores = scores_of_all(participants, scores)
    covariates, site = nuisance_columns(participants), site_codes(participants)
    motion = MOTION_NOISE * participants["mean_fd"].to_numpy(float) / AVERAGE_FD
    unit = np.eye(len(regions))
    series, expected = {}, []
    for i, subject in enumerate(participants.index):
        own = np.random.default_rng([settings["seed"], STREAM, i])
        deviation = (
            np.tensordot(all_scores[i], population.traits, 1)
            + np.tensordot(covariates[i], population.covariates, 1)
            + population.sites[site[i]]
        )
        expected.append(fisher_z(covariance_of(deviation, root) + motion[i] * unit))
        deviation = deviation + draw_deviations(own, 1, len(regions), INDIVIDUAL_SD)[0]
        signals = _draw_signals(own, volumes, len(regions))
        signals = signals @ np.linalg.cholesky(covariance_of(deviation, root)).T
        noise = _draw_motion(own, signals.shape, motion[i])
        series[str(subject)] = (signals + noise).astype(np.float32)
    edges = np.array([_edges_of(x) for x in series.values()]).reshape(len(series), -1)
    noise_sd = float(np.sqrt(np.mean((edges - np.array(expected)) ** 2)))
    halves = [(_edges_of(a) - _edges_of(b)) / 2 for a, b in map(_halves, series.values())]
    return DrawnEdges(
        y=edges,
        loadings=population.loadings / noise_sd,
        noise_sd=noise_sd,
        series=series,
        half_difference=np.array(halves).reshape(edges.shape),
        pieces=np.stack([_pieces_of(x) for x in series.values()]),
    )


def _draw_population(
    rng: Rng, regions: pd.DataFrame, loadings: Array, settings: Mapping[str, Any]
) -> _Population:
    n = len(regions)
    base = draw_base_correlation(rng, regions)
    phi = AUTOCORRELATION[0]
    effective_volumes = settings["n_volumes"] * (1 - phi**2) / (1 + phi**2)
    sd = np.sqrt(1 / effective_volumes + INDIVIDUAL_SD**2)
    r = base[np.triu_indices(n, 1)]
    change = loadings * sd * (1 - r**2)
    # Motion noise divides all correlations by the variance of signal and noise together.
    total = 1 + MOTION_NOISE
    return _Population(
        base=base,
        traits=deviations_of_edges(change, base),
        covariates=draw_deviations(rng, 3, n, settings["covariate_effect"] * sd),
        sites=draw_deviations(rng, settings["sites"], n, settings["site_shift"] * sd),
        loadings=change / total / (1 - (r / total) ** 2),
    )


def _draw_signals(rng: Rng, volumes: int, n_regions: int) -> Array:
    """Independent first-order autoregressive series (time, region) of variance 1."""
    mean, sd = AUTOCORRELATION
    phi = float(np.clip(mean + sd * rng.standard_normal(), 0.0, 0.9))
    signals: Array = rng.standard_normal((volumes, n_regions))
    signals[1:] *= np.sqrt(1 - phi**2)
    for t in range(1, volumes):
        signals[t] += phi * signals[t - 1]
    return signals


def _draw_motion(rng: Rng, shape: tuple[int, ...], variance: float) -> Array:
    """Noise (time, region) that is stronger in bursts and has this variance on average."""
    starts = rng.random(shape[0]) < BURST_START
    moving = np.convolve(starts, np.ones(BURST_LENGTH))[: shape[0]] > 0
    profile = np.where(moving, BURST_VARIANCE, 1.0)
    scale = np.sqrt(variance * profile / profile.mean())
    noise: Array = scale[:, None] * rng.standard_normal(shape)
    return noise


def _edges_of(series: np.ndarray) -> Array:
    """Fisher z of the correlations of a series, upper triangle."""
    return fisher_z(np.cov(series.T.astype(float)))


def _halves(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(series) // 2
    return series[:n], series[n : 2 * n]


def _pieces_of(series: np.ndarray) -> np.ndarray:
    """Mean products (piece, pair) of the series, standardised over the scan, in each piece."""
    length = len(series) // PIECES
    x = series[: PIECES * length].astype(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    a, b = np.triu_indices(x.shape[1])
    products = [(part.T @ part / length)[a, b] for part in np.split(x, PIECES)]
    return np.stack(products).astype(np.float32)
