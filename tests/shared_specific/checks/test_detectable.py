"""Detection limits: the law of spiked matrices in simple cases, and the search itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from fakes import make_fake_idata

from bayes_mdd.shared_specific.checks import detectable
from bayes_mdd.shared_specific.checks.detectable import detection_limits, smallest_trait
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.start.spectral import spectral_start
from bayes_mdd.specs import SharedSpecificSpec

SPEC = SharedSpecificSpec(n_factors=2, feature_dependence="matrix")


def make_features(seed: int, n: int = 40, regions: int = 24, volumes: int = 150) -> xr.Dataset:
    """Fisher z of correlations of Gaussian series without a trait."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(regions, 4)) * 0.6
    root = np.linalg.cholesky(mixing @ mixing.T + np.eye(regions))
    i, j = np.triu_indices(regions, 1)
    series = rng.normal(size=(n, volumes, regions)) @ root.T
    network = np.array(list("ABCD"))[np.arange(regions) * 4 // regions]
    return xr.Dataset(
        {"y": (("subject", "feature"), [np.arctanh(np.corrcoef(x.T)[i, j]) for x in series])},
        coords={
            "subject": [f"s{k}" for k in range(n)],
            "feature": [f"{a}--{b}" for a, b in zip(i, j, strict=True)],
            "arm": ("subject", np.array(["A", "B"])[np.arange(n) % 2]),
            "block": ("feature", [f"{a}-{b}" for a, b in zip(network[i], network[j], strict=True)]),
            "region_a": ("feature", i.astype(str)),
            "region_b": ("feature", j.astype(str)),
            "network_a": ("feature", network[i]),
            "network_b": ("feature", network[j]),
        },
        attrs={"units": "fisher_z"},
    )


def test_without_margins_the_limit_is_that_of_baik_ben_arous_and_peche(monkeypatch):
    monkeypatch.setattr(detectable, "MISFIT", 0.0)
    monkeypatch.setattr(detectable, "EXCESS", 0.0)
    monkeypatch.setattr(detectable, "MAXIMUM", (0.0, 0.0))
    monkeypatch.setattr(detectable, "TRACY_WIDOM", (0.0, 0.0))
    n, p = 60.0, 1500
    least = detectable._least_by_weighting(
        np.ones(1), np.ones(1), np.array([p]), np.array([float(p)]), n
    )
    # Scores of mean square 1: the spike of the subjects' covariance is n times the loadings.
    assert n * least == pytest.approx(np.sqrt(n / p), rel=0.01)
    noisy = detectable._least_by_weighting(
        np.ones(1), 4 * np.ones(1), np.array([p]), np.array([float(p)]), n
    )
    assert noisy == pytest.approx(4 * least, rel=1e-3)


def test_more_subjects_show_smaller_factors():
    few, many = (prepare(SPEC, make_features(1, n=n)) for n in (30, 60))
    few_limits, many_limits = detection_limits(few), detection_limits(many)
    assert (many_limits["explained"] < few_limits["explained"]).all()
    table = many_limits.set_index(["pattern", "factor"])["explained"]
    for pattern in ("edge-wise", "smooth"):
        assert table[pattern, "shared"] < table[pattern, "A-specific"]
    assert (table["edge-wise"] < table["smooth"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["edge-wise", "smooth"])
def test_the_search_finds_half_of_the_factors_at_the_limit(pattern):
    found = {multiple: [is_found(seed, pattern, multiple) for seed in range(20)]
             for multiple in (0.4, 1.0, 2.5)}  # fmt: skip
    assert np.mean(found[0.4]) <= 0.2
    assert 0.2 <= np.mean(found[1.0]) <= 0.8
    assert np.mean(found[2.5]) >= 0.9


def is_found(seed: int, pattern: str, multiple: float) -> bool:
    """Add a shared factor of a multiple of the limit, and search."""
    features = make_features(seed)
    data = prepare(SPEC, features)
    table = detection_limits(data).set_index(["pattern", "factor"])["explained"]
    explained = multiple * table[pattern, "shared"]
    white, rng = data.whitening, np.random.default_rng([seed, 1])
    smoothness = white.map.eigen_smoothness
    smooth = replace(white.map, basis=white.map.eigen[1])
    spread = np.sqrt(smoothness) if pattern == "smooth" else 1.0
    loading = smooth.back(rng.standard_normal(smoothness.size) * spread)
    y = features["y"].values
    variance = explained / (1 - explained) * y.var(axis=0).mean()
    scores = rng.standard_normal(len(y))
    loading *= np.sqrt(variance / (loading**2).mean())
    made = features.assign(y=(("subject", "feature"), y + np.outer(scores, loading)))
    start = spectral_start(prepare(SPEC, made), 2)
    r = [abs(np.corrcoef(h, scores)[0, 1]) for h in start.scores[:, : start.n_on].T]
    return max(r, default=0.0) > 0.5


def test_nothing_is_said_where_the_limits_are_not_known():
    assert smallest_trait(make_fake_idata()) is None
