"""Coverage of symptom weights by their 90% intervals.

Each cohort has 25 + 25 subjects, 300 features in 10 blocks, two factors whose sharing is drawn from
its prior, two Gaussian dimensions, two items of four levels, one covariate and a few missing
ratings. The graph of the package is compiled once; data and initial values are replaced between
fits.

    python benchmarks/symptom_coverage.py --fits 120 --weights spread
    python benchmarks/symptom_coverage.py --fits 120 --weights spread --links by_arm

* ``--weights spread``: a third of the weights is 0, the others are N(0, 0.4^2) residual SD.
* ``--weights prior``: weights are drawn from the prior of the model.
* ``--links by_arm``: the model has a link for each arm, and half of the true weights are higher in
  one arm and lower in the other by N(0, 0.3^2). Weights are judged in arms that hold at least a
  tenth of the factor's variance, and differences between arms, as rows of their own, where both
  arms do.

The residual SD is 1 for a dimension and pi / sqrt(3) log-odds for an item. Standard errors treat
fits, not weights, as independent.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytensor
import xarray as xr
from provenance import record
from scipy.optimize import linear_sum_assignment

import bayes_mdd as bm
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.data.ratings import LOGISTIC_SD
from bayes_mdd.shared_specific.graph.model import build_shared_specific
from bayes_mdd.shared_specific.posterior.alignment import align_factors
from bayes_mdd.shared_specific.prior.priors import SYMPTOM_OVERALL
from bayes_mdd.shared_specific.start.mode import find_modes
from bayes_mdd.shared_specific.start.spectral import spectral_start

PER_ARM, N_FEATURES, N_BLOCKS, N_FACTORS, N_LEVELS = 25, 300, 10, 2, 4
N = 2 * PER_ARM
NAMES = ("dim1", "dim2", "item1", "item2")
UNIT = np.array([1.0, 1.0, LOGISTIC_SD, LOGISTIC_SD])
COMMON = bm.SharedSpecificSpec(
    n_factors=N_FACTORS,
    covariates=("age",),
    symptoms=NAMES[:2],
    ordinal_symptoms=NAMES[2:],
    spare_factors="sampled",
)
SPECS = {links: replace(COMMON, symptom_links=links) for links in ("common", "by_arm")}
#: Smallest share of an arm in the variance of scores at which the link in that arm is judged.
VARIES = 0.1
#: The same subjects lack a rating in every cohort, so that shapes do not change.
UNRATED = {"dim1": [0, 30], "item1": [1, 31]}
AGE = np.random.default_rng(0).normal(size=N)
RESULTS = Path(__file__).parent / "results"


def draw_weights(rng: np.random.Generator, kind: str, links: str) -> np.ndarray:
    """Draw weights by arm, factor and symptom, in residual SD."""
    common = draw_common(rng, kind)
    if links == "common":
        return np.stack([common, common])
    apart = np.where(rng.random(common.shape) < 0.5, 0.0, rng.normal(0.0, 0.3, common.shape))
    return np.stack([common + apart, common - apart])


def draw_common(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Draw the average of the weights over arms, by factor and symptom."""
    shape = (N_FACTORS, len(NAMES))
    if kind == "spread":
        return np.where(rng.random(shape) < 1 / 3, 0.0, rng.normal(0.0, 0.4, shape))
    scale = np.abs(rng.standard_cauchy(shape) * SYMPTOM_OVERALL * rng.standard_cauchy())
    return rng.normal(size=shape) * scale / np.sqrt(1 + scale**2)


@dataclass(frozen=True, eq=False)
class Truth:
    """Scores, shares of arms (factor, arm) and weights (arm, factor, symptom) of a cohort."""

    scores: np.ndarray
    sharing: np.ndarray
    weights: np.ndarray


def simulate(seed: int, kind: str, links: str) -> tuple[xr.Dataset, pd.DataFrame, Truth]:
    """Draw features, ratings and the truth (weights in units of the scale)."""
    rng = np.random.default_rng(seed)
    arm, block = np.repeat([0, 1], PER_ARM), np.repeat(np.arange(N_BLOCKS), N_FEATURES // N_BLOCKS)
    sharing = rng.dirichlet([COMMON.sharing_concentration] * 2, size=N_FACTORS)
    scores = rng.normal(size=(N, N_FACTORS)) * np.sqrt(2 * sharing.T)[arm]
    scale = np.zeros((N_BLOCKS, N_FACTORS))
    for k in range(N_FACTORS):
        scale[rng.choice(N_BLOCKS, 4, replace=False), k] = rng.uniform(0.3, 0.6, 4)
    loadings = scale[block].T * rng.normal(size=(N_FACTORS, N_FEATURES))
    y = scores @ loadings + np.outer(AGE, rng.normal(0, 0.2, N_FEATURES))
    y = y + rng.normal(size=y.shape)
    weights = draw_weights(rng, kind, links) * UNIT
    signal = np.einsum("ik,ikd->id", scores, weights[arm])
    signal = signal + np.outer(AGE, rng.normal(0, 0.3, len(NAMES)) * UNIT)
    ratings = pd.DataFrame(index=[f"s{i}" for i in range(N)])
    for d, name in enumerate(NAMES):
        while True:
            if name in COMMON.symptoms:
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
    return features, ratings, Truth(scores, sharing, weights)


class Fitter:
    """The graph of the package, compiled once; data and initial values are shared variables."""

    def __init__(self, spec: bm.SharedSpecificSpec, data: ModelData) -> None:
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
        model = build_shared_specific(spec, replace(data, stats=shared))  # type: ignore[arg-type]
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
        kept = ["scores", "block_scale", "symptom_weight", "symptom_global"]
        if spec.symptom_links == "by_arm":
            shape = (1, N_FACTORS, len(NAMES))
            initial["symptom_arm_raw"] = pm.Normal.dist(0.0, 0.1, shape=shape)
            kept.append("symptom_weight_by_arm")
        self.compiled = nutpie.compile_pymc_model(
            model,
            initial_points=initial,
            jitter_rvs=set(),
            var_names=kept,
        )

    def draw(self, data: ModelData, seed: int, draws: int) -> xr.Dataset:
        """Sample two chains."""
        start = find_modes(data, spectral_start(data, N_FACTORS, seed=seed)).start
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
    """Return what the graph observes, by the names of its variables."""
    return {
        "features": data.stats.cross_products,
        **{f"rating_{s.name}": s.value for s in data.symptoms},
        "item_ratings": np.concatenate([i.level for i in data.items]).astype(np.int64),
    }


def judge(posterior: xr.Dataset, data: ModelData, truth: Truth, fit: int) -> list[dict[str, Any]]:
    """Align draws with the truth and compare weights; one row for each weight."""
    dims = ("chain", "draw")
    raw = posterior["scores"].transpose(*dims, "subject", "factor").values
    found = align_factors(raw, posterior["block_scale"].transpose(*dims, "block", "factor").values)
    mean = found.apply(raw, signed=True).mean(axis=(0, 1))
    by_arm = "symptom_weight_by_arm" in posterior
    name = "symptom_weight_by_arm" if by_arm else "symptom_weight"
    drawn = posterior[name].expand_dims({} if by_arm else {"arm": 1})
    drawn = drawn.transpose(*dims, "arm", "symptom", "factor").values
    drawn = found.apply(drawn, signed=True).reshape(-1, *drawn.shape[2:])
    r = np.corrcoef(mean.T, truth.scores.T)[:N_FACTORS, N_FACTORS:]
    at, to = linear_sum_assignment(np.abs(r), maximize=True)
    sd = np.array([s.sd for s in data.symptoms] + [1.0] * len(data.items)) / UNIT
    rows = []
    for mine, true in zip(at, to, strict=True):
        x = drawn[..., mine] * sd * np.sign(r[mine, true])
        want, varies = truth.weights[:, true] / UNIT, truth.sharing[true] >= VARIES
        judged = {f"arm {a}": (x[:, a], want[a]) for a in range(2) if by_arm and varies[a]}
        if not by_arm:
            judged = {"": (x[:, 0], want[0])}
        elif varies.all():
            judged["difference"] = (x[:, 0] - x[:, 1], want[0] - want[1])
        for what, (draws, value) in judged.items():
            for d, symptom in enumerate(NAMES):
                kind = "gaussian" if symptom in COMMON.symptoms else "ordinal"
                row = judge_weight(draws[:, d], float(value[d]))
                row |= {"fit": fit, "kind": f"{kind} {what.split()[0]}" if what else kind}
                row |= {"score_correlation": abs(r[mine, true])}
                rows.append(row | {"divergences": posterior.attrs["divergences"]})
    return rows


def judge_weight(draws: np.ndarray, truth: float) -> dict[str, Any]:
    """Compute the interval of a weight and whether it holds the truth, in residual SD."""
    low, high = np.quantile(draws, [0.05, 0.95])
    return {
        "truth": truth,
        "mean": float(draws.mean()),
        "lower": float(low),
        "upper": float(high),
        "covered": bool(low <= truth <= high),
        "rank": float((draws < truth).mean()),
    }


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Compute coverage by kind and size of the true weight."""
    size = np.select(
        [table["truth"] == 0, table["truth"].abs() < 0.1, table["truth"].abs() < 0.4],
        ["0", "below 0.1", "0.1 to 0.4"],
        "0.4 and above",
    )
    table = table.assign(size=size, width=table["upper"] - table["lower"])
    rows = []
    for kind in sorted(table["kind"].unique()):
        for name in ("all", "0", "below 0.1", "0.1 to 0.4", "0.4 and above"):
            part = table[(table["kind"] == kind) & ((table["size"] == name) | (name == "all"))]
            if part.empty:
                continue
            share = part["covered"].mean()
            # Residuals are summed within fits, because weights of one fit share its scores.
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
    """Write a table as Markdown."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * table.shape[1]]
    for row in table.itertuples(index=False):
        cells = (f"{x:.3f}" if isinstance(x, float) else str(x) for x in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fits", type=int, default=120, help="number of cohorts")
    parser.add_argument(
        "--weights", choices=("spread", "prior"), default="spread", help="true weights"
    )
    parser.add_argument(
        "--links", choices=tuple(SPECS), default="common", help="symptom_links of the fits"
    )
    parser.add_argument("--draws", type=int, default=400, help="warm-up and kept draws")
    parser.add_argument("--minutes", type=float, default=20.0, help="limit of processor time")
    parser.add_argument("--seed", type=int, default=1, help="seed of the cohorts")
    options = parser.parse_args()
    fitter, rows, spec = None, [], SPECS[options.links]
    began = time.process_time()
    for fit in range(options.fits):
        seed = 10_000 * options.seed + fit
        features, ratings, truth = simulate(seed, options.weights, options.links)
        data = prepare(spec, features, ratings)
        if fitter is None:
            fitter = Fitter(spec, data)
            print(f"Compiled in {time.process_time() - began:.0f} s of processor time.", flush=True)
        rows += judge(fitter.draw(data, seed, options.draws), data, truth, fit)
        if (fit + 1) % 20 == 0 or fit + 1 == options.fits:
            spent = time.process_time() - began
            report(pd.DataFrame(rows), options, spent)
            if spent > 60 * options.minutes:
                break


def report(table: pd.DataFrame, options: argparse.Namespace, spent: float) -> None:
    """Print and store the results so far, so that an interrupted run is not lost."""
    summary = summarise(table)
    by_fit = table.groupby("fit")["divergences"].first()
    print(
        f"\n{as_markdown(summary)}\n\n{by_fit.size} fits, 2 x {options.draws} draws, "
        f"{spent:.0f} s of processor time; {int((by_fit > 0).sum())} fits with divergences "
        f"({int(by_fit.sum())} in all); median score correlation "
        f"{table['score_correlation'].median():.3f}",
        flush=True,
    )
    RESULTS.mkdir(exist_ok=True)
    content = {
        "settings": {**vars(options), "overall": SYMPTOM_OVERALL},
        "cpu_seconds": round(spent),
        "divergences": int(by_fit.sum()),
        "fits": int(by_fit.size),
        "summary": summary.to_dict("records"),
        "weights": table.round(4).to_dict("list"),
    }
    suffix = "" if options.links == "common" else f"_{options.links}"
    path = RESULTS / f"symptom_coverage_{options.weights}{suffix}.json"
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    record(path)


if __name__ == "__main__":
    main()
