"""A fit with a weighted likelihood of the features."""

import numpy as np
import pytest
import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.new_subjects.leave_one_out import subject_log_likelihood
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.posterior.stored_data import read_model_data
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.workflow.fit import fit

N, REGIONS = 30, 16


@pytest.fixture(scope="module")
def features():
    """One strong factor in one block, and errors that the edges of a region share."""
    rng = np.random.default_rng(3)
    ends = np.stack(np.triu_indices(REGIONS, 1))
    block = np.array([f"{a}-{b}" for a, b in (ends // 8).T])
    loading = np.where(block == "0-1", 0.8, 0.0) * rng.choice([-1.0, 1.0], block.size)
    common = rng.standard_normal((N, REGIONS))[:, ends].sum(axis=1)
    noise = np.sqrt(0.4) * rng.standard_normal((N, block.size)) + np.sqrt(0.3) * common
    return xr.Dataset(
        {"y": (("subject", "feature"), rng.standard_normal((N, 1)) * loading + noise)},
        coords={
            "subject": [f"sub-{i:02d}" for i in range(N)],
            "feature": [f"R{a:02d}--R{b:02d}" for a, b in ends.T],
            "arm": ("subject", np.array(["SNRI", "SSRI"])[np.arange(N) % 2]),
            "block": ("feature", block),
        },
    )


def fitted(features, dependence):
    spec = SharedSpecificSpec(n_factors=1, feature_dependence=dependence, spare_factors="sampled")
    sampler = SamplerSpec(seed=1, cores=1, draws=100, tune=100)
    return fit(spec, features, method="fast", sampler=sampler, progressbar=False)


def test_a_weight_widens_the_scores_and_is_stored(features):
    plain, less = fitted(features, "independent"), fitted(features, "weighted")
    weight = float(less["constant_data"]["feature_weight"])
    assert 0.1 < weight < 0.7
    assert float(plain["constant_data"]["feature_weight"]) == 1.0
    spread = [
        float((x := i["posterior"]["scores"]).std(("chain", "draw")).mean() / abs(x).mean())
        for i in (plain, less)
    ]
    assert spread[1] > 1.2 * spread[0]
    # Numbers of features and sums of squares are stored without the weight.
    for name in ("block_size", "feature_noise"):
        np.testing.assert_allclose(less["constant_data"][name], plain["constant_data"][name])
    np.testing.assert_allclose(
        less["observed_data"]["features"], plain["observed_data"]["features"]
    )
    again = read_model_data(read_result(less))
    assert again.weight == weight == read_fitted(less).weight
    np.testing.assert_allclose(again.n_features, plain["constant_data"]["block_size"])
    np.testing.assert_allclose(again.stats.traces, weight * again.total.traces)


def test_leave_one_out_refuses_a_weight_and_names_the_alternative(features):
    with pytest.raises(SpecError, match="compare_models"):
        subject_log_likelihood(fitted(features, "weighted"))
