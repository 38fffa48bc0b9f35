"""The check of block noise: silent where it holds, loud where it does not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.shared_specific.checks.feature_noise import compare_variances

N, P, K = 40, 120, 2


def run(
    seed: int,
    *,
    spread: float = 0.0,
    blocks: int = 6,
    told: float = 0.0,
    sparse: bool = False,
    noise: str = "equal",
) -> xr.DataTree:
    """A run whose posterior holds the true scores; `spread` is the SD of the log noise SD.

    `told` is how much of that spread the run knows as its relative noise.
    """
    rng = np.random.default_rng(seed)
    code = np.arange(P) % blocks
    log_sd = rng.normal(size=P)
    sd = rng.uniform(0.5, 1.5, blocks)[code] * np.exp(spread * log_sd)
    scores = rng.normal(size=(N, K))
    loadings = rng.normal(0, 1, size=(K, P)) * ((rng.random((K, P)) < 0.2) if sparse else 1)
    y = 3.0 + scores @ loadings + sd * rng.normal(size=(N, P))
    names = {"block": [f"b{b}" for b in range(blocks)], "factor": ["F1", "F2"]}
    posterior = xr.Dataset(
        {
            "scores": (
                ("chain", "draw", "subject", "factor"),
                scores + 0.05 * rng.normal(size=(1, 20, N, K)),
            ),
            "block_scale": (("chain", "draw", "block", "factor"), np.ones((1, 20, blocks, K))),
        },
        coords=names,
    )
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "constant_data": xr.Dataset(
                {
                    "design": (("subject", "covariate"), np.ones((N, 1))),
                    "feature_noise": ("feature", np.exp(told * log_sd)),
                }
            ),
            "loadings": xr.Dataset(coords={"block": ("feature", np.array(names["block"])[code])}),
            "observed_data": xr.Dataset({"y": (("subject", "feature"), y.astype(np.float32))}),
        }
    )
    tree.attrs["spec"] = json.dumps({"feature_noise": noise})
    return tree


def test_false_alarms_are_as_rare_as_they_should_be():
    found = [bm.judge_feature_noise(run(seed), alpha=0.1) for seed in range(120)]
    assert np.mean([f.value for f in found]) == pytest.approx(1, abs=0.03)
    # 12 expected; the bounds hold with probability .999 at that rate.
    assert 3 <= sum(f.passed is False for f in found) <= 24


def test_loadings_that_are_not_gaussian_do_not_look_like_noise():
    values = [bm.judge_feature_noise(run(seed, sparse=True)).value for seed in range(40)]
    assert np.mean(values) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("spread", "power"), [(0.15, 0.5), (0.3, 1.0)])
def test_unequal_noise_is_seen(spread, power):
    fired = [bm.judge_feature_noise(run(s, spread=spread)).passed is False for s in range(20)]
    assert np.mean(fired) >= power


def test_noise_between_blocks_is_none_of_its_business():
    block = np.arange(P) % 6
    chance = np.random.default_rng(0).chisquare(30, P)
    ratio, variance = compare_variances(chance, block, 30)
    moved, same = compare_variances(chance * np.exp(block), block, 30)
    assert moved == pytest.approx(ratio, rel=1e-9)
    assert same == variance


def test_one_feature_a_block_says_nothing():
    found = bm.judge_feature_noise(run(1, spread=1.0, blocks=P))
    assert found.passed is None and np.isnan(found.value)


def test_features_are_taken_as_the_likelihood_saw_them():
    assert bm.judge_feature_noise(run(3, spread=0.4)).passed is False
    assert bm.judge_feature_noise(run(3, spread=0.4, told=0.4, noise="moderated")).passed is True


def test_not_judged_where_it_does_not_apply():
    assert bm.judge_feature_noise(run(1, spread=1.0, noise="student")).passed is None
    silent = run(1)
    silent["observed_data"] = xr.DataTree(xr.Dataset())
    assert bm.judge_feature_noise(silent).passed is None


def test_its_variance_is_that_of_simulated_chi_squares():
    rng = np.random.default_rng(4)
    block = np.repeat(np.arange(5), [1, 2, 10, 30, 40])
    found = [compare_variances(rng.chisquare(12, block.size), block, 12) for _ in range(3000)]
    ratio = pd.Series([r for r, _ in found])
    assert ratio.mean() == pytest.approx(1, abs=0.02)
    assert ratio.var() == pytest.approx(found[0][1], rel=0.1)
