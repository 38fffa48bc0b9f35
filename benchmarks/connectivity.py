"""Shared and specific factors of connectivity: starts and fits on cohorts of time series.

    python benchmarks/connectivity.py starts --kinds null edge-weak --cohorts 10
    python benchmarks/connectivity.py starts --kinds null --dependence independent weighted matrix

`starts` runs the search for components only. Printed are means over cohorts:
    started      components started, of 8 offered
    noise        of these, components with R2 below .36 on the true scores
    dims         true scores with R2 above .5 in the span of the components
    right wrong  components named specific (share of an arm >= .85) that match a true specific
                 factor of that arm (|r| > .6), and those that do not
    left         effective over actual number of features when the components are removed
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from series_cohorts import ARMS, SeriesCohort, draw, features
from series_plan import KINDS
from series_stages import STAGES, draw_stages

import bayes_mdd as bm
from bayes_mdd.shared_specific.data.model_data import prepare
from bayes_mdd.shared_specific.start.spectral import remaining_weight, spectral_start

N_FACTORS = 8
DEPENDENCE = ("independent", "weighted", "matrix")
#: R2 on the true scores below which a component is noise, and R2 of a true score that is found.
NOISE, FOUND = 0.36, 0.5
#: Share of an arm from which a component is named specific, and |r| with the factor it matches.
NAMED, MATCH = 0.85, 0.6
COLUMNS = ("started", "noise", "dims", "right", "wrong", "left", "seconds")


def make_cohort(kind: str, seed: int) -> SeriesCohort:
    """Draw a cohort of a kind, of series or of real scans."""
    return draw_stages(kind, seed) if kind in STAGES else draw(kind, seed)


def start_one(kind: str, seed: int, dependence: tuple[str, ...]) -> list[dict[str, Any]]:
    """Search a cohort for components, under each assumption on the errors of features."""
    cohort = make_cohort(kind, seed)
    given = bm.reference_to_controls(features(cohort, halves=False, pieces=0))
    rows = []
    for name in dependence:
        began = time.perf_counter()
        spec = bm.SharedSpecificSpec(n_factors=N_FACTORS, feature_dependence=name)
        data = prepare(spec, given)
        start = spectral_start(data, N_FACTORS, seed=seed)
        seconds = time.perf_counter() - began
        on = start.n_on
        named = np.array([list(data.arms).index(a) for a in ARMS])
        rows.append(
            {
                "kind": kind,
                "seed": seed,
                "dependence": name,
                "started": on,
                **compare_scores(start.scores[:, :on], start.sharing[:on][:, named], cohort),
                "left": remaining_weight(data, start),
                "seconds": seconds,
            }
        )
    return rows


def compare_scores(found: np.ndarray, sharing: np.ndarray, cohort: SeriesCohort) -> dict[str, Any]:
    """Compare components with the true scores; all are noise where there are no traits."""
    truth = cohort.scores
    r2 = explained_variance(truth, found)
    right, wrong = count_named(found, sharing, cohort)
    return {
        "noise": int((explained_variance(found, truth) < NOISE).sum()),
        "dims": int((r2 > FOUND).sum()),
        "right": right,
        "wrong": wrong,
        "r2": r2.tolist(),
    }


def explained_variance(of: np.ndarray, by: np.ndarray) -> np.ndarray:
    """R2 of each column of one array in the span of the columns of another."""
    of, by = of - of.mean(axis=0), by - by.mean(axis=0)
    left = of - by @ np.linalg.lstsq(by, of, rcond=None)[0] if by.size else of
    return 1 - (left**2).sum(axis=0) / (of**2).sum(axis=0)


def count_named(found: np.ndarray, sharing: np.ndarray, cohort: SeriesCohort) -> tuple[int, int]:
    """Count components that are named specific, rightly and wrongly."""
    k, taken = cohort.scores.shape[1], set()
    r = np.abs(np.corrcoef(cohort.scores.T, found.T)[:k, k:]) if k and found.size else None
    right = wrong = 0
    for f in np.flatnonzero(sharing.max(axis=1, initial=0.0) >= NAMED):
        true = np.flatnonzero(cohort.sharing[:, sharing[f].argmax()] > NAMED)
        matched = [t for t in true if r is not None and r[t, f] > MATCH and t not in taken]
        taken.update(matched[:1])
        right, wrong = right + bool(matched), wrong + (not matched)
    return right, wrong


def print_starts(rows: list[dict[str, Any]]) -> None:
    """Print means over cohorts by kind and dependence."""
    print(f"| kind | dependence | cohorts | true | {' | '.join(COLUMNS)} | any start |")
    print("|---" * (5 + len(COLUMNS)) + "|")
    for kind, name in dict.fromkeys((r["kind"], r["dependence"]) for r in rows):
        of = [r for r in rows if (r["kind"], r["dependence"]) == (kind, name)]
        means = " | ".join(f"{np.mean([r[c] for r in of]):.2f}" for c in COLUMNS)
        any_start = np.mean([r["started"] > 0 for r in of])
        print(f"| {kind} | {name} | {len(of)} | {len(of[0]['r2'])} | {means} | {any_start:.2f} |")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    starts = commands.add_parser("starts", help="search for components only")
    for command in (starts,):
        command.add_argument(
            "--kinds", nargs="+", choices=[*KINDS, *STAGES], default=list(KINDS), metavar="KIND"
        )
        command.add_argument("--cohorts", type=int, default=10, help="cohorts of each kind")
        command.add_argument("--first-seed", type=int, default=1, help="seed of the first cohort")
        command.add_argument("--jobs", type=int, default=1, help="cohorts in parallel")
    starts.add_argument("--dependence", nargs="+", choices=DEPENDENCE, default=["matrix"])
    return parser.parse_args()


def main() -> None:
    options = arguments()
    seeds = range(options.first_seed, options.first_seed + options.cohorts)
    tasks = (
        delayed(start_one)(kind, seed, tuple(options.dependence))
        for kind in options.kinds
        for seed in seeds
    )
    rows = []
    for done in Parallel(n_jobs=options.jobs, return_as="generator")(tasks):
        rows += done
        for row in done:
            r2 = " ".join(f"{x:.2f}" for x in row["r2"])
            print(
                f"{row['kind']} {row['seed']} {row['dependence']}: started {row['started']}, "
                f"noise {row['noise']}, R2 {r2}",
                file=sys.stderr,
            )
    print_starts(rows)


if __name__ == "__main__":
    main()
