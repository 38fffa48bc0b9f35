"""Functions of ArviZ that a user reaches for take a run as it is, or with the groups added."""

from __future__ import annotations

import re

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from made_arviz import with_groups
from matplotlib.figure import Figure
from matplotlib.text import Text

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.checks import leave_one_out as predictive
from bayes_mdd.shared_specific.checks.refit_without import score_without

ON_A_RUN = ("summary", "rhat", "ess", "mcse", "hdi", "eti", "extract", "bfmi", "diagnose")
PLOTS = (
    *("trace_dist", "rank_dist", "forest", "ess", "autocorr"),
    *("convergence_dist", "prior_posterior", "psense_dist"),
)


@pytest.fixture(scope="module")
def stored(series_run) -> xr.DataTree:
    return bm.read_run(series_run.folder)


@pytest.fixture(scope="module")
def tree(stored) -> xr.DataTree:
    return bm.add_arviz_groups(
        stored, max_draws=40, predictive_draws=8, prior_draws=100, max_features=60
    )


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", ON_A_RUN)
def test_summaries_and_diagnostics_take_a_run_as_it_is(stored, name):
    assert getattr(az, name)(stored) is not None


def test_every_coordinate_of_a_sampled_group_is_a_dimension(stored, tree):
    """ArviZ concatenates variables, so a coordinate of some variables only is refused."""
    for result in (stored, tree):
        for group in ("posterior", "sample_stats", "invariants", "prior", "log_likelihood"):
            if group in result.children:
                data = result[group].to_dataset()
                assert set(data.coords) <= set(data.dims), group
    assert len(az.summary(stored, group="invariants"))


def test_a_run_has_no_group_that_arviz_takes_for_observations(stored):
    assert "log_likelihood" not in stored.children
    with pytest.raises(TypeError, match="log likelihood not found"):
        az.loo(stored)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_participants_are_the_observations(stored, tree):
    n = stored["posterior"].sizes["subject"]
    loo = az.loo(tree, pointwise=True)
    assert loo.n_data_points == n and loo.elpd_i.dims == ("subject",)
    assert len(az.compare({"a": tree, "b": tree})) == 2
    assert az.plot_khat(loo) is not None


def test_power_scaling_has_its_groups(tree):
    assert {"sharing", "factor_scale", "noise", "symptom_scale"} <= set(tree["log_prior"].data_vars)
    table = az.psense_summary(tree, var_names=["sharing", "symptom_weight"])
    assert np.isfinite(table[["prior", "likelihood"]].to_numpy(dtype=float)).all()


@pytest.mark.parametrize("name", PLOTS)
def test_plots(tree, name):
    assert getattr(az, f"plot_{name}")(tree, var_names=["sharing"]) is not None


@pytest.mark.parametrize(
    ("name", "options"), [("energy", {}), ("ppc_dist", {"num_samples": 8}), ("ppc_tstat", {})]
)
def test_plots_of_whole_groups(tree, name, options):
    assert getattr(az, f"plot_{name}")(tree, **options) is not None


def test_replicates_look_like_the_features(tree, stored):
    y = tree["observed_data"]["y"]
    replicated = tree["posterior_predictive"]["y"]
    assert y.sizes == {"subject": stored["posterior"].sizes["subject"], "feature": 60}
    assert y["feature"].values[0] == "w1"  # what was fitted: whitened edges
    white = stored["whitening"]["y"].to_pandas()
    np.testing.assert_allclose(y.to_pandas(), white[y["feature"].values], atol=1e-5)
    assert float(replicated.std()) == pytest.approx(float(y.std()), rel=0.1)
    agreement = np.corrcoef(replicated.mean(("chain", "draw")).values.ravel(), y.values.ravel())
    assert agreement[0, 1] > 0.1


def test_statistics_of_replicates_agree_with_the_table_of_checks(tree, stored):
    found = tree["predictive_statistics"].to_dataset()
    assert found["source"].values.tolist() == ["observed", "replicated"]
    assert found.sizes["chain"] * found.sizes["draw"] == 8
    # The SD of features is neither above nor below that of replicates by construction.
    ratio = found["feature_sd"].mean(("chain", "draw"))
    np.testing.assert_allclose(ratio[0], ratio[1], rtol=0.1)
    table = bm.predictive_checks(stored, draws=40).table.set_index("check")
    seen = found["residual_kurtosis"].mean(("chain", "draw"))
    kurtosis = table.loc["residual kurtosis"]
    assert float(seen[0]) == pytest.approx(kurtosis["observed"], abs=0.1)
    assert float(seen[1]) == pytest.approx(kurtosis["expected"], abs=0.1)


def test_groups_can_be_chosen_and_draws_do_not_depend_on_the_choice(tree, stored):
    options = {"max_draws": 40, "predictive_draws": 8, "prior_draws": 100, "max_features": 60}
    one = bm.add_arviz_groups(stored, groups=["prior", "posterior_predictive"], **options)
    assert not {"log_likelihood", "log_prior", "predictive_statistics"} & set(one.children)
    for name in ("prior", "posterior_predictive"):
        xr.testing.assert_identical(one[name].to_dataset(), tree[name].to_dataset())
    with pytest.raises(SpecError, match="priors unknown"):
        bm.add_arviz_groups(stored, groups=["priors"])


def test_reported_variables_are_those_of_the_fit_that_vary(stored):
    names = bm.reported_variables(stored)
    assert names == ["sharing", "explained", "reliability", "symptom_weight", "symptom_noise"]
    table = az.summary(stored, var_names=names, ci_prob=0.9)
    sizes = stored["posterior"].sizes
    n = 3 * sizes["arm"] * sizes["factor"] + sizes["symptom"] * (sizes["factor"] + 1)
    assert len(table) == n and {"eti90_lb", "eti90_ub"} <= set(table.columns)


@pytest.mark.slow
def test_figures_of_a_run_and_of_its_groups(stored, tree):
    """A fast fit has everything that the figures need, and they say that it is approximate."""
    figures = [
        bm.plotting.plot_convergence(stored),
        bm.plotting.plot_prior_posterior(tree),
        bm.plotting.plot_predictive(tree),
    ]
    assert plt.get_fignums() == []
    for figure in figures[::2]:
        assert "approximate" in " ".join(t.get_text() for t in figure.findobj(Text))
    assert len(figures[0].axes) == len(figures[2].axes) == 6
    with pytest.raises(DataContractError, match="because edges were whitened"):
        bm.plotting.plot_prior_posterior(tree, ["explained"])
    with pytest.raises(SpecError, match="scores cannot be shown"):
        bm.plotting.plot_prior_posterior(tree, ["scores"])
    with pytest.raises(SpecError, match="axes must be 6 Axes"):
        bm.plotting.plot_convergence(stored, axes=Figure().subplots(1, 2))


def test_a_fit_of_one_arm_shows_no_constant_shares():
    """Sharing is 1 in every draw: weights and variance explained are left."""
    figure = bm.plotting.plot_prior_posterior(with_groups(n_arms=1, symptoms=False))
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert [t for t in titles if t] == ["SSRI: explained"]
    with pytest.raises(DataContractError, match="'sharing' does not vary: the fit has one arm"):
        bm.plotting.plot_prior_posterior(with_groups(n_arms=1, symptoms=False), ["sharing"])


@pytest.mark.slow
def test_a_single_chain_has_no_ranks_and_no_rhat():
    figure = bm.plotting.plot_convergence(with_groups(chains=1))
    said = " ".join(t.get_text() for t in figure.findobj(Text))
    assert "this fit has one" in said and "R-hat needs two chains" in said


def test_priors_are_those_of_the_model(tree):
    share = tree["prior"]["sharing"]
    np.testing.assert_allclose(share.sum("arm"), 1.0)
    assert share["factor"].values.tolist() == tree["posterior"]["factor"].values.tolist()
    assert "explained" not in tree["prior"]


def test_groups_need_a_factor(stored):
    nothing = stored.copy()
    posterior = nothing["posterior"].to_dataset()
    posterior["block_scale"] = posterior["block_scale"] * 0
    nothing["posterior"] = xr.DataTree(posterior)
    with pytest.raises(DataContractError, match="no factor"):
        bm.add_arviz_groups(nothing)


def test_pinned_factors_are_no_part_of_a_result():
    data = bm.simulate_cohort(
        5, n_regions=12, n_subjects={"SSRI": 14, "SNRI": 14}, n_controls=0, source="edges"
    )
    spec = bm.SharedSpecificSpec(n_factors=6, feature_dependence="independent")
    idata = bm.fit(spec, data.features, method="fast", progressbar=False)
    n = idata["posterior"].sizes["factor"]
    assert n < 6 and idata["loadings"].sizes["factor"] == n
    assert bm.signatures(idata).sizes["factor"] <= n


def test_refits_score_participants_like_their_own_density(stored):
    """Two participants left out one at a time, against importance sampling from the fit."""
    result = read_result(stored)
    scored = score_without(result, [0, 30], folds=2, seed=2)
    other = score_without(result, [30], seed=5)
    assert np.isfinite(scored).all()
    # Two refits from different chains agree to within their simulation error.
    assert scored[1] == pytest.approx(other[0], abs=6.0)


def test_leave_one_out_answers_for_everyone(stored, monkeypatch):
    asked = {}

    def score(result, positions, **options):
        asked.update(options, positions=list(positions))
        return np.full(len(positions), -7.0)

    monkeypatch.setattr(predictive, "score_without", score)
    loo = bm.leave_one_out(stored, max_draws=150, folds=4, seed=3)
    refitted = loo.elpd_i["refitted"].values
    assert refitted.any() and np.flatnonzero(refitted).tolist() == asked["positions"]
    assert (asked["folds"], asked["seed"]) == (4, 3)
    assert (loo.elpd_i.values[refitted] == -7.0).all()
    assert loo.elpd == pytest.approx(float(loo.elpd_i.sum()))
    assert not loo.warning and (loo.pareto_k.values <= loo.good_k).all()
    with pytest.warns(UserWarning, match="Pareto k is above"):
        bm.leave_one_out(stored, max_draws=150, refit=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_code_of_the_guide_runs(series_run, repository, monkeypatch):
    text = (repository / "docs" / "arviz.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))
    monkeypatch.chdir(series_run.folder.parent)
    scope: dict[str, object] = {}
    exec(code.replace("runs/demo", str(series_run.folder)), scope)
    assert "loadings" in scope["idata"].children and "prior" in scope["tree"].children
