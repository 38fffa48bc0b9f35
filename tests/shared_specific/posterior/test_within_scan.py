"""Half differences are taken out of the draws again."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_mdd.shared_specific.posterior.within_scan import separate_differences

N, DRAWS, K = 6, 7, 2


def drawn():
    rng = np.random.default_rng(0)
    lead = ("chain", "draw")
    sharing = rng.dirichlet(np.ones(3), size=(2, DRAWS, K))
    posterior = xr.Dataset(
        {
            "scores": ((*lead, "subject", "factor"), rng.normal(size=(2, DRAWS, 2 * N, K))),
            "sharing": ((*lead, "factor", "arm"), sharing),
            "block_scale": ((*lead, "block", "factor"), rng.gamma(2, size=(2, DRAWS, 4, K))),
            "noise": ((*lead, "block"), rng.gamma(2, size=(2, DRAWS, 4))),
            "symptom_weight": ((*lead, "factor", "symptom"), rng.normal(size=(2, DRAWS, K, 3))),
        },
        coords={"arm": ["a", "b", "within_scan"], "subject": [f"s{i}" for i in range(2 * N)]},
        attrs={"sampling_time": 3.0},
    )
    stats = xr.Dataset({"diverging": (lead, np.zeros((2, DRAWS), dtype=bool))})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def test_subjects_and_their_arms_are_left():
    raw = drawn()
    found = separate_differences(raw, N, 2)["posterior"]
    assert found.sizes["subject"] == N
    assert found["arm"].values.tolist() == ["a", "b"]
    assert found.attrs["sampling_time"] == 3.0
    np.testing.assert_allclose(found["sharing"].sum("arm"), 1)
    assert raw["posterior"].sizes["subject"] == 2 * N


def test_variances_of_arms_and_of_what_factors_explain_are_unchanged():
    raw, found = drawn()["posterior"], separate_differences(drawn(), N, 2)["posterior"]
    # The variance of arm a is A w_a times the square of the loadings.
    before = 3 * raw["sharing"].isel(arm=slice(2)) * raw["block_scale"] ** 2
    after = 2 * found["sharing"] * found["block_scale"] ** 2
    np.testing.assert_allclose(after, before.transpose(*after.dims))
    for name in ("block_scale", "symptom_weight"):
        one = raw["scores"].isel(subject=slice(N)) * raw[name]
        np.testing.assert_allclose(
            (found["scores"] * found[name]).transpose(*one.dims), one, atol=1e-12
        )
    np.testing.assert_array_equal(found["noise"], raw["noise"])


def test_reliability_is_one_minus_the_share_of_the_error():
    raw, found = drawn()["posterior"], separate_differences(drawn(), N, 2)["posterior"]
    share = raw["sharing"].transpose("arm", ...).values
    expected = 1 - share[2] / share[:2]
    np.testing.assert_allclose(found["reliability"].transpose("arm", ...).values, expected)
    # A factor that halves do not share at all, and one that they share entirely.
    assert found["reliability"].max() < 1
    assert found["reliability"].min() < 0


def test_factors_of_half_differences_alone_are_left_out():
    raw = drawn()
    posterior = raw["posterior"].to_dataset()
    # The second factor: most of its variance is in the half differences.
    shares = np.array([[0.45, 0.45, 0.1], [0.1, 0.1, 0.8]])
    posterior["sharing"] = posterior["sharing"] * 0 + xr.DataArray(shares, dims=("factor", "arm"))
    raw["posterior"] = xr.DataTree(posterior)
    found = separate_differences(raw, N, 2)["posterior"]
    assert (found["block_scale"].isel(factor=0) > 0).all()
    for name in ("block_scale", "symptom_weight"):
        assert not found[name].isel(factor=1).any()
