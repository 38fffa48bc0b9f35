"""Preprocessing to counts, and the messages about invalid counts, settings and starts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.polar_lda import fit_counts, infer_counts, make_counts, published_z

GOOD = np.array([[3, -2, 1], [1, 4, -2], [-1, 0, 5], [2, 2, 2]], dtype=np.int16)


def changed(row, column, value, dtype=np.int64):
    counts = GOOD.astype(dtype)
    counts[row, column] = value
    return counts


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (GOOD.astype(float), "decimal numbers; make_counts"),
        (GOOD.astype(np.uint32), "unsigned integers have no polarity"),
        (GOOD[0], "1 dimension"),
        (GOOD[:, :0], "4 participants, 0 edges"),
        (
            np.vstack([GOOD, np.zeros((2, 3), np.int16)]),
            "without any token .rows 4, 5",
        ),
        (
            np.hstack([GOOD, np.zeros((4, 1), np.int16)]),
            "no token in any .*columns 3",
        ),
        (changed(1, 1, 2**31), "exceed 2147483647"),
        (changed(1, 1, np.iinfo(np.int64).min), "exceed 2147483647.*rows 1"),
    ],
)
def test_invalid_counts_are_refused(counts, says):
    with pytest.raises(DataContractError, match=says):
        fit_counts(counts, 2, 1)
    if counts.ndim == 2:
        with pytest.raises(DataContractError, match=says):
            fit_counts(sparse.coo_array(counts), 2, 1)


def test_all_problems_are_reported_at_once_and_counts_are_unchanged():
    counts = np.vstack([np.hstack([GOOD, np.zeros((4, 1), np.int16)]), np.zeros((1, 4), np.int16)])
    before = counts.copy()
    with pytest.raises(DataContractError) as caught:
        fit_counts(counts, 2, 1)
    assert len(caught.value.problems) == 2
    np.testing.assert_array_equal(counts, before)


def test_an_absent_edge_can_be_kept_as_published():
    counts = np.hstack([GOOD, np.zeros((4, 1), np.int16)])
    model = fit_counts(counts, 2, 2, absent_edges="keep", max_iterations=5)
    np.testing.assert_allclose(model["beta"][:, 3], np.exp(-100.0))
    np.testing.assert_array_equal(model["rho"][:, 3], 0.5)
    new = infer_counts(model, np.array([[0, 0, 2, 3]]))
    assert np.isfinite(new["composition"]).all()
    with pytest.raises(DataContractError, match="without any token"):
        infer_counts(model, np.zeros((1, 4), dtype=int))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n_factors": 5}, "5 factors cannot be estimated from 4 participants"),
        ({"n_factors": 0}, "at least 1"),
        ({"n_restarts": 0}, "at least 1"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"choose_by": "eye"}, "choose_by"),
        ({"e_step": "fast"}, "e_step"),
    ],
)
def test_settings_out_of_range(settings, says):
    with pytest.raises(SpecError, match=says):
        fit_counts(GOOD, **{"n_factors": 2, "n_restarts": 1, **settings})


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ({"beta": np.ones((2, 3)) / 3}, "no 'rho'"),
        ({"beta": np.ones((2, 4)) / 4, "rho": np.ones((2, 4)) / 2}, "with 3 edges"),
        ({"beta": np.ones((2, 3)) / 3, "rho": np.full((2, 3), 1.5)}, "between 0 and 1"),
        ({"beta": np.full((2, 3), np.nan), "rho": np.ones((2, 3))}, "probabilities of edges"),
        ({"beta": np.ones((2, 3)) / 3, "rho": np.ones((2, 3)), "alpha": -1}, "alpha"),
    ],
)
def test_invalid_starts_are_refused(start, says):
    with pytest.raises(DataContractError, match=says):
        fit_counts(GOOD, start=start)


def test_rounding_is_symmetric_and_the_published_rule_is_biased():
    z = np.random.default_rng(0).normal(size=(200, 300))
    fair, floored = make_counts(z), make_counts(z, rounding="floor")
    np.testing.assert_array_equal(make_counts(-z), -fair)
    np.testing.assert_array_equal(floored, np.floor(10 * z))
    assert abs(np.mean(fair - 10 * z)) < 0.01
    assert np.mean(floored - 10 * z) == pytest.approx(-0.5, abs=0.01)
    assert np.mean(floored < 0) == pytest.approx(0.50, abs=0.01)
    assert np.mean(floored > 0) == pytest.approx(0.46, abs=0.01)


@pytest.mark.parametrize(
    ("z", "settings", "error", "says"),
    [
        (np.array([[1.0, np.nan], [0, 1]]), {}, DataContractError, "not finite: rows 0"),
        (np.array([[1.0, 1.0], [0, -3e8]]), {}, DataContractError, "too large.*rows 1"),
        (np.ones((2, 2)), {"scale": 0.0}, SpecError, "scale"),
        (np.ones((2, 2)), {"rounding": "up"}, SpecError, "rounding"),
    ],
)
def test_invalid_z_values_are_refused(z, settings, error, says):
    with pytest.raises(error, match=says):
        make_counts(z, **settings)


def test_published_reference_equals_the_published_formula():
    rng = np.random.default_rng(1)
    control = np.arange(30) < 12
    covariates = np.column_stack([rng.normal(40, 10, 30), rng.integers(0, 2, 30)])
    edges = rng.normal(size=(30, 7)) + 0.05 * covariates[:, :1]
    z, reference = published_z(edges, control, covariates)

    x = np.column_stack([np.ones(30), covariates])
    b = np.linalg.inv(x[control].T @ x[control] + 1e-6 * np.eye(3)) @ x[control].T @ edges[control]
    cleaned = edges - x @ b + edges[control].mean(axis=0)
    wanted = (cleaned - cleaned[control].mean(axis=0)) / cleaned[control].std(axis=0, ddof=1)
    np.testing.assert_allclose(z, wanted, atol=1e-9)

    # A later cohort: regression on its own controls, mean and SD of the first cohort.
    again, same = published_z(edges + 1.0, control, covariates, reference=reference)
    assert same is reference
    np.testing.assert_allclose(again, z + 1.0 / reference.sd, atol=1e-5)


@pytest.mark.parametrize(
    ("controls", "says"),
    [(0, "there are no controls.*patients themselves"), (3, "3 controls are too few for 1")],
)
def test_published_reference_needs_controls(controls, says):
    edges = np.random.default_rng(0).normal(size=(9, 4))
    with pytest.raises(DataContractError, match=says):
        published_z(edges, np.arange(9) < controls, np.arange(9.0)[:, None])


def test_published_reference_names_constant_edges():
    edges = np.random.default_rng(0).normal(size=(9, 4))
    edges[:, 2] = 0.0
    with pytest.raises(DataContractError, match="columns 2"):
        published_z(edges, np.arange(9) < 6, np.arange(9.0)[:, None])
