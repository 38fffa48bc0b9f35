"""One small study of each kind whose tasks may run anywhere, as plain arrays to be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr
from made_baselines import make_trial

import bayes_mdd as bm

#: Few draws: tasks are to be the same, not right.
SHORT = bm.SamplerSpec(draws=20, tune=20, chains=2, cores=1)


@cache
def cohort() -> xr.Dataset:
    """Features so large that linear algebra would take several threads."""
    made = bm.simulate_cohort(
        seed=3,
        source="edges",
        n_regions=24,
        n_subjects={"SSRI": 26, "SNRI": 26},
        n_controls=20,
        loading_scale=2.0,
    )
    return bm.reference_to_controls(made.features)


@cache
def fitted() -> xr.DataTree:
    """A fast fit of these features."""
    spec = bm.SharedSpecificSpec(n_factors=2, feature_dependence="independent")
    return bm.fit(spec, cohort(), method="fast", progressbar=False)


def permutations(n_jobs: int | None) -> dict[str, object]:
    """Refits with permuted arms."""
    return {"table": bm.permute_arms(fitted(), permutations=3, sampler=SHORT, n_jobs=n_jobs)}


def folds(n_jobs: int | None) -> dict[str, object]:
    """Fits without each fold."""
    spec = bm.SharedSpecificSpec(n_factors=1, feature_dependence="independent")
    found = bm.compare_models({"one": spec}, cohort(), folds=3, sampler=SHORT, n_jobs=n_jobs)
    return dict(found.pointwise.data_vars)


def stage_one(n_jobs: int | None) -> dict[str, object]:
    """Factors fitted again without each fold."""
    features = cohort()
    arm = features["arm"].values
    names = features["subject"].values[np.isin(arm, ["SSRI", "SNRI"])].tolist()
    stage = bm.StageOne(
        features=features, factors=bm.SharedSpecificSpec(n_factors=1), n_jobs=n_jobs, tell=str
    )
    found = stage([(names[k::2], names[1 - k :: 2]) for k in (0, 1)])
    return {
        f"{part} {k}": scores["mean"]
        for k, fold in enumerate(found)
        for part, scores in {"train": fold.train, "test": fold.test}.items()
    }


def power(n_jobs: int | None) -> dict[str, object]:
    """Simulated trials."""
    table = bm.plan_power("policy", candidates=2, simulate=True, repeats=20, n_jobs=n_jobs)
    return {"power": table["power"]}


def baselines(n_jobs: int | None) -> dict[str, object]:
    """Methods of machine learning and their permutation tests."""
    found = bm.compare_baselines(
        *make_trial(clinical=1.0),
        methods=["majority", "ridge", "random forest"],
        views=("both",),
        folds=3,
        repeats=2,
        permutations=19,
        n_jobs=n_jobs,
    )
    return {"table": found.table.select_dtypes("number"), "folds": found.folds}


def features(n_jobs: int | None) -> dict[str, object]:
    """Connectivity of time series."""
    rng = np.random.default_rng(1)
    names = [f"r{i}" for i in range(40)]
    regions = pd.DataFrame({"region": names, "network": ["A", "B"] * 20})
    series = {f"s{i}": rng.normal(size=(200, 40)) for i in range(6)}
    found = bm.connectivity_from_timeseries(series, regions, n_jobs=n_jobs)
    return {"y": found["y"]}


def polar_lda(n_jobs: int | None) -> dict[str, object]:
    """Restarts and resamples of polar LDA; the corpus is split into several parts."""
    rng = np.random.default_rng(2)
    counts = rng.poisson(2.0, size=(60, 4000)) * rng.choice([-1, 1], size=(60, 4000))
    model = bm.polar_lda.fit_counts(
        counts, n_factors=2, n_restarts=2, max_iterations=4, n_jobs=n_jobs
    )
    return dict(model.data_vars)


STUDIES: Mapping[str, Callable[[int | None], dict[str, object]]] = {
    study.__name__: study
    for study in (permutations, folds, stage_one, power, baselines, features, polar_lda)
}


def numbers(found: Mapping[str, object]) -> dict[str, np.ndarray]:
    """The numbers of a result, bit by bit."""
    return {
        name: np.asarray(
            value.select_dtypes("number") if isinstance(value, pd.DataFrame) else value
        )
        for name, value in found.items()
    }


def predictive(_: int | None = None) -> dict[str, object]:
    """Predictive checks of the fit."""
    found = bm.predictive_checks(fitted(), draws=20)
    return {"table": found.table, "blocks": found.blocks, "factors": found.factors}


def sensitivity(_: int | None = None) -> dict[str, object]:
    """Results under stronger and weaker priors."""
    return {"table": bm.prior_sensitivity(fitted(), max_draws=100)}


def projection(_: int | None = None) -> dict[str, object]:
    """Scores of the fitted participants, as if they were new."""
    found = bm.project(fitted(), cohort(), include_fitted=True, max_draws=50)
    return {str(name): value for name, value in found.data_vars.items() if value.dtype.kind == "f"}


def response(_: int | None = None) -> dict[str, object]:
    """A fast fit of treatment response."""
    trial = bm.simulate_trial(seed=1, n=120)
    spec = bm.response_spec(trial.outcomes)
    found = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast", progressbar=False)
    return {str(name): value for name, value in found["posterior"].data_vars.items()}


#: Analyses that run in one process.
ANALYSES = {a.__name__: a for a in (predictive, sensitivity, projection, response)}
