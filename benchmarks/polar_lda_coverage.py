"""Coverage of compositions by the intervals of full-Bayes polar LDA.

    python benchmarks/polar_lda_coverage.py [--cohorts 20] [--generator model ...] [--json FILE]

There are three generators, none of which shares code with the model:

model   block patterns, compositions and Dirichlet-multinomial tokens, with hyperparameters drawn
        where there is something to find
edges   Gaussian deviations of edges, with patterns that differ between the edges of a block
words   tokens of an LDA: each token draws a factor and an edge; there is one polarity for each
        subject and edge

All cohorts have the same shape, so that one graph is compiled and used for all of them.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import arviz as az
import numpy as np
import nutpie
import pymc as pm
from provenance import record
from pymc.initial_point import make_initial_point_fn
from scipy.optimize import linear_sum_assignment
from scipy.stats import beta, norm
from threadpoolctl import threadpool_limits

from bayes_mdd.polar_lda import fit_counts, make_counts
from bayes_mdd.polar_lda.bayes.composition import (
    build_composition,
    composition_start,
    refine_compositions,
)
from bayes_mdd.polar_lda.bayes.data import CompositionData, sum_blocks

N_PEOPLE, N_NETWORKS, PER_NETWORK = 40, 5, 5
LEVELS = (0.9, 0.95)
GENERATORS = ("model", "edges", "words")


def one_sided(x: np.ndarray) -> np.ndarray:
    """Return the mean of the positive part of N(x, 1)."""
    return x * norm.cdf(x) + norm.pdf(x)


def block_names() -> np.ndarray:
    """Name the block of each edge."""
    network = np.repeat(np.arange(N_NETWORKS), PER_NETWORK)
    a, b = np.triu_indices(len(network), 1)
    return np.array([f"{i}-{j}" for i, j in zip(network[a], network[b], strict=True)])


def simulate(
    generator: str, seed: int, n_factors: int
) -> tuple[np.ndarray | None, CompositionData, np.ndarray]:
    """Draw signed counts of edges (None for "model"), tokens of blocks and compositions."""
    rng = np.random.default_rng([seed, n_factors])
    blocks = block_names()
    names, first, at = np.unique(blocks, return_index=True, return_inverse=True)
    at = np.argsort(np.argsort(first))[at]
    size = np.bincount(at).astype(float)
    arm = np.array(["A", "B"])[np.arange(N_PEOPLE) % 2]
    subjects = np.arange(N_PEOPLE).astype(str)
    logit = rng.normal(0, 0.3, n_factors) + rng.normal(0, 0.3, (2, n_factors))
    share = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    concentration = n_factors * rng.lognormal(0.0, 0.3)
    theta = np.stack([rng.dirichlet(concentration * share[i % 2]) for i in range(N_PEOPLE)])
    pattern = rng.normal(0.0, rng.lognormal(np.log(0.6), 0.2), (n_factors, len(size)))
    if generator == "model":
        x = theta @ pattern
        weight = np.hstack([size * one_sided(-x), size * one_sided(x)])
        worth = len(blocks) * rng.lognormal(0.0, 0.5)
        alpha = worth * weight / weight.sum(axis=1, keepdims=True)
        total = rng.poisson(8 * len(blocks), N_PEOPLE)
        tokens = np.stack(
            [rng.multinomial(n, rng.dirichlet(a)) for n, a in zip(total, alpha, strict=True)]
        )
        ordered = tuple(map(str, names[np.argsort(first)]))
        people = tuple(map(str, subjects))
        data = CompositionData(
            tokens.astype(np.int64), np.arange(N_PEOPLE) % 2, ("A", "B"), ordered, people, size
        )
        return None, data, theta
    edges = pattern[:, at] + 0.3 * rng.normal(size=(n_factors, len(blocks)))
    if generator == "edges":
        counts = make_counts(theta @ edges + rng.normal(size=(N_PEOPLE, len(blocks))))
    else:
        word = np.stack([one_sided(-edges), one_sided(edges)])
        word /= word.sum(axis=(0, 2), keepdims=True)
        hypo, hyper = theta @ word[0], theta @ word[1]
        n = np.stack([rng.multinomial(8 * len(blocks), p) for p in hypo + hyper])
        up = rng.uniform(size=n.shape) < hyper / (hypo + hyper)
        counts = np.where(up, n, -n).astype(np.int32)
    return counts, sum_blocks(counts, blocks, arm, subjects), theta


def block_counts(data: CompositionData) -> np.ndarray:
    """Return net tokens of blocks, for a first guess where there are no edges."""
    n = len(data.blocks)
    return (data.tokens[:, n:] - data.tokens[:, :n]).astype(np.int32)


def flat_start(model: pm.Model, start: dict[str, object]) -> np.ndarray:
    """Return the initial values as one vector, as the sampler takes them."""
    point = make_initial_point_fn(model=model, overrides=start, return_transformed=True)(0)
    return np.concatenate([np.ravel(point[v.name]) for v in model.value_vars])


class Fitter:
    """One compiled graph for all cohorts of the same shape."""

    def __init__(self, n_factors: int, draws: int, chains: int) -> None:
        self.n_factors, self.draws, self.chains = n_factors, draws, chains
        self._compiled = None

    def __call__(self, data: CompositionData, guess: np.ndarray, seed: int) -> dict[str, object]:
        start = composition_start(data, guess, guess)
        model = build_composition(data, self.n_factors, guess)
        begin = flat_start(model, start)
        if self._compiled is None:
            self._compiled = nutpie.compile_pymc_model(
                model, jitter_rvs=set(), initial_points=start
            )
            # nutpie does not document the order of the vector, so it is checked once.
            np.testing.assert_allclose(self._compiled.initial_point_func(0), begin)
        seen = {n: model[n].get_value() for n in ("token_counts", "projection", "ridge")}
        compiled = replace(
            self._compiled.with_data(**seen), initial_point_func=lambda _: begin.copy()
        )
        drawn = nutpie.sample(
            compiled,
            draws=self.draws,
            tune=self.draws,
            chains=self.chains,
            cores=1,
            seed=seed,
            target_accept=0.9,
            progress_bar=False,
        )
        judged = drawn["posterior"].to_dataset()[["composition", "arm_expression"]]
        ess, rhat = az.ess(judged), az.rhat(judged)
        return {
            "theta": judged["composition"].values.reshape(-1, *judged["composition"].shape[2:]),
            "token_worth": round(float(drawn["posterior"]["token_worth"].mean())),
            "min_ess": round(min(float(ess[v].min()) for v in ess.data_vars)),
            "max_rhat": round(max(float(rhat[v].max()) for v in rhat.data_vars), 4),
            "divergences": int(drawn["sample_stats"]["diverging"].sum()),
        }


def run_cohort(fitter: Fitter, generator: str, seed: int) -> dict[str, object]:
    """Fit one cohort and compare its intervals with the truth."""
    began = time.perf_counter()
    counts, data, truth = simulate(generator, seed, fitter.n_factors)
    variational = fit_counts(
        block_counts(data) if counts is None else counts,
        fitter.n_factors,
        5,
        absent_edges="keep",
        n_jobs=1,
    )
    gamma = variational["gamma"].values
    found = fitter(data, refine_compositions(data, variational["composition"].values), seed)
    theta = found.pop("theta")
    order = match_factors(truth.T, theta.mean(axis=0).T)
    theta = theta[:, :, order]
    row: dict[str, object] = {"generator": generator, "seed": seed, **found}
    for level in LEVELS:
        low, high = np.quantile(theta, [(1 - level) / 2, (1 + level) / 2], axis=0)
        row[f"covered_{level:.2f}"] = round(float(((low <= truth) & (truth <= high)).mean()), 4)
        row[f"width_{level:.2f}"] = round(float((high - low).mean()), 4)
    row["error"] = round(float(np.abs(theta.mean(axis=0) - truth).mean()), 4)
    row["spread_ratio"] = round(
        float(theta.mean(axis=0).std(axis=0).mean() / truth.std(axis=0).mean()), 3
    )
    if counts is not None:
        row["nominal_0.95"] = round(nominal_coverage(gamma, truth), 4)
    row["seconds"] = round(time.perf_counter() - began, 1)
    return row


def match_factors(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Match a fitted factor with each true one by correlation over subjects."""
    k = len(truth)
    return linear_sum_assignment(np.corrcoef(truth, found)[:k, k:], maximize=True)[1]


def nominal_coverage(gamma: np.ndarray, truth: np.ndarray) -> float:
    """Return the coverage of the 95% intervals of the variational Dirichlet."""
    mean = gamma / gamma.sum(axis=1, keepdims=True)
    order = match_factors(truth.T, mean.T)
    low, high = (
        beta.ppf(q, gamma, gamma.sum(axis=1, keepdims=True) - gamma) for q in (0.025, 0.975)
    )
    low, high = low[:, order], high[:, order]
    return float(((low <= truth) & (truth <= high)).mean())


def summarise(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Summarise each generator; standard errors are between cohorts."""
    table = []
    for generator in dict.fromkeys(r["generator"] for r in rows):
        own = [r for r in rows if r["generator"] == generator]
        said: dict[str, object] = {"generator": generator, "cohorts": len(own)}
        for name in ("covered_0.90", "covered_0.95", "nominal_0.95"):
            values = np.array([r[name] for r in own if name in r], dtype=float)
            if values.size:
                said[name] = round(float(values.mean()), 3)
                said[f"{name}_se"] = round(float(values.std(ddof=1) / np.sqrt(values.size)), 3)
        for name in ("error", "width_0.95", "spread_ratio", "token_worth", "min_ess", "seconds"):
            said[f"median_{name}"] = float(np.median([r[name] for r in own]))
        said["worst_rhat"] = max(r["max_rhat"] for r in own)
        said["divergences"] = sum(r["divergences"] for r in own)
        table.append(said)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cohorts", type=int, default=20, help="number for each generator")
    parser.add_argument(
        "--generator",
        nargs="+",
        default=list(GENERATORS),
        choices=GENERATORS,
        help="generators to use",
    )
    parser.add_argument("--factors", type=int, default=2, help="number of factors")
    parser.add_argument("--draws", type=int, default=400, help="warm-up and kept draws")
    parser.add_argument("--chains", type=int, default=2, help="number of chains")
    parser.add_argument("--json", type=Path, help="also write rows and versions to a file")
    asked = parser.parse_args()
    fitter = Fitter(asked.factors, asked.draws, asked.chains)
    rows: list[dict[str, object]] = []
    with threadpool_limits(1):
        for generator in asked.generator:
            for seed in range(1, asked.cohorts + 1):
                rows.append(run_cohort(fitter, generator, seed))
                print(json.dumps(rows[-1]), flush=True)
                if asked.json:
                    write(asked.json, asked, rows)
    for said in summarise(rows) if asked.cohorts > 1 else []:
        print(json.dumps(said, indent=2))


def write(path: Path, asked: argparse.Namespace, rows: list[dict[str, object]]) -> None:
    """Store the rows so far, with settings, versions and a summary."""
    complete = [r for r in rows if sum(o["generator"] == r["generator"] for o in rows) > 1]
    said = {
        "what": "coverage of compositions, full-Bayes polar LDA",
        "setting": {
            "people": N_PEOPLE,
            "edges": len(block_names()),
            "blocks": len(set(block_names())),
            "factors": asked.factors,
            "draws": asked.draws,
            "chains": asked.chains,
        },
        "versions": {n: version(n) for n in ("bayes-mdd", "pymc", "pytensor", "nutpie", "numpy")},
        "summary": summarise(complete),
        "rows": rows,
    }
    path.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    record(path)


if __name__ == "__main__":
    main()
