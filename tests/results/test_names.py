"""A factor has one name, wherever it is shown; a factor without a claim has none."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from fakes import make_fake_idata, with_reliability
from matplotlib.figure import Figure

import bayes_mdd as bm
from bayes_mdd import plotting
from bayes_mdd.results.names import break_name, read_names
from bayes_mdd.workflow.families import family_of


@pytest.fixture(scope="module")
def idata():
    """F1 has a label, F2 is undecided, F3 not nameable, F4 unused."""
    known = with_reliability(make_fake_idata(), halves=[0.98, 0.5, 0.1, np.nan])
    return known


@pytest.fixture(scope="module")
def names(idata) -> list[str]:
    return read_names(bm.classify_factors(idata).query("label != 'unused'"))


def words(figure: Figure) -> set[str]:
    """Texts of a figure, each on one line."""
    figure.draw_without_rendering()
    return {" ".join(t.get_text().split()) for t in figure.findobj(plt.Text)}


def test_a_factor_is_named_by_label_and_largest_blocks(names) -> None:
    assert names == ["F1 shared: DMN-CCN, DMN-DMN", "F2 unnamed (undecided)",
                     "F3 unnamed (not nameable)"]  # fmt: skip
    assert break_name("F1 SSRI-more: DMN-CCN (+), VIS (-)") == "F1 SSRI-more:\nDMN-CCN (+), VIS (-)"
    assert break_name("F3 unnamed (no claim)") == "F3 unnamed\n(no claim)"


def test_tables_and_maps_have_the_names(idata, names) -> None:
    table = bm.classify_factors(idata)
    plain = [n.split(" (")[0] for n in names]
    assert table["name"].tolist() == [*plain, "F4 unnamed"]
    assert bm.signatures(idata)["name"].values.tolist() == plain
    shown = family_of("shared_specific").overview(table)["factor"]
    assert [" ".join(n.split()) for n in shown] == names


def test_findings_of_the_literature_stand_beside_the_names(idata) -> None:
    sig = bm.signatures(idata)
    table = bm.evidence_concordance(sig, n_permutations=19).table
    names = dict(zip(sig["factor"].values, sig["name"].values, strict=True))
    assert table["name"].tolist() == [names[f] for f in table["factor"]]


def test_figures_have_the_names(idata, names) -> None:
    table, sig = bm.classify_factors(idata), bm.signatures(idata)
    for figure in (
        plotting.plot_sharing(idata, factors=table),
        plotting.plot_explained(idata, factors=table),
        plotting.plot_symptom_links(idata, factors=table),
        plotting.plot_block_map(idata, labels=table),
        plotting.plot_block_map(sig),
    ):
        assert set(names) <= words(figure)
    assert names[1] in words(plotting.plot_connectome(sig, "F2"))


def test_names_go_to_the_analysis_of_outcomes() -> None:
    trial = bm.simulate_trial(seed=1, n=60, n_factors=2)
    run = make_fake_idata(arms=("all",), per_arm=40)
    table = bm.classify_factors(run)
    assert table["name"].tolist()[:3] == [
        "F1: DMN-CCN, DMN-DMN", "F2: CCN-CCN, DMN-CCN", "F3: DMN-Reward, Reward-Reward"
    ]  # fmt: skip
    assert json.loads(bm.score_moments(run, factors=table).attrs["factor_names"])["F1"] == (
        "F1: DMN-CCN, DMN-DMN"
    )
    first = table.assign(factor=["F1", "F2", "F3", "F4"])
    moments = bm.score_moments(trial.scores, factors=first)
    spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    fitted = bm.fit_response(spec, moments, trial.outcomes, method="fast")
    assert "F1: DMN-CCN, DMN-DMN" in words(plotting.plot_response_factors(fitted))
    crossover = words(plotting.plot_crossover(fitted, factor="F1"))
    assert any(w.startswith("F1: DMN-CCN, DMN-DMN. Marks") for w in crossover)
    unnamed = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    assert "F1" in words(plotting.plot_response_factors(unnamed))
