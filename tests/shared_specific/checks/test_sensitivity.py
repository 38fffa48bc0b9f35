"""Power-scaling: completed draws are exact, shifts are those of another prior."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError
from bayes_mdd.sampling.run_folder import read_run
from bayes_mdd.shared_specific.checks.log_prior import draw_factor_scale, draw_overall_scale
from bayes_mdd.shared_specific.checks.sensitivity import (
    CONFLICT,
    NOTHING,
    STRONG,
    UNCLEAR,
    _diagnosed,
    _shift_if_squared,
    judge_sensitivity,
)
from bayes_mdd.shared_specific.prior.arms import Sharing
from bayes_mdd.shared_specific.prior.horseshoe import Horseshoe
from bayes_mdd.shared_specific.prior.scales import HalfT


def half_cauchy(rng, scale, size):
    return scale * np.abs(rng.standard_cauchy(size))


def test_a_completed_draw_has_the_joint_distribution_of_the_prior():
    # If s ~ prior and tau | s, a draw s' | tau has the prior's distribution too.
    rng = np.random.default_rng(0)
    n = 2000
    s = half_cauchy(rng, 0.01, (n, 1, 2))
    u = s * np.abs(rng.standard_t(4, (n, 6, 2)))
    prior = Horseshoe(HalfT(1.0, 0.01), HalfT(4.0, 1.0), 2.0)
    again = draw_factor_scale(u / np.sqrt(1 + (u / 2) ** 2), prior, rng)
    assert stats.kstest(again[:, 0] / 0.01, stats.halfcauchy.cdf).pvalue > 0.01
    # It is close to the draw it came from.
    assert np.corrcoef(np.log(s[:, 0, 1]), np.log(again[:, 1]))[0, 1] > 0.9

    whole = half_cauchy(rng, 0.2, (n, 1))
    scale = whole * half_cauchy(rng, 1.0, (n, 8))
    weight = scale / np.sqrt(1 + scale**2) * rng.normal(size=(n, 8))
    again = draw_overall_scale(weight, Horseshoe(HalfT(1.0, 0.2), HalfT(1.0, 1.0), 1.0), rng)
    assert again.shape == (n, 1)
    assert stats.kstest(again[:, 0] / 0.2, stats.halfcauchy.cdf).pvalue > 0.01
    assert np.corrcoef(np.log(whole[:, 0]), np.log(again[:, 0]))[0, 1] > 0.5


def sharing_posterior(alpha, n=(6, 5), sums=(9.0, 2.0)):
    """Share of arm 1 on a grid, with its posterior given the scores of n people an arm."""
    w = np.linspace(1e-5, 1 - 1e-5, 200_001)
    log = (alpha - 1) * (np.log(w) + np.log1p(-w))
    for share, count, total in ((w, n[0], sums[0]), (1 - w, n[1], sums[1])):
        log = log - 0.5 * count * np.log(2 * share) - 0.5 * total / (2 * share)
    p = np.exp(log - log.max())
    return w, p / p.sum()


def test_shift_is_that_of_a_posterior_with_another_prior():
    alpha, more = 0.6, 1.02
    w, p = sharing_posterior(alpha)
    rng = np.random.default_rng(2)
    draws = rng.choice(w, p=p, size=200_000)
    sharing = np.stack([draws, 1 - draws], axis=1)[:, :, None]
    log = xr.DataArray(
        Sharing(alpha, 2).log_kernel(sharing, axis=(1, 2))[None], dims=("chain", "draw")
    )
    reported = xr.Dataset({"sharing": (("chain", "draw"), draws[None])})
    found = float(_shift_if_squared(reported, log)["sharing"])
    # The prior to the power 1.02 is a Dirichlet with this concentration.
    _, scaled = sharing_posterior(1 + more * (alpha - 1))
    mean, sd = (w * p).sum(), np.sqrt((w**2 * p).sum() - (w * p).sum() ** 2)
    exact = ((w * scaled).sum() - mean) / sd / np.log(more) * np.log(2)
    assert found == pytest.approx(exact, rel=0.05)


@pytest.fixture(scope="module")
def table(small_run):
    return bm.prior_sensitivity(read_run(small_run.folder), max_draws=60)


def test_every_reported_quantity_has_its_sensitivities(small_run, table):
    idata = read_run(small_run.folder)
    posterior = idata["posterior"].to_dataset()
    on = posterior["block_scale"].any(("chain", "draw", "block")).values
    names = posterior["factor"].values[on]
    assert set(table["factor"]) == set(names)
    for name in ("sharing", "explained", "arm_mean", "symptom_weight"):
        second = 2 if name != "symptom_weight" else posterior.sizes["symptom"]
        assert (table["quantity"] == name).sum() == len(names) * second
    groups = ("sharing", "arm_mean", "factor_scale", "noise", "symptom_scale", "symptom_noise")
    for group in groups:
        assert (table[f"prior_{group}"] >= 0).all()
        assert np.isfinite(table[f"shift_{group}"]).all()
    row = table.iloc[0]
    mean = posterior["sharing"].sel(arm=row["arm"], factor=row["factor"]).mean()
    assert row["mean"] == pytest.approx(float(mean), abs=0.15)
    # Two arms share out one variance: what one gains the other loses.
    shift = table[table["quantity"] == "sharing"].set_index(["factor", "arm"])["shift_sharing"]
    np.testing.assert_allclose(shift.xs("SSRI", level=1), -shift.xs("SNRI", level=1), atol=1e-9)
    assert set(table.attrs["chance"]) == {*groups, "likelihood"}


def test_diagnosis_needs_more_than_chance():
    made = pd.DataFrame({"prior_a": [0.01, 0.2, 0.2, 0.2, 0.2], "likelihood": [1, 1, 0.01, 0.2, 1]})
    chance = {
        "a": np.array([0.0, 0.0, 0.0, 0.0, 0.3]),
        "likelihood": np.array([0.0, 0.0, 0.0, 0.3, 0.0]),
    }
    found = _diagnosed(made, chance)
    assert found["diagnosis"].tolist() == [NOTHING, CONFLICT, STRONG, UNCLEAR, NOTHING]
    assert found["rests_on"].tolist() == ["", "a", "a", "a", ""]


def test_verdict_names_results_and_settings(table):
    quiet = judge_sensitivity(table.assign(diagnosis=NOTHING, rests_on=""))
    assert quiet.passed is True
    loud = table.head(6).assign(diagnosis=CONFLICT, rests_on="sharing, factor_scale")
    said = judge_sensitivity(loud)
    assert said.passed is None
    assert said.value == 6
    assert "sharing F1" in said.advice
    assert "factor_scale, sharing_concentration" in said.advice
    assert "and 2 more" in said.advice


def test_a_run_without_a_factor_is_refused(made):
    idata = made.idata.copy()
    posterior = idata["posterior"].to_dataset()
    idata["posterior"] = posterior.assign(block_scale=0 * posterior["block_scale"])
    with pytest.raises(DataContractError, match="no factor"):
        bm.prior_sensitivity(idata, training=made.training)
