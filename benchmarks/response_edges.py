"""Treatment response from edges: the factors are estimated, too, and applied to new patients.

    python benchmarks/response_edges.py edges --trials 40
    python benchmarks/response_edges.py null --trials 20
    python benchmarks/response_edges.py series --trials 10 --dependence auto independent

edges   trials of `simulate_trial`, 20 regions, three factors of reliability 0.8, independent errors
null    the same without any benefit or prognosis
series  connectivity of time series (see series_cohorts.py; 50 regions, three traits), whose errors
        are correlated: nothing like the model

200 patients teach; 150 new ones are projected and treated by the rule. Each row holds the gain of
the best rule on the true scores, of the rule from estimated factors, of the rule from the true
moments of the scores (`given`, not for series), and of baselines on the edges themselves: ridge
regression with interactions, a random forest for each drug, and interactions with principal
components. `slopes` are those of true scores on posterior means, for true factors that a factor
matches (|r| > 0.7): of the fitted and of the new patients.

Rows are added to benchmarks/results/response_edges.json; those of a seed that is there are kept.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from compact import compact
from provenance import record
from scipy.optimize import linear_sum_assignment
from series_cohorts import draw, features
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV

import bayes_mdd as bm
from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.mixture import fit_mixture
from bayes_mdd.response.prepare import Prepared, prepare

RESULT = Path(__file__).resolve().parent / "results" / "response_edges.json"
SPEC = bm.ResponseSpec(
    outcome="hamd17",
    default_arm="SSRI",
    assignment="randomised",
    baseline="hamd17_baseline",
)
POINTS, SIZE = 7.0, 0.4
N, NEW = 200, 150
DRAWS, MAX_DRAWS = 800, 100
RELIABILITY = 0.8
STATED = DecisionRule(minimum=1.5, p_star=0.8)
#: From which correlation a factor matches a true one.
MATCH = 0.7


def draw_trial(seed: int, g: float) -> tuple[Any, xr.Dataset]:
    """A trial, and features of its patients and of new ones; the first N teach."""
    sizes = {
        "n": N + NEW,
        "benefit_sd": g,
        "prognosis_r2": 0.2 if g else 0.0,
        "reliability": RELIABILITY,
        "n_factors": 3,
        "features": True,
        "n_regions": 20,
        "model_seed": seed,
    }
    trial = bm.simulate_trial(seed=seed, **sizes)
    return trial, trial.features


def draw_series(seed: int, g: float) -> tuple[Any, xr.Dataset]:
    """A trial whose scans are time series with three traits; their scores carry the outcome."""
    half = (N + NEW) // 2
    cohort = draw(
        "smooth-shared", seed, people=(half, half), n_regions=50, shared=(0.08,) * 3, bursts=1.0
    )
    rng = np.random.default_rng([41, seed])
    order = rng.permutation(N + NEW)
    # Arms and outcomes of a trial in the usual way, on the scores of the scans.
    trial = bm.simulate_trial(seed=seed, n=N + NEW, benefit_sd=g, n_factors=3, model_seed=seed)
    eta = cohort.scores / cohort.scores.std(axis=0)
    change = (eta - trial.truth["eta"].values) @ np.column_stack(
        [trial.truth["prognosis"].values, trial.truth["moderation"].values]
    )
    other = (trial.outcomes["arm"] == "SNRI").to_numpy()
    trial.outcomes["hamd17"] += change[:, 0] + np.where(other, 0.5, -0.5) * change[:, 1]
    trial.truth["benefit"] = trial.truth["benefit"] - change[:, 1]
    trial.truth["eta"] = (("subject", "factor"), eta)
    found = features(cohort, halves=False, pieces=0)
    names = trial.outcomes.index.to_numpy(dtype=object)
    return trial, found.assign_coords(subject=names[: found.sizes["subject"]]).isel(
        subject=np.sort(order)
    )


def one(kind: str, seed: int, dependence: str) -> dict[str, Any]:
    """One trial: everything from edges."""
    g = 0.0 if kind == "null" else SIZE
    trial, given = (draw_series if kind == "series" else draw_trial)(seed, g)
    given = bm.hide_arms(given)
    known, new = given.isel(subject=slice(0, N)), given.isel(subject=slice(N, None))
    training = bm.reference_to_controls(known, group="patients")
    new = bm.reference_to_training(new, known, group="patients")
    factors = bm.SharedSpecificSpec(feature_dependence=dependence)
    sampler = bm.SamplerSpec(seed=seed, cores=1)
    idata = bm.fit(factors, training, method="fast", sampler=sampler, progressbar=False)
    of_known = bm.score_moments(idata)
    teach = trial.outcomes.iloc[:N]
    truth = trial.truth["benefit"].values / POINTS
    row: dict[str, Any] = {"seed": seed, "factors": int(of_known.sizes["factor"])}
    row |= {"best": gain(truth[N:] > 0, truth[N:])}
    of_new = of_known
    if row["factors"]:
        of_new = bm.score_moments(
            bm.project(idata, new, training=training, max_draws=MAX_DRAWS, seed=seed)
        )
        row |= apply_rule(of_known, of_new, teach, truth[N:], seed)
    else:
        row |= {"gain": 0.0, "stated_gain": 0.0, "stated": 0.0, "wrong": 0, "coverage": None}
    if kind != "series":
        scores = trial.scores
        parts = (scores.isel(subject=slice(0, N)), scores.isel(subject=slice(N, None)))
        row["given"] = apply_rule(*parts, teach, truth[N:], seed)["gain"]
    row["baselines"] = {
        name: gain(method(training, new, teach, seed) > 0, truth[N:])
        for name, method in BASELINES.items()
    }
    eta = trial.truth["eta"].values
    row["slopes"] = {
        "fit": slopes(eta[:N], of_known),
        "projected": slopes(eta[N:], of_new) if row["factors"] else [],
    }
    return row


def gain(chosen: np.ndarray, benefit: np.ndarray) -> float:
    """Gain over the default, in residual SD."""
    return float((chosen * benefit).mean())


def apply_rule(
    known: xr.Dataset, new: xr.Dataset, outcomes: Any, truth: np.ndarray, seed: int
) -> dict[str, Any]:
    """Learn the rule from known patients, and apply it to new ones."""
    prepared: Prepared = prepare(SPEC, known, outcomes)
    drawn = fit_mixture(prepared.trial, prepared.scales).draw(
        np.random.default_rng([42, seed]), DRAWS
    )
    own = new.sel(factor=list(prepared.factors), factor_2=list(prepared.factors))
    moments = prepared.standardise(own["mean"].values, own["covariance"].values)
    benefit = draw_benefit(
        drawn.drug, drawn.moderation, *moments, np.random.default_rng([43, seed])
    )
    mean, p = benefit.mean(axis=0), (benefit > 0).mean(axis=0)
    choice = STATED.decide(mean, p)
    low, high = np.quantile(benefit / POINTS, [0.05, 0.95], axis=0)
    return {
        "gain": gain(mean > 0, truth),
        "stated_gain": gain(choice == 1, truth),
        "stated": float((choice != 0).mean()),
        "wrong": int((choice * truth < 0).sum()),
        "coverage": float(((low <= truth) & (truth <= high)).mean()),
    }


def slopes(eta: np.ndarray, moments: xr.Dataset) -> list[float]:
    """Slopes of true scores on posterior means in the unit of the fit, of factors that match."""
    mean = moments["mean"].values
    if not mean.shape[1]:
        return []
    within = np.diagonal(moments["covariance"].values, axis1=1, axis2=2).mean(axis=0)
    mean = (mean - mean.mean(axis=0)) / np.sqrt(mean.var(axis=0, ddof=1) + within)
    k = eta.shape[1]
    r = np.corrcoef(eta.T, mean.T)[:k, k:]
    found = []
    for t, f in zip(*linear_sum_assignment(-np.abs(r)), strict=True):
        if abs(r[t, f]) > MATCH:
            x, y = mean[:, f], eta[:, t] - eta[:, t].mean()
            found.append(float(abs(x @ y) / (x @ x)))
    return found


def _edges(data: xr.Dataset) -> np.ndarray:
    return np.asarray(data["y"].values, dtype=float)


def _residual(outcomes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes without their regression on the baseline, and arm codes."""
    y, x = outcomes["hamd17"].to_numpy(), outcomes["hamd17_baseline"].to_numpy()
    y = y - np.polyval(np.polyfit(x, y, 1), x)
    return y, np.where(outcomes["arm"] == "SNRI", 0.5, -0.5)


def ridge(known: xr.Dataset, new: xr.Dataset, outcomes: Any, seed: int) -> np.ndarray:
    y, code = _residual(outcomes)
    return _interactions(_edges(known), _edges(new), y, code)


def components(known: xr.Dataset, new: xr.Dataset, outcomes: Any, seed: int) -> np.ndarray:
    y, code = _residual(outcomes)
    axes = PCA(5, random_state=seed).fit(_edges(known))
    return _interactions(axes.transform(_edges(known)), axes.transform(_edges(new)), y, code)


def _interactions(x: np.ndarray, new: np.ndarray, y: np.ndarray, code: np.ndarray) -> np.ndarray:
    unit = np.sqrt((x.var(axis=0)).mean())
    model = RidgeCV(np.logspace(-1, 5, 13)).fit(
        np.column_stack([x / unit, code[:, None] * x / unit, code]), y
    )
    slope = model.coef_[x.shape[1] :]
    return -(new / unit @ slope[:-1] + slope[-1])


def forest(known: xr.Dataset, new: xr.Dataset, outcomes: Any, seed: int) -> np.ndarray:
    y, code = _residual(outcomes)
    x = _edges(known)
    default, other = (
        RandomForestRegressor(150, min_samples_leaf=5, max_features=0.3, random_state=seed)
        .fit(x[code == c], y[code == c])
        .predict(_edges(new))
        for c in (-0.5, 0.5)
    )
    return np.asarray(default - other)


BASELINES: dict[str, Callable[..., np.ndarray]] = {
    "ridge with interactions": ridge,
    "forest for each drug": forest,
    "interactions with principal components": components,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=("edges", "null", "series"))
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--dependence", nargs="+", default=["auto"])
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    logging.getLogger("bayes_mdd").setLevel(logging.ERROR)
    for seed in range(options.first_seed, options.first_seed + options.trials):
        for dependence in options.dependence:
            # Read again each time, so that several commands can fill one file in turn.
            stored = json.loads(options.output.read_text()) if options.output.exists() else {}
            rows = stored.setdefault(f"{options.kind} {dependence}", [])
            if any(row["seed"] == seed for row in rows):
                continue
            row = one(options.kind, seed, dependence)
            print(dependence, json.dumps(row), flush=True)
            stored = json.loads(options.output.read_text()) if options.output.exists() else {}
            rows = stored.setdefault(f"{options.kind} {dependence}", [])
            rows.append(row)
            rows.sort(key=lambda r: int(r["seed"]))
            options.output.write_text(compact(stored))
            record(options.output)


if __name__ == "__main__":
    main()
