"""Noise scales of subjects are recovered whatever the design and the noise of blocks."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.shared_specific.whitening.subject_scale import subject_scales

N = 40
CODE = np.repeat([0, 1, 2], [1500, 900, 600])


def made(seed, design):
    """Features with known scales, and blocks of which one is ten times as noisy."""
    rng = np.random.default_rng(seed)
    scale = rng.choice([0.6, 1.0, 1.6], N)
    scale /= np.sqrt((scale**2).mean())
    noise = np.array([1.0, 10.0, 0.3])[CODE]
    y = scale[:, None] * noise * rng.normal(size=(N, CODE.size))
    return y + noise * (design @ rng.normal(0, 3, size=(design.shape[1], CODE.size))), scale


DESIGNS = {
    "intercept": lambda rng: np.ones((N, 1)),
    "covariates": lambda rng: np.column_stack([np.ones(N), rng.normal(size=(N, 4))]),
    # Two subjects of a site, and one with an extreme age: half and most of them is fitted.
    "leverage": lambda rng: np.column_stack(
        [np.ones(N), np.arange(N) < 2, np.r_[np.zeros(N - 1), 3.0] + 0.3 * rng.normal(size=N)]
    ),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_known_scales_are_recovered(name):
    design = DESIGNS[name](np.random.default_rng(1))
    y, scale = made(0, design)
    found = subject_scales(y, CODE, design)
    assert (found**2).mean() == pytest.approx(1)
    kept = 1 - np.diag(design @ np.linalg.pinv(design))
    np.testing.assert_allclose(found[kept > 0.6], scale[kept > 0.6], rtol=0.12)
    np.testing.assert_allclose(found, scale, rtol=0.4)


def test_equal_subjects_have_scale_one():
    y = np.random.default_rng(2).normal(size=(N, 3000))
    found = subject_scales(y, CODE, np.ones((N, 1)))
    np.testing.assert_allclose(found, 1, atol=0.06)


def test_units_of_blocks_and_order_of_subjects_do_not_matter():
    design = DESIGNS["covariates"](np.random.default_rng(3))
    y, _ = made(4, design)
    found = subject_scales(y, CODE, design)
    unit = np.array([7.0, 0.01, 3.0])[CODE]
    np.testing.assert_allclose(subject_scales(unit * y, CODE, design), found, rtol=1e-8)
    order = np.random.default_rng(5).permutation(N)
    moved = subject_scales(y[order], CODE, design[order])
    np.testing.assert_allclose(moved, found[order], rtol=1e-8)
