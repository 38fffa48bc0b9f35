"""Treatment response on simulated trials: slopes, gains, errors of tests and of intervals.

    python benchmarks/response.py slope gain null prior power --repeats 200

    slope  moderation per true SD and coverage of its 90% interval at reliability 0.5 and 0.8
    gain   gain of the learned rule for new patients, as a share of that of the best rule on the
           true scores; share of patients with a preference, and the wrong ones among them
    null   share of trials without moderation in which the tests reject at 5%
    prior  coverage of a new patient's benefit, and probabilities said and true, when trials are
           drawn from the prior
    power  power of the moderation test beside the closed form

Scores are given (see `simulate_trial`), not estimated from edges. Results are stored in
benchmarks/results/response.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from compact import compact
from joblib import Parallel, delayed
from provenance import record

import bayes_mdd as bm
from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.mixture import Mixture, fit_mixture
from bayes_mdd.response.power import Plan, oracle_gain, power_moderator
from bayes_mdd.response.prepare import Prepared, prepare

RESULTS = Path(__file__).resolve().parent / "results"
SPEC = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
POINTS = 7.0
#: Draws of the posterior, and new patients of each trial.
DRAWS, NEW = 800, 300
RULES = {
    "no abstention": DecisionRule(minimum=0.0, p_star=0.5),
    "P > 0.8": DecisionRule(minimum=0.0, p_star=0.8),
    "P > 0.8, 1.5 points": DecisionRule(minimum=1.5, p_star=0.8),
}


def learn(trial: Any) -> tuple[Prepared, Mixture]:
    prepared = prepare(SPEC, trial.scores, trial.outcomes)
    return prepared, fit_mixture(prepared.trial, prepared.scales)


def for_new(prepared: Prepared, mixture: Mixture, new: Any, seed: int) -> np.ndarray:
    """Draws (draw, patient) of the benefit of new patients."""
    rng = np.random.default_rng([5, seed])
    drawn = mixture.draw(rng, DRAWS)
    moments = prepared.standardise(new.scores["mean"].values, new.scores["covariance"].values)
    return draw_benefit(drawn.drug, drawn.moderation, *moments, rng)


def slope_one(seed: int, n: int, reliability: float) -> dict[str, float]:
    trial = bm.simulate_trial(seed=seed, n=n, benefit_sd=0.4, reliability=reliability, n_factors=1)
    # A wide prior: what is checked is how score error is carried.
    spec = bm.ResponseSpec(**(SPEC.to_mapping() | {"moderation_scale": 20.0, "covariates": ()}))
    prepared = prepare(spec, trial.scores, trial.outcomes)
    mixture = fit_mixture(prepared.trial, prepared.scales)
    drawn = mixture.draw(np.random.default_rng([6, seed]), 2000)
    # Given that it moderates: a probability of no moderation would shrink the slope.
    theta = drawn.moderation[np.abs(drawn.moderation[:, 0]) > 0.02, 0] / POINTS
    low, high = np.quantile(theta, [0.05, 0.95])
    return {"estimate": float(theta.mean()), "inside": float(low <= 0.4 <= high)}


def gain_one(seed: int, n: int, g: float, reliability: float, delta: float) -> dict[str, Any]:
    sizes = {"benefit_sd": g, "reliability": reliability, "drug_effect": delta}
    trial = bm.simulate_trial(seed=seed, n=n, **sizes)
    new = bm.simulate_trial(seed=seed + 10**6, n=NEW, prefix="new", **sizes)
    benefit = for_new(*learn(trial), new, seed)
    truth = new.truth["benefit"].values
    low, high = np.quantile(benefit, [0.05, 0.95], axis=0)
    row: dict[str, Any] = {"coverage": float(((low <= truth) & (truth <= high)).mean())}
    mean, p = benefit.mean(axis=0), (benefit > 0).mean(axis=0)
    for name, rule in RULES.items():
        choice = np.where(mean > 0, 1, -1) if name == "no abstention" else rule.decide(mean, p)
        row[name] = {
            "gain": float(((choice == 1) * truth).mean() / POINTS),
            "decided": float((choice != 0).mean()),
            "wrong": int((choice * truth < 0).sum()),
            "stated": int((choice != 0).sum()),
        }
    return row


def null_one(seed: int, change: dict[str, Any], permutations: int) -> dict[str, float]:
    trial = bm.simulate_trial(seed=seed, benefit_sd=0.0, model_seed=seed, **change)
    found = bm.assess_moderation(SPEC, trial.scores, trial.outcomes, seed=seed, n_permutations=199)
    value = bm.evaluate_policy(
        SPEC,
        trial.scores,
        trial.outcomes,
        repeats=1,
        n_permutations=permutations,
        abstain=False,
        seed=seed,
    )
    return {
        "moderation": found.p_value,
        "moderated": float(found.verdict == "moderated"),
        "randomisation": value.p_randomisation,
        "sequential": value.p_sequential,
        "naive": float(value.table.loc["declared default", "z"]),
    }


def prior_one(seed: int, n: int, reliability: float) -> dict[str, Any]:
    rng = np.random.default_rng([7, seed])
    theta, delta = draw_prior(rng)
    given = {"moderation": theta, "reliability": reliability, "drug_effect": delta}
    trial = bm.simulate_trial(seed=seed, n=n, model_seed=seed, **given)
    new = bm.simulate_trial(seed=seed + 10**6, n=NEW, model_seed=seed, prefix="new", **given)
    benefit = for_new(*learn(trial), new, seed)
    truth = new.truth["benefit"].values
    low, high = np.quantile(benefit, [0.05, 0.95], axis=0)
    p = (benefit > 0).mean(axis=0)
    bins = np.minimum((p * 5).astype(int), 4)
    return {
        "coverage": float(((low <= truth) & (truth <= high)).mean()),
        "said": [float(p[bins == b].sum()) for b in range(5)],
        "true": [float((truth[bins == b] > 0).sum()) for b in range(5)],
        "number": [int((bins == b).sum()) for b in range(5)],
    }


def draw_prior(rng: np.random.Generator, k: int = 5) -> tuple[dict[int, float], float]:
    """Slopes and drug effect from the prior of the fast method."""
    from bayes_mdd.response.mixture import _components

    pattern, size, log_prior = _components(k, 0.25)
    at = rng.choice(len(size), p=np.exp(log_prior) / np.exp(log_prior).sum())
    theta = rng.standard_normal(k) * size[at] * pattern[at]
    return dict(enumerate(theta.tolist())), float(0.15 * rng.standard_normal())


def power_one(seed: int, n: int, g: float) -> float:
    trial = bm.simulate_trial(seed=seed, n=n, benefit_sd=g, reliability=0.999)
    found = bm.assess_moderation(SPEC, trial.scores, trial.outcomes, seed=seed, n_permutations=199)
    return float(found.p_value <= 0.05)


def study_slope(run: Any) -> list[dict[str, Any]]:
    rows = []
    for n, r in ((60, 0.5), (60, 0.8), (200, 0.5), (200, 0.8), (1000, 0.5)):
        found = run(slope_one, n, r)
        estimate = np.array([f["estimate"] for f in found])
        rows.append(
            {
                "n": n,
                "reliability": r,
                "estimate": estimate.mean(),
                "se": estimate.std() / np.sqrt(estimate.size),
                "coverage": np.mean([f["inside"] for f in found]),
            }
        )
    return rows


def study_gain(run: Any) -> list[dict[str, Any]]:
    rows = []
    cells = [
        (n, g, r, 0.0) for r in (1.0, 0.5) for n in (60, 200, 1000) for g in (0.0, 0.2, 0.4, 0.6)
    ]
    cells += [(n, g, 1.0, d) for d in (-0.2, 0.2) for n in (60, 200) for g in (0.0, 0.2, 0.4)]
    for n, g, r, d in cells:
        found = run(gain_one, n, g, min(r, 0.999), d)
        best = oracle_gain(g, d) + max(-d, 0)
        row: dict[str, Any] = {"n": n, "g": g, "reliability": r, "delta": d, "best": best}
        row["coverage"] = np.mean([f["coverage"] for f in found])
        for name in RULES:
            gain = np.array([f[name]["gain"] for f in found])
            stated = sum(f[name]["stated"] for f in found)
            row[name] = {
                "gain": gain.mean(),
                "se": gain.std() / np.sqrt(gain.size),
                "decided": np.mean([f[name]["decided"] for f in found]),
                "wrong": sum(f[name]["wrong"] for f in found) / max(stated, 1),
                "loses": np.mean(gain < -0.01),
            }
        rows.append(row)
    return rows


def study_null(run: Any, permutations: int) -> list[dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {
        "N 60": {"n": 60},
        "N 200": {"n": 200},
        "N 200, drug effect 0.3": {"n": 200, "drug_effect": 0.3},
        "N 200, 3:7, noise 1.5": {"n": 200, "share_other": 0.3, "noise_ratio": 1.5},
        "N 200, prognosis R2 0.5": {"n": 200, "prognosis_r2": 0.5},
        "N 200, reliability 0.5": {"n": 200, "reliability": 0.5},
    }
    rows = []
    for name, change in kinds.items():
        found = run(null_one, change, permutations)
        rows.append(
            {
                "kind": name,
                "trials": len(found),
                "moderation": np.mean([f["moderation"] <= 0.05 for f in found]),
                "moderated": np.mean([f["moderated"] for f in found]),
                "randomisation": np.mean([f["randomisation"] <= 0.05 for f in found]),
                "sequential": np.mean([f["sequential"] <= 0.05 for f in found]),
                "naive": np.mean([f["naive"] > 1.645 for f in found]),
            }
        )
    return rows


def study_prior(run: Any) -> list[dict[str, Any]]:
    rows = []
    for n, r in ((60, 0.999), (200, 0.999), (200, 0.6)):
        found = run(prior_one, n, r)
        number = np.sum([f["number"] for f in found], axis=0)
        rows.append(
            {
                "n": n,
                "reliability": r,
                "coverage": np.mean([f["coverage"] for f in found]),
                "se": np.std([f["coverage"] for f in found]) / np.sqrt(len(found)),
                "said": (np.sum([f["said"] for f in found], axis=0) / number).tolist(),
                "true": (np.sum([f["true"] for f in found], axis=0) / number).tolist(),
            }
        )
    return rows


def study_power(run: Any) -> list[dict[str, Any]]:
    return [
        {
            "n": n,
            "g": g,
            "simulation": np.mean(run(power_one, n, g)),
            "closed_form": power_moderator(n, Plan(benefit_sd=g)),
        }
        for n, g in ((60, 0.4), (200, 0.2), (200, 0.4), (200, 0.6), (600, 0.4))
    ]


STUDIES = ("slope", "gain", "null", "prior", "power")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("studies", nargs="+", choices=STUDIES)
    parser.add_argument("--repeats", type=int, default=200, help="trials of each cell")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--permutations", type=int, default=0, help="for the gain; 0 leaves it out")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS / "response.json")
    options = parser.parse_args()

    def run(function: Any, *args: Any) -> list[Any]:
        seeds = range(options.first_seed, options.first_seed + options.repeats)
        return list(Parallel(options.jobs)(delayed(function)(s, *args) for s in seeds))

    stored = json.loads(options.output.read_text()) if options.output.exists() else {}
    for name in options.studies:
        args = (run, options.permutations) if name == "null" else (run,)
        rows = globals()[f"study_{name}"](*args)
        stored[name] = {"repeats": options.repeats, "first_seed": options.first_seed, "rows": rows}
        for row in rows:
            print(name, json.dumps(row, default=float))
        options.output.write_text(compact(json.loads(json.dumps(stored, default=float))))
        record(options.output)


if __name__ == "__main__":
    main()
