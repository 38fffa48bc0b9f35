"""Treatment response on simulated trials: slopes, gains, errors of tests and of intervals.

    python benchmarks/response.py slope gain null prior power --repeats 200

    slope    moderation per true SD and coverage of its 90% interval at reliability 0.5 and 0.8
    gain     gain of the learned rule for new patients, as a share of that of the best rule on the
             true scores; share of patients with a preference, and the wrong ones among them; trials
             in which the rule loses against the default
    null     share of trials without moderation in which the moderation test and the sequential test
             of the gain reject at 5%
    ranking  the same of the randomisation p of the gain, and of the naive z
    verdict  verdicts on trials with prognosis only, and with a crossover
    prior    coverage of a new patient's benefit, and probabilities said and true, when trials are
             drawn from the prior
    power    power of the moderation test beside the closed form
    sampled  moderation by MCMC where one arm is noisier and nothing moderates

Scores are given (see `simulate_trial`), not estimated from edges. Results are stored in
benchmarks/results/response.json. With ``--rows FILE``, each trial is stored as well, and a later
run continues; start a new file when the source has changed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import response_trials as trials
from compact import compact
from joblib import Parallel, delayed
from provenance import record

from bayes_mdd.response.power import Plan, oracle_gain, power_moderator

HERE = Path(__file__).resolve().parent
#: Kinds of trials without moderation.
KINDS: dict[str, dict[str, Any]] = {
    "N 60": {"n": 60},
    "N 200": {"n": 200},
    "N 200, drug effect 0.4": {"n": 200, "drug_effect": 0.4},
    "N 60, 3:7, noise 1.5": {"n": 60, "share_other": 0.3, "noise_ratio": 1.5},
    "N 200, 3:7, noise 1.5": {"n": 200, "share_other": 0.3, "noise_ratio": 1.5},
    "N 200, 7:3, noise 1.5": {"n": 200, "share_other": 0.7, "noise_ratio": 1.5},
    "N 200, prognosis R2 0.5": {"n": 200, "prognosis_r2": 0.5},
    "N 200, reliability 0.5": {"n": 200, "reliability": 0.5},
}
#: Patients, SD of the benefit, reliability, drug effect.
GAINS = [
    *((n, g, 1.0, d) for n in (60, 200) for d in (0.0, -0.2, 0.2) for g in (0.0, 0.2, 0.4)),
    *((1000, g, 1.0, 0.0) for g in (0.0, 0.2, 0.4, 0.6)),
    *((200, g, 0.8, 0.0) for g in (0.2, 0.4)),
    *((n, 0.6, 1.0, 0.0) for n in (60, 200)),
    *((n, g, 0.5, 0.0) for n in (60, 200, 1000) for g in (0.2, 0.4)),
]
#: Patients, SD of the benefit, reliability, candidates.
POWERS = [
    (60, 0.4, 1.0, 5),
    (200, 0.2, 1.0, 5),
    (200, 0.4, 1.0, 5),
    (200, 0.6, 1.0, 5),
    (600, 0.4, 1.0, 5),
    (60, 0.6, 1.0, 1),
    (200, 0.4, 0.7, 3),
    (200, 0.6, 0.5, 5),
]
#: Z value of a one-sided test at 5%.
LIMIT = 1.645
Row = dict[str, Any]


class Runner:
    """Runs a function of a seed for all seeds, and stores what it returns.

    Parameters
    ----------
    seeds : range
        Seeds.
    jobs : int
        Processes.
    path : Path, optional
        File of rows that are not computed again.
    """

    def __init__(self, seeds: range, jobs: int, path: Path | None) -> None:
        self.seeds, self.jobs, self.path = seeds, jobs, path
        self.known: dict[str, Row] = {}
        for line in path.read_text().splitlines() if path and path.exists() else ():
            key, row = json.loads(line)
            self.known[key] = row

    def __call__(self, function: Callable[..., Row], **cell: Any) -> list[Row]:
        keys = {s: json.dumps([function.__name__, cell, s], sort_keys=True) for s in self.seeds}
        missing = [s for s in self.seeds if keys[s] not in self.known]
        tasks = (delayed(function)(s, **cell) for s in missing)
        rows = Parallel(self.jobs, return_as="generator")(tasks)
        for seed, row in zip(missing, rows, strict=True):
            self.known[keys[seed]] = row
            if self.path:
                with self.path.open("a") as file:
                    file.write(json.dumps([keys[seed], row]) + "\n")
        return [self.known[keys[s]] for s in self.seeds]


def study_slope(run: Runner) -> list[Row]:
    rows = []
    for n, r in ((60, 0.5), (60, 0.8), (200, 0.5), (200, 0.8), (1000, 0.5)):
        found = run(trials.slope, n=n, reliability=r)
        rows.append({"n": n, "reliability": r, **_estimates(found)})
    return rows


def study_gain(run: Runner) -> list[Row]:
    rows = []
    for n, g, r, d in GAINS:
        found = run(trials.gain, n=n, g=g, reliability=r, delta=d)
        best = oracle_gain(g, d) + max(-d, 0)
        row: Row = {"n": n, "g": g, "reliability": r, "delta": d, "best": best}
        row["coverage"] = np.mean([f["coverage"] for f in found])
        for name in trials.RULES:
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


def study_null(run: Runner) -> list[Row]:
    rows = []
    for name, change in KINDS.items():
        found = run(trials.null, **change)
        rows.append(
            {
                "kind": name,
                "moderation": np.mean([f["moderation"] <= 0.05 for f in found]),
                "moderated": np.mean([f["verdict"] == "moderated" for f in found]),
                "sequential": np.mean([f["sequential"] > LIMIT for f in found]),
            }
        )
    return rows


def study_ranking(run: Runner) -> list[Row]:
    rows = []
    for name, change in KINDS.items():
        # A randomisation p is valid for any number of assignments: 39 allow p = 0.025 and 0.05.
        found = run(trials.ranking, permutations=39, **change)
        rows.append(
            {
                "kind": name,
                "randomisation": np.mean([f["randomisation"] <= 0.05 for f in found]),
                "naive": np.mean([f["naive"] > LIMIT for f in found]),
            }
        )
    return rows


def study_verdict(run: Runner) -> list[Row]:
    rows = []
    for n, g in ((60, 0.0), (200, 0.0), (600, 0.0), (600, 0.6)):
        said = [f["verdict"] for f in run(trials.verdict, n=n, g=g)]
        names = ("moderated", "not determinable", "smaller than the ROPE")
        rows.append({"n": n, "g": g, **{v: said.count(v) / len(said) for v in names}})
    return rows


def study_prior(run: Runner) -> list[Row]:
    rows = []
    for n, r in ((60, 1.0), (200, 1.0), (200, 0.8), (200, 0.6)):
        found = run(trials.prior, n=n, reliability=r)
        number = np.sum([f["number"] for f in found], axis=0)
        rows.append(
            {
                "n": n,
                "reliability": r,
                "coverage": np.mean([f["coverage"] for f in found]),
                "se": np.std([f["coverage"] for f in found]) / np.sqrt(len(found)),
                "said": (np.sum([f["said"] for f in found], axis=0) / number).tolist(),
                "true": (np.sum([f["true"] for f in found], axis=0) / number).tolist(),
                "number": number.tolist(),
            }
        )
    return rows


def study_power(run: Runner) -> list[Row]:
    rows = []
    for n, g, r, k in POWERS:
        found = run(trials.power, n=n, g=g, reliability=r, k=k)
        plan = Plan(benefit_sd=g, reliability=r, candidates=k)
        rows.append(
            {
                "n": n,
                "g": g,
                "reliability": r,
                "candidates": k,
                "simulation": np.mean([f["p"] <= 0.05 for f in found]),
                "closed_form": power_moderator(n, plan),
            }
        )
    return rows


def study_sampled(run: Runner) -> list[Row]:
    found = run(trials.sampled, n=1000)
    divergences = sum(f["divergences"] for f in found)
    return [{"n": 1000, **_estimates(found), "divergences": divergences}]


def _estimates(found: list[Row]) -> Row:
    estimate = np.array([f["estimate"] for f in found])
    return {
        "estimate": estimate.mean(),
        "se": estimate.std() / np.sqrt(estimate.size),
        "coverage": np.mean([f["inside"] for f in found]),
    }


STUDIES = ("slope", "gain", "null", "ranking", "verdict", "prior", "power", "sampled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("studies", nargs="+", choices=STUDIES)
    parser.add_argument("--repeats", type=int, default=200, help="trials of each cell")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--rows", type=Path, help="file of the single trials, to continue a run")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "response.json")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.repeats)
    run = Runner(seeds, options.jobs, options.rows)
    for name in options.studies:
        rows = globals()[f"study_{name}"](run)
        for row in rows:
            print(name, json.dumps(row, default=float), flush=True)
        stored = json.loads(options.output.read_text()) if options.output.exists() else {}
        stored[name] = {"repeats": options.repeats, "first_seed": options.first_seed, "rows": rows}
        options.output.write_text(compact(json.loads(json.dumps(stored, default=float))))
        record(options.output)


if __name__ == "__main__":
    main()
