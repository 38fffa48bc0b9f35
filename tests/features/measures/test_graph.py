"""Graph measures compared with loops over nodes, pairs and paths, and with networkx and bctpy."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import (
    check_features,
    connectivity_from_timeseries,
    graph_features,
    reference_to_controls,
    structural_features,
)
from bayes_mdd.features.measures.topology import clustering, efficiency, participation, strength

N = 9
MODULE = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])


@pytest.fixture
def weights() -> np.ndarray:
    """A graph with missing edges, one region with one edge and one with none."""
    rng = np.random.default_rng(3)
    w = np.triu(rng.random((N, N)) * (rng.random((N, N)) < 0.6), 1)
    w[:7, 7] = w[7, 8] = 0
    w[2, 7] = 0.4
    w[:, 8] = 0
    return w + w.T


def shortest(w: np.ndarray, start: int) -> dict[int, float]:
    """Distances from one node (Bellman-Ford)."""
    far = {start: 0.0}
    for _ in range(len(w)):
        for i, j in zip(*np.nonzero(w), strict=True):
            if i in far and far[i] + 1 / w[i, j] < far.get(j, np.inf):
                far[j] = far[i] + 1 / w[i, j]
    return far


def test_strength_and_participation(weights):
    k = strength(weights)
    p = participation(weights, MODULE)
    for i in range(N):
        parts = [sum(weights[i, j] for j in range(N) if MODULE[j] == m) for m in range(3)]
        assert k[i] == pytest.approx(sum(parts))
        total = sum(parts)
        assert p[i] == pytest.approx(1 - sum((x / total) ** 2 for x in parts) if total else 0)


def test_clustering_is_the_mean_intensity_of_triangles(weights):
    got = clustering(weights)
    for i in range(N):
        near = np.flatnonzero(weights[i])
        pairs = list(combinations(near, 2))
        cubes = [(weights[i, a] * weights[i, b] * weights[a, b]) ** (1 / 3) for a, b in pairs]
        assert got[i] == pytest.approx(np.mean(cubes) if pairs else 0.0)


def test_efficiency_is_the_mean_inverse_path_length(weights):
    got = efficiency(weights)
    for i in range(N):
        far = shortest(weights, i)
        assert got[i] == pytest.approx(sum(1 / d for j, d in far.items() if j != i) / (N - 1))
    assert got[8] == 0


def test_networkx_gives_the_same_values(weights):
    nx = pytest.importorskip("networkx", reason="networkx is used for comparison only")
    graph = nx.from_numpy_array(weights)
    largest = weights.max()
    clusters = nx.clustering(graph, weight="weight")
    np.testing.assert_allclose(clustering(weights / largest), list(clusters.values()))
    for i, j in graph.edges:
        graph.edges[i, j]["length"] = 1 / graph.edges[i, j]["weight"]
    for i in range(N):
        far = nx.single_source_dijkstra_path_length(graph, i, weight="length")
        mean = sum(1 / d for j, d in far.items() if j != i) / (N - 1)
        assert efficiency(weights)[i] == pytest.approx(mean)


def test_bctpy_gives_the_same_values(weights):
    bct = pytest.importorskip("bct", reason="bctpy is used for comparison only")
    np.testing.assert_allclose(clustering(weights), bct.clustering_coef_wu(weights))
    some = weights.sum(axis=1) > 0
    module = participation(weights, MODULE)
    with np.errstate(invalid="ignore"):  # bctpy divides 0 by 0 for the region without edges
        expected = bct.participation_coef(weights, MODULE + 1)
    np.testing.assert_allclose(module[some], expected[some])
    np.testing.assert_allclose(efficiency(weights).mean(), bct.efficiency_wei(weights))


@pytest.fixture
def edges(region_table):
    rng = np.random.default_rng(0)
    series = rng.normal(size=(8, 60, 5)) + rng.normal(size=(8, 60, 1)) * 0.7
    participants = pd.DataFrame({"arm": list("AABBAABB")}, index=[f"sub-{i}" for i in range(8)])
    return connectivity_from_timeseries(series, region_table, participants=participants)


def square(features, row: int) -> np.ndarray:
    r = np.tanh(features["y"].values[row]).clip(min=0)
    w = np.zeros((5, 5))
    w[np.triu_indices(5, 1)] = r
    return w + w.T


def test_all_measures_of_all_regions_and_subjects(edges):
    got = graph_features(edges)
    assert got.sizes["feature"] == 20
    w = square(edges, 3)
    expected = {
        "strength": strength(w),
        "participation": participation(w, np.array([0, 1, 0, 2, 1])),
        "clustering": clustering(w),
        "efficiency": efficiency(w),
    }
    for name, values in expected.items():
        found = got["y"].values[3, got["view"].values == name]
        np.testing.assert_allclose(found, values, rtol=1e-12)
    assert got["block"].values[[0, 5]].tolist() == ["strength:DMN", "participation:DMN"]
    assert got["arm"].values.tolist() == edges["arm"].values.tolist()
    assert check_features(got) is None
    assert reference_to_controls(got).attrs["units"] == "z"


def test_the_order_of_edges_does_not_matter(edges):
    rng = np.random.default_rng(1)
    mixed = edges.isel(feature=rng.permutation(10))
    np.testing.assert_array_equal(graph_features(edges)["y"], graph_features(mixed)["y"])


def test_density_keeps_the_strongest_edges_of_each_subject(edges):
    got = graph_features(edges, ["strength"], density=0.3)
    for row in range(8):
        w = square(edges, row)
        w[w < np.sort(w[np.triu_indices(5, 1)])[-3]] = 0
        np.testing.assert_allclose(got["y"].values[row], strength(w))
    facts = json.loads(got.attrs["provenance"])
    assert facts["graph"]["density"] == 0.3
    assert facts["estimator"] == "empirical"


def test_r_and_fisher_z_give_the_same_graph(edges):
    r = edges.assign(y=np.tanh(edges["y"])).assign_attrs(units="r")
    np.testing.assert_allclose(graph_features(r)["y"], graph_features(edges)["y"])


def test_structural_weights_are_relative_to_the_largest_of_the_subject(region_table):
    rng = np.random.default_rng(2)
    m = rng.integers(1, 50, size=(6, 5, 5)).astype(float)
    m = m + m.transpose(0, 2, 1)
    features = structural_features(m, region_table, transform="none")
    got = graph_features(features, ["clustering"])
    np.fill_diagonal(m[4], 0)
    np.testing.assert_allclose(got["y"].values[4], clustering(m[4] / m[4].max()))


def test_features_that_are_not_a_graph_are_refused(edges):
    for bad, words in (
        (reference_to_controls(edges), "standardised or differences"),
        (edges.assign_attrs(units="tangent"), "cannot serve as weights"),
        (edges.assign(y=edges["y"] * 3).assign_attrs(units="r"), "values exceed 1"),
        (edges.assign(y=edges["y"].where(edges["subject"] != "sub-3", -1.0)), "positive in sub-3"),
        (edges.assign(y=edges["y"].where(edges["subject"] != "sub-3")), "10 edge"),
        (edges.drop_vars("region_a"), "are not edges"),
        (edges.assign_coords(region_b=edges["region_a"]), "a region with itself"),
    ):
        with pytest.raises(DataContractError, match=words):
            graph_features(bad)
    with pytest.raises(SpecError, match="got degree"):
        graph_features(edges, ["degree"])
    with pytest.raises(SpecError, match="density must be above 0 and at most 1"):
        graph_features(edges, density=15)
