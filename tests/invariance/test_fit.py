"""Fits of changed cohorts: the same to the last bit, mirrored, or within Monte-Carlo error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from invariance.agreement import (
    LOADING_SDS,
    STANDARD_ERRORS,
    differences,
    disagreement,
    found_again,
)
from invariance.changes import (
    CHANGES,
    OTHER_ARM,
    add_column,
    add_unfitted,
    change_covariates,
    copy_edge,
    rename_arms,
    rename_participants,
    rename_regions,
    rename_sites,
    shuffle_edges,
    shuffle_participants,
)

import bayes_mdd as bm

RESULTS = {True: "Same", False: "Monte Carlo"}
MIRRORED = ("names of arms exchanged", "symptom reversed", "one feature reversed",
            "all features reversed")  # fmt: skip


def by_place(first, second):
    pairs = {"feature": "loadings", "block": "posterior"}
    return {
        dim: dict(
            zip(
                map(str, second[group][dim].values), map(str, first[group][dim].values), strict=True
            )
        ).__getitem__
        for dim, group in pairs.items()
    }


def compare(change, given, first):
    second = change.apply(given).fit()
    renamed = change.names.get("feature") is str  # renamed edges keep their place
    names = by_place(first, second) if renamed else change.names
    if change.exact:
        assert not differences(first, second, names)
        own, other = (bm.classify_factors(x) for x in (first, second))
        assert own["p_shared"].tolist() == other["p_shared"].tolist()
        return
    found = disagreement(
        first, second, names, flipped=change.flipped, reversed_symptom=change.reversed_symptom
    )
    too_large = {n: v for n, v in found.items() if n != "loadings" and v > STANDARD_ERRORS}
    assert not too_large
    assert found["loadings"] < LOADING_SDS


def test_orders_and_names_change_nothing(edges, edges_fit):
    changed = shuffle_edges(shuffle_participants(add_unfitted(add_column(rename_regions(edges)))))
    second = changed.fit()
    assert not differences(edges_fit, second, by_place(edges_fit, second))


def test_arms_mirror_and_units_leave_no_trace(edges, edges_fit):
    changed = rename_arms(edges, OTHER_ARM)
    changed = change_covariates(rename_sites(changed), {"age": 12.0, "mean_fd": 1000.0}, 500.0)
    changed = replace(
        changed, covariates=changed.covariates[::-1], symptoms=1000 * changed.symptoms + 500
    )
    second = changed.fit()
    found = disagreement(edges_fit, second, {"arm": OTHER_ARM.__getitem__})
    assert max(v for n, v in found.items() if n != "loadings") < STANDARD_ERRORS
    assert found["loadings"] < LOADING_SDS
    assert found["sharing"] > 0, "the comparison is of other draws"
    weights = [x["posterior"]["symptom_weight"].attrs for x in (edges_fit, second)]
    assert weights[0] == weights[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_independent_errors(edges, edges_fit, name):
    compare(CHANGES[name], edges, edges_fit)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, c in CHANGES.items() if not c.any_units])
def test_whitened_edges(series, series_fit, name):
    compare(CHANGES[name], series, series_fit)


@pytest.mark.slow
def test_ids_in_another_order_are_another_seed(edges, edges_fit):
    """Random numbers are drawn by the order of the ids; factors at the threshold may differ."""

    def opposite(name: str) -> str:
        return f"sub-{500 - int(name.removeprefix('sub-')):03d}"

    second = rename_participants(edges, opposite).fit()
    assert (found_again(edges_fit, second, {"subject": opposite}, strongest=2) > 0.98).all()


@pytest.mark.slow
def test_a_copied_edge_makes_no_factor(edges, edges_fit):
    second = copy_edge(edges).fit()
    assert second["posterior"].sizes["factor"] <= edges_fit["posterior"].sizes["factor"]
    assert (found_again(edges_fit, second, {}, strongest=2) > 0.98).all()


@pytest.mark.slow
def test_more_factors_on_offer_find_the_strongest(edges, edges_fit):
    second = replace(edges, n_factors=7).fit()
    assert (found_again(edges_fit, second, {}, strongest=2) > 0.98).all()


def test_an_edge_is_listed_once(edges):
    at = np.r_[np.arange(edges.features.sizes["feature"]), 5]
    twice = replace(edges, features=edges.features.isel(feature=at))
    with pytest.raises(bm.DataContractError, match=str(edges.features["feature"].values[5])):
        twice.fit()


@pytest.mark.slow
def test_chains_of_nutpie_are_the_same_for_any_order(edges):
    draws = []
    for given in (edges, shuffle_edges(shuffle_participants(edges))):
        standardised = bm.reference_to_controls(given.features, covariates=given.reference)
        spec = bm.SharedSpecificSpec(n_factors=3, covariates=("site", "age"))
        sampler = bm.SamplerSpec(draws=50, tune=100, chains=2)
        draws.append(bm.fit(spec, standardised, sampler=sampler, progressbar=False))
    assert not differences(*draws, {})


def test_the_documentation_lists_every_change(repository):
    text = (repository / "docs" / "invariance.md").read_text(encoding="utf-8")
    table = text.split("<!-- changes -->")[1].split("<!-- end of changes -->")[0]
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in table.splitlines() if line]
    found = {row[0].lower(): row[1] for row in rows[2:]}
    expected = {
        name: "Mirrored" if name in MIRRORED else RESULTS[change.exact]
        for name, change in CHANGES.items()
    }
    assert found == {name.lower(): result for name, result in expected.items()}
