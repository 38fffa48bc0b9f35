"""Missing outcomes on simulated trials: bias and coverage with drop-out, and the tipping delta.

    python benchmarks/missing_outcomes.py random --repeats 400
    python benchmarks/missing_outcomes.py tipping --repeats 100

    random   drop-out that depends on the previous visit (missing at random): average effect and
             moderation of patients with an outcome, of all visits, and of the same trials without
             drop-out
    tipping  patients of one arm who leave would have been 4 points worse than their visits say
             (not at random), so that the drugs do not differ: where the sensitivity analysis says
             that the average effect vanishes

Scores are given (see `simulate_trial`). Results are stored in
benchmarks/results/missing_outcomes.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from compact import compact
from joblib import Parallel, delayed
from provenance import record

import bayes_mdd as bm
from bayes_mdd.response.mixture import fit_mixture
from bayes_mdd.response.visit_mixture import fit_visits
from bayes_mdd.response.visits import prepare_visits

RESULTS = Path(__file__).resolve().parent / "results"
POINTS, WORSE, SHARE = 7.0, 4.0, 0.3
#: Wide priors: what is checked is how missing outcomes are carried, not how estimates are shrunk.
WIDE = {"drug_scale": 1.0, "moderation_scale": 20.0}
SPEC = bm.ResponseSpec(
    outcome="hamd17", default_arm="SSRI", assignment="randomised", baseline="hamd17_baseline"
)
DRAWS = 4000
#: Draws with a smaller slope are those of patterns without moderation.
SOME = 0.02


def drop_out(trial: Any, seed: int, share: float = SHARE, arm_slope: float = 0.0) -> Any:
    """Remove ratings of patients whose previous one was poor, by chance, half at each visit."""
    rng = np.random.default_rng([41, seed])
    wide = trial.visits.set_index(["participant_id", "session_id"])["value"].unstack()
    wide = wide.loc[list(trial.outcomes.index)]
    other = (trial.outcomes["arm"] != "SSRI").to_numpy()
    here = np.ones(len(wide), dtype=bool)
    gone = {}
    for last, session in (("ses-week2", "ses-week4"), ("ses-week4", "ses-week8")):
        value = wide[last].to_numpy()
        drive = (value - value[here].mean()) / value[here].std()
        drive = 1.5 * drive + arm_slope * other + rng.logistic(size=drive.size)
        drive[~here] = -np.inf
        leave = np.argsort(-drive)[: round(share / 2 * drive.size)]
        here[leave] = False
        gone[session] = leave
    early, late = gone["ses-week4"], gone["ses-week8"]
    ids = np.array(wide.index)
    visits = trial.visits.copy()
    left = visits["participant_id"].isin(ids[early]) & visits["session_id"].isin([*gone])
    left |= visits["participant_id"].isin(ids[late]) & (visits["session_id"] == "ses-week8")
    visits.loc[left, "value"] = np.nan
    outcomes = trial.outcomes.copy()
    outcomes.loc[ids[~here], "hamd17"] = np.nan
    outcomes.loc[ids[~here], "missing_reason"] = "lack_of_efficacy"
    return replace(trial, visits=visits, outcomes=outcomes)


def estimate(spec: bm.ResponseSpec, trial: Any, visits: Any, truth: tuple[float, float]) -> Any:
    """Mean of average effect and moderation in SD, and whether 90% intervals hold the truth."""
    data = prepare_visits(spec, trial.scores, trial.outcomes, visits)
    scales = data.prepared.scales
    if data.gone.any():
        mixture = fit_visits(data, scales).integrate(scales)
    else:
        mixture = fit_mixture(data.prepared.trial, scales)
    drawn = mixture.draw(np.random.default_rng(8), DRAWS)
    slope = drawn.moderation[:, 0] / POINTS
    slope = slope[np.abs(slope) > SOME]
    found = {}
    for name, draws, true in (
        ("drug", drawn.drug / POINTS, truth[0]),
        ("moderation", slope, truth[1]),
    ):
        low, high = np.quantile(draws, [0.05, 0.95])
        found[name] = (float(draws.mean()), float(low <= true <= high))
    return found


def random_one(seed: int, n: int, cell: dict[str, float]) -> Any:
    sizes = {"benefit_sd": 0.4, "drug_effect": cell["drug_effect"], "n_factors": 1}
    trial = bm.simulate_trial(seed=seed, n=n, reliability=cell["reliability"], **sizes)
    spec = bm.ResponseSpec(**(SPEC.to_mapping() | WIDE | {"covariates": ()}))
    partial = drop_out(trial, seed, arm_slope=cell["arm_slope"])
    truth = (cell["drug_effect"], 0.4)
    return {
        "all visits": estimate(spec, partial, partial.visits, truth),
        "patients with an outcome": estimate(spec, partial, None, truth),
        "without drop-out": estimate(spec, trial, None, truth),
    }


def tipping_one(seed: int, n: int) -> Any:
    """Tipping delta where the truth is 4: of the population, and of the complete data."""
    trial = bm.simulate_trial(seed=seed, n=n, benefit_sd=0.4)
    partial = drop_out(trial, seed)
    gone = partial.outcomes["hamd17"].isna()
    other = trial.outcomes["arm"] != "SSRI"
    worse = trial.outcomes["hamd17"] + WORSE * (gone & other)
    share = float(gone[other].mean())
    # Complete outcomes, and the change of the other arm that makes the drugs equal in them.
    complete = replace(trial, outcomes=trial.outcomes.assign(hamd17=worse))
    spec = bm.ResponseSpec(**(SPEC.to_mapping() | WIDE | {"covariates": ()}))
    data = prepare_visits(spec, complete.scores, complete.outcomes, None)
    fitted = fit_mixture(data.prepared.trial, data.prepared.scales)
    effect = float((fitted.weight @ fitted.mean)[-data.prepared.trial.n_factors - 1])
    found = {}
    for name, change in (("population", -WORSE * share), ("complete data", -effect)):
        table = bm.missing_sensitivity(SPEC, *shifted(partial, other, change), seed=seed)
        tipping = bm.tipping_points(table)
        row = tipping[(tipping["result"] == "average effect") & (tipping["arms"] == "other")]
        at_start = float(table["average_benefit"].iloc[0])
        found[name] = (float(row["tipping"].iloc[0]), at_start > 0)
    return found


def shifted(trial: Any, other: Any, change: float) -> tuple[Any, Any, Any]:
    """Scores, outcomes and visits with ratings of the other arm moved by a number of points."""
    outcomes = trial.outcomes.copy()
    outcomes["hamd17"] += change * other
    visits = trial.visits.copy()
    late = visits["participant_id"].isin(other.index[other]) & (visits["week"] > 0)
    visits["value"] += change * late
    return trial.scores, outcomes, visits


def study_random(run: Any) -> list[dict[str, Any]]:
    rows = []
    cells = [(200, 0.0, 0.0, 0.8), (200, -0.4, 1.0, 0.8), (200, -0.4, 1.0, 0.5)]
    cells += [(60, -0.4, 1.0, 0.8), (600, -0.4, 1.0, 0.8)]
    for n, effect, slope, reliability in cells:
        cell = {"drug_effect": effect, "arm_slope": slope, "reliability": reliability}
        found = run(random_one, n, cell)
        for method in found[0]:
            row: dict[str, Any] = {"n": n, "method": method, **cell}
            for name, true in (("drug", effect), ("moderation", 0.4)):
                values = np.array([f[method][name][0] for f in found])
                row[name] = {
                    "bias": values.mean() - true,
                    "se": values.std() / np.sqrt(values.size),
                    "coverage": np.mean([f[method][name][1] for f in found]),
                }
            rows.append(row)
    return rows


def study_tipping(run: Any) -> list[dict[str, Any]]:
    rows = []
    for n in (200, 600):
        found = run(tipping_one, n)
        for name in ("population", "complete data"):
            # Where the other drug is not better at first, it takes outcomes that are better.
            value = np.array([f[name][0] if f[name][1] else -np.inf for f in found])
            value[np.isnan(value)] = np.inf
            rows.append(
                {
                    "n": n,
                    "truth": name,
                    "median": worded(np.quantile(value, 0.5, method="nearest")),
                    "lower": worded(np.quantile(value, 0.25, method="nearest")),
                    "upper": worded(np.quantile(value, 0.75, method="nearest")),
                    "within_1": np.mean(np.abs(value - WORSE) <= 1),
                    "none": np.mean(~np.isfinite(value)),
                }
            )
    return rows


def worded(value: float) -> float | str:
    """A tipping delta, or why there is none."""
    if np.isfinite(value):
        return float(value)
    return "none" if value > 0 else "below 0"


STUDIES = ("random", "tipping")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("studies", nargs="+", choices=STUDIES)
    parser.add_argument("--repeats", type=int, default=200, help="trials of each cell")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS / "missing_outcomes.json")
    options = parser.parse_args()

    def run(function: Any, *args: Any) -> list[Any]:
        seeds = range(options.first_seed, options.first_seed + options.repeats)
        return list(Parallel(options.jobs)(delayed(function)(s, *args) for s in seeds))

    stored = json.loads(options.output.read_text()) if options.output.exists() else {}
    for name in options.studies:
        rows = globals()[f"study_{name}"](run)
        stored[name] = {"repeats": options.repeats, "first_seed": options.first_seed, "rows": rows}
        for row in rows:
            print(name, json.dumps(row, default=float))
        options.output.write_text(compact(json.loads(json.dumps(stored, default=float))))
        record(options.output)


if __name__ == "__main__":
    main()
