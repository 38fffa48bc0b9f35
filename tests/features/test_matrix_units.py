"""Whether matrices hold r, Fisher z, covariances or something else."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.features.matrix_units import judge_units, resolve_units

RNG = np.random.default_rng(1)
SERIES = RNG.normal(size=(200, 6)) + 0.7 * RNG.normal(size=(200, 1))
CORRELATION = np.corrcoef(SERIES, rowvar=False)
UPPER = np.triu_indices(6, 1)


def with_diagonal(matrix, diagonal):
    out = np.array(matrix, dtype=float)
    np.fill_diagonal(out, diagonal)
    return out


def fisher(diagonal):
    return with_diagonal(np.arctanh(with_diagonal(CORRELATION, 0)), diagonal)


def scaled(factor):
    """Fisher z with one value of this size, symmetric."""
    out = fisher(0)
    out[0, 1] = out[1, 0] = factor
    return out


COVARIANCE = np.cov(SERIES * np.array([1, 2, 3, 1.5, 0.4, 5]), rowvar=False)


@pytest.mark.parametrize(
    ("matrix", "scale"),
    [
        (CORRELATION, "r"),
        (CORRELATION.astype(np.float16).astype(float), "r"),
        (with_diagonal(CORRELATION, [1, 1, np.nan, 1, 1, 1]), "r"),
        (fisher(np.inf), "fisher_z"),
        (fisher([np.inf, 18.7, 18.4, np.inf, 18.7, 18.4]), "fisher_z"),
        (fisher(7.2543), "fisher_z"),
        (fisher(4.0), "fisher_z"),  # 3dNetCorr
        (fisher([8.66, 8.32, np.inf, 8.66, 8.11, 8.66]), "fisher_z"),  # single precision
        (scaled(1.4), "fisher_z"),  # the diagonal was set to 0
        (COVARIANCE, "covariance"),
        (COVARIANCE / 100, "covariance"),
        (np.cov(SERIES / SERIES.std(axis=0), rowvar=False), "covariance"),
        (1e4 * COVARIANCE, "covariance"),
        (with_diagonal(scaled(1.4), 1), "contradiction"),
        (12 * fisher(0), "contradiction"),  # z-statistics
        (with_diagonal(CORRELATION, 0), "unknown"),
        (with_diagonal(CORRELATION, np.nan), "unknown"),
        (with_diagonal(CORRELATION, -1), "unknown"),
    ],
)
def test_what_a_matrix_holds(matrix, scale):
    assert judge_units(np.array(matrix)).scale == scale


def test_values_beyond_1_alone_do_not_make_fisher_z():
    _, problem = resolve_units(COVARIANCE, "")
    assert problem is not None
    assert "these are covariances" in problem
    assert "units='covariance'" in problem
    assert "these are covariances" in str(resolve_units(COVARIANCE, "fisher_z")[1])


@pytest.mark.parametrize(
    ("matrix", "stated", "said"),
    [
        (CORRELATION, "fisher_z", "those of correlations"),
        (fisher(np.inf), "r", "those of Fisher z"),
        (scaled(1.4), "r", "those of Fisher z"),
        (with_diagonal(scaled(1.4), 1), "fisher_z", "neither r nor Fisher z"),
        (12 * fisher(0), "", "units='z'"),
        (with_diagonal(CORRELATION, 0), "", "give units='r' or units='fisher_z'"),
        (CORRELATION, "z", "those of correlations"),
    ],
)
def test_contradictions_are_refused(matrix, stated, said):
    assert said in str(resolve_units(matrix, stated)[1])


@pytest.mark.parametrize(
    ("matrix", "stated"),
    [
        (CORRELATION, "r"),
        (with_diagonal(CORRELATION, 0), "r"),
        (with_diagonal(CORRELATION, 0), "fisher_z"),
        (with_diagonal(CORRELATION, [0.99, 1, 1.01, 1, 1, 1]), "r"),
        (scaled(1.4), "fisher_z"),
        (12 * fisher(0), "z"),
    ],
)
def test_what_is_stated_and_possible_is_accepted(matrix, stated):
    assert resolve_units(np.array(matrix), stated) == (stated, None)
