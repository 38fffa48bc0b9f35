"""Do 90 % intervals of symptom weights cover the truth? Many small fits, one compilation.

Each cohort has 25 + 25 people, 300 features in 10 blocks, 2 factors whose sharing is drawn from its
prior, 2 Gaussian dimensions and 2 items of 4 levels, one covariate and a few missing ratings. The
graph of the package is compiled once; data and starting point are swapped between fits.

    python benchmarks/symptom_coverage.py --fits 120 --weights spread

``--weights spread``: a third of the weights is 0, the others are N(0, 0.4^2) residual SD.
``--weights prior``: weights as the model expects them.
Residual SD: 1 for a dimension, pi / sqrt(3) log-odds for an item. Standard errors treat fits, not
weights, as independent.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytensor
import xarray as xr
from scipy.optimize import linear_sum_assignment

import bayes_mdd as bm
from bayes_mdd.alignment import align_factors
from bayes_mdd.model import ModelData, build_shared_specific, climb, prepare, spectral_start
from bayes_mdd.model.symptoms import LOGISTIC_SD, OVERALL

PER_ARM, N_FEATURES, N_BLOCKS, N_FACTORS, N_LEVELS = 25, 300, 10, 2, 4
N = 2 * PER_ARM
NAMES = ("dim1", "dim2", "item1", "item2")
UNIT = np.array([1.0, 1.0, LOGISTIC_SD, LOGISTIC_SD])
SPEC = bm.SharedSpecificSpec(
    n_factors=N_FACTORS,
    covariates=("age",),
    symptoms=NAMES[:2],
    ordinal_symptoms=NAMES[2:],
    spare_factors="sampled",
)
#: The same people lack a rating in every cohort, so that shapes stay.
UNRATED = {"dim1": [0, 30], "item1": [1, 31]}
AGE = np.random.default_rng(0).normal(size=N)
RESULTS = Path(__file__).parent / "results"


def draw_weights(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Weights of each factor in each symptom, in residual SD."""
    shape = (N_FACTORS, len(NAMES))
    if kind == "spread":
        return np.where(rng.random(shape) < 1 / 3, 0.0, rng.normal(0.0, 0.4, shape))
    scale = np.abs(rng.standard_cauchy(shape) * OVERALL * rng.standard_cauchy())
    return rng.normal(size=shape) * scale / np.sqrt(1 + scale**2)


def simulate(seed: int, kind: str) -> tuple[xr.Dataset, pd.DataFrame, np.ndarray, np.ndarray]:
    """Features, ratings, true scores and true weights (in units of the scale)."""
    rng = np.random.default_rng(seed)
    arm, block = np.repeat([0, 1], PER_ARM), np.repeat(np.arange(N_BLOCKS), N_FEATURES // N_BLOCKS)
    sharing = rng.dirichlet([SPEC.sharing_concentration] * 2, size=N_FACTORS)
    scores = rng.normal(size=(N, N_FACTORS)) * np.sqrt(2 * sharing.T)[arm]
    scale = np.zeros((N_BLOCKS, N_FACTORS))
    for k in range(N_FACTORS):
        scale[rng.choice(N_BLOCKS, 4, replace=False), k] = rng.uniform(0.3, 0.6, 4)
    loadings = scale[block].T * rng.normal(size=(N_FACTORS, N_FEATURES))
    y = scores @ loadings + np.outer(AGE, rng.normal(0, 0.2, N_FEATURES))
    y = y + rng.normal(size=y.shape)
    weights = draw_weights(rng, kind) * UNIT
    signal = scores @ weights + np.outer(AGE, rng.normal(0, 0.3, len(NAMES)) * UNIT)
    ratings = pd.DataFrame(index=[f"s{i}" for i in range(N)])
    for d, name in enumerate(NAMES):
        while True:
            if name in SPEC.symptoms:
                values = signal[:, d] + rng.normal(size=N)
                break
            values = np.digitize(signal[:, d] + rng.logistic(size=N), [-1.5, 0.0, 1.5]) * 1.0
            values[UNRATED.get(name, [])] = np.nan
            if np.unique(values[np.isfinite(values)]).size == N_LEVELS:
                break
        values[UNRATED.get(name, [])] = np.nan
        ratings[name] = values
    features = xr.Dataset(
        {"y": (("subject", "feature"), y)},
        coords={
            "subject": ratings.index.to_numpy(dtype=str),
            "feature": [f"e{i}" for i in range(N_FEATURES)],
            "arm": ("subject", np.array(["A", "B"])[arm]),
            "block": ("feature", np.char.add("b", block.astype(str))),
            "age": ("subject", AGE),
        },
    )
    return features, ratings, scores, weights


class Fitter:
    """The package's graph, compiled once; data and start are shared variables."""

    def __init__(self, data: ModelData) -> None:
        stats = data.stats
        self.traces = pytensor.shared(stats.traces, name="swap_traces")
        shared = SimpleNamespace(
            basis=stats.basis,
            rotation=stats.rotation,
            blocks=stats.blocks,
            block_size=stats.block_size,
            cross_products=stats.cross_products,
            traces=self.traces,
        )
        model = build_shared_specific(SPEC, replace(data, stats=shared))  # type: ignore[arg-type]
        for rv in model.observed_RVs:
            value = pytensor.shared(observed(data)[rv.name], name=f"swap_{rv.name}")
            del model.values_to_rvs[model.rvs_to_values[rv]]
            model.rvs_to_values[rv] = value
            model.values_to_rvs[value] = rv
        shape = (N, N_FACTORS)
        self.scores = pytensor.shared(np.zeros(shape), name="start_scores")
        self.strength = pytensor.shared(np.zeros((N_BLOCKS, N_FACTORS)), name="start_strength")
        initial: dict[Any, Any] = {
            "raw_scores": pm.Normal.dist(self.scores, 0.1, shape=shape),
            "log_strength": pm.Normal.dist(self.strength, 0.1, shape=(N_BLOCKS, N_FACTORS)),
            "log_radius": pm.Normal.dist(0.0, 0.05, shape=N_FACTORS),
            "factor_scale": np.full(N_FACTORS, 0.1),
            "symptom_raw": pm.Normal.dist(0.0, 0.1, shape=(N_FACTORS, len(NAMES))),
        }
        self.compiled = nutpie.compile_pymc_model(
            model,
            initial_points=initial,
            jitter_rvs=set(),
            var_names=["scores", "block_scale", "symptom_weight", "symptom_global"],
        )

    def draw(self, data: ModelData, seed: int, draws: int) -> xr.Dataset:
        """Sample two chains."""
        start = climb(data, spectral_start(data, N_FACTORS, seed=seed)).start
        self.scores.set_value(start.scores)
        self.strength.set_value(np.log(start.block_scale))
        swapped = {f"swap_{name}": value for name, value in observed(data).items()}
        compiled = self.compiled.with_data(swap_traces=data.stats.traces, **swapped)
        tree = nutpie.sample(
            compiled,
            draws=draws,
            tune=draws,
            chains=2,
            cores=1,
            seed=seed,
            target_accept=0.85,
            progress_bar=False,
            save_warmup=False,
        )
        found = tree["posterior"].to_dataset()
        found.attrs["divergences"] = int(tree["sample_stats"]["diverging"].sum())
        return found


def observed(data: ModelData) -> dict[str, np.ndarray]:
    """What the graph observes, by the names of its variables."""
    return {
        "features": data.stats.cross_products,
        **{f"rating_{s.name}": s.value for s in data.symptoms},
        "item_ratings": np.concatenate([i.level for i in data.items]).astype(np.int64),
    }


def judge(
    posterior: xr.Dataset, data: ModelData, scores: np.ndarray, weights: np.ndarray, fit: int
) -> list[dict[str, Any]]:
    """Turn draws to the truth's order and sign and compare weights, one row a weight."""
    dims = ("chain", "draw")
    raw = posterior["scores"].transpose(*dims, "subject", "factor").values
    found = align_factors(raw, posterior["block_scale"].transpose(*dims, "block", "factor").values)
    mean = found.apply(raw, signed=True).mean(axis=(0, 1))
    drawn = posterior["symptom_weight"].transpose(*dims, "symptom", "factor").values
    drawn = found.apply(drawn, signed=True).reshape(-1, len(NAMES), N_FACTORS)
    r = np.corrcoef(mean.T, scores.T)[:N_FACTORS, N_FACTORS:]
    at, to = linear_sum_assignment(np.abs(r), maximize=True)
    rows = []
    for mine, true in zip(at, to, strict=True):
        for d, name in enumerate(NAMES):
            sd = data.symptoms[d].sd if d < len(data.symptoms) else 1.0
            x = drawn[:, d, mine] * sd * np.sign(r[mine, true])
            low, high = np.quantile(x, [0.05, 0.95])
            truth = weights[true, d]
            rows.append(
                {
                    "fit": fit,
                    "kind": "gaussian" if name in SPEC.symptoms else "ordinal",
                    "truth": truth / UNIT[d],
                    "mean": x.mean() / UNIT[d],
                    "lower": low / UNIT[d],
                    "upper": high / UNIT[d],
                    "covered": bool(low <= truth <= high),
                    "rank": float((x < truth).mean()),
                    "score_correlation": abs(r[mine, true]),
                    "divergences": posterior.attrs["divergences"],
                }
            )
    return rows


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Coverage by kind and size of the true weight."""
    size = np.select(
        [table["truth"] == 0, table["truth"].abs() < 0.1, table["truth"].abs() < 0.4],
        ["0", "below 0.1", "0.1 to 0.4"],
        "0.4 and above",
    )
    table = table.assign(size=size, width=table["upper"] - table["lower"])
    rows = []
    for kind in ("gaussian", "ordinal"):
        for name in ("all", "0", "below 0.1", "0.1 to 0.4", "0.4 and above"):
            part = table[(table["kind"] == kind) & ((table["size"] == name) | (name == "all"))]
            if part.empty:
                continue
            share = part["covered"].mean()
            # Residuals summed within fits: weights of one fit share its scores.
            within = (part["covered"] - share).groupby(part["fit"]).sum()
            rows.append(
                {
                    "symptom": kind,
                    "true weight (residual SD)": name,
                    "weights": len(part),
                    "covered": share,
                    "standard error": float(np.sqrt((within**2).sum()) / len(part)),
                    "mean width": part["width"].mean(),
                    "bias towards 0": _pull(part),
                    "wrong sign claimed": float(
                        (
                            ((part["lower"] > 0) & (part["truth"] < 0))
                            | ((part["upper"] < 0) & (part["truth"] > 0))
                        ).mean()
                    ),
                    "0 excluded": float(((part["lower"] > 0) | (part["upper"] < 0)).mean()),
                }
            )
    return pd.DataFrame(rows)


def _pull(part: pd.DataFrame) -> float:
    return float((np.sign(part["truth"]) * (part["truth"] - part["mean"])).mean())


def as_markdown(table: pd.DataFrame) -> str:
    """One row a line; no further dependency."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * table.shape[1]]
    for row in table.itertuples(index=False):
        cells = (f"{x:.3f}" if isinstance(x, float) else str(x) for x in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fits", type=int, default=120)
    parser.add_argument("--weights", choices=("spread", "prior"), default="spread")
    parser.add_argument("--draws", type=int, default=400, help="kept, after as many of warm-up")
    parser.add_argument("--minutes", type=float, default=20.0, help="stop after so much CPU time")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fitter, rows = None, []
    began = time.process_time()
    for fit in range(options.fits):
        seed = 10_000 * options.seed + fit
        features, ratings, scores, weights = simulate(seed, options.weights)
        data = prepare(SPEC, features, ratings)
        if fitter is None:
            fitter = Fitter(data)
            print(f"compiled: {time.process_time() - began:.0f} s of CPU time", flush=True)
        rows += judge(fitter.draw(data, seed, options.draws), data, scores, weights, fit)
        if (fit + 1) % 20 == 0 or fit + 1 == options.fits:
            spent = time.process_time() - began
            report(pd.DataFrame(rows), options, spent)
            if spent > 60 * options.minutes:
                break


def report(table: pd.DataFrame, options: argparse.Namespace, spent: float) -> None:
    """Print what is known so far and keep it, so that a run that is stopped is not lost."""
    summary = summarise(table)
    by_fit = table.groupby("fit")["divergences"].first()
    print(
        f"\n{as_markdown(summary)}\n\n{by_fit.size} fits, 2 x {options.draws} draws, "
        f"{spent:.0f} s of CPU time; {int((by_fit > 0).sum())} fits with divergences "
        f"({int(by_fit.sum())} in all); median score correlation "
        f"{table['score_correlation'].median():.3f}",
        flush=True,
    )
    RESULTS.mkdir(exist_ok=True)
    content = {
        "settings": {**vars(options), "overall": OVERALL},
        "cpu_seconds": round(spent),
        "divergences": int(by_fit.sum()),
        "fits": int(by_fit.size),
        "summary": summary.to_dict("records"),
        "weights": table.round(4).to_dict("list"),
    }
    path = RESULTS / f"symptom_coverage_{options.weights}.json"
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
