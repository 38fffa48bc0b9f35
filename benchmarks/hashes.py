"""Digest of the numbers of a set of small fits, to show that a change left them alone.

python benchmarks/hashes.py > before.txt, then the same after the change, then `diff`. The
numbers are exact on one machine with one version of every library; they differ between machines.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import xarray as xr

import bayes_mdd as bm

SHORT = bm.SamplerSpec(draws=60, tune=60, chains=2, cores=2, seed=1)
#: Timings, versions and dates are not numbers of the model.
IGNORED = ("sampling_time", "inference_library_version", "created_at", "step_size_bar")


def digest(value: object) -> str:
    """Sixteen hexadecimal digits of a tree, dataset or table."""
    found = hashlib.sha256()
    for part in _parts(value):
        found.update(part)
    return found.hexdigest()[:16]


def _parts(value: object) -> Iterator[bytes]:
    if isinstance(value, xr.DataTree):
        for path in sorted(node.path for node in value.subtree):
            yield path.encode()
            yield from _parts(value[path].to_dataset(inherit=False))
    elif isinstance(value, xr.Dataset):
        for name in sorted(map(str, value.variables)):
            if name in IGNORED:
                continue
            x = value[name]
            yield f"{name}{x.dims}{x.dtype}".encode()
            data = x.values
            yield (
                json.dumps(data.astype(str).tolist()).encode()
                if data.dtype.kind in "OUS"
                else np.ascontiguousarray(data).tobytes()
            )
    elif isinstance(value, pd.DataFrame):
        for column in value.columns:
            yield str(column).encode()
            x = value[column]
            yield (
                x.to_numpy().tobytes()
                if x.dtype.kind in "fib"
                else json.dumps([str(v) for v in x]).encode()
            )
    else:
        raise TypeError(f"cannot digest a {type(value).__name__}")


def cases() -> dict[str, Callable[[], object]]:
    """The fits by name, each as a function without arguments."""
    cohort = bm.read_cohort("data/demo")
    features = bm.read_features("data/demo")
    features = bm.reference_to_controls(features, covariates=["age", "sex", "mean_fd"])
    symptoms = cohort.symptoms
    default = bm.SharedSpecificSpec(covariates=("site",), symptoms=("retardation", "cognitive"))
    plain = bm.SharedSpecificSpec(covariates=("site",), n_factors=4)

    def run(spec: object, *, sampler: bm.SamplerSpec = SHORT, **options: object) -> xr.DataTree:
        return bm.fit(spec, features, sampler=sampler, progressbar=False, **options)

    def changed(**settings: object) -> bm.SharedSpecificSpec:
        mapping = {"covariates": ("site",), "symptoms": ("retardation",), "n_factors": 3}
        return bm.SharedSpecificSpec(**(mapping | settings))

    kept: dict[str, xr.DataTree] = {}

    def demo() -> xr.DataTree:
        if "demo" not in kept:
            kept["demo"] = run(default, sampler=bm.SamplerSpec(seed=1), symptoms=symptoms)
        return kept["demo"]

    def fast() -> xr.DataTree:
        if "fast" not in kept:
            kept["fast"] = run(default, symptoms=symptoms, method="fast")
        return kept["fast"]

    def lda() -> xr.DataTree:
        if "lda" not in kept:
            kept["lda"] = run(bm.PolarLDASpec(n_factors=3, n_restarts=5))
        return kept["lda"]

    return {
        "demo": demo,
        "demo factors": lambda: bm.classify_factors(demo()),
        "demo arms": lambda: bm.explained_by_arm(demo()),
        "demo checks": lambda: bm.diagnose(demo()),
        "demo signatures": lambda: bm.signatures(demo()),
        "demo predictive": lambda: bm.predictive_checks(demo()).table,
        "demo projection": lambda: bm.project(demo(), features, include_fitted=True),
        "fast": fast,
        "fast checks": lambda: bm.diagnose(fast()),
        "fast sensitivity": lambda: bm.prior_sensitivity(fast()),
        "fast leave one out": lambda: loo_table(fast()),
        "weighted": lambda: run(
            changed(feature_dependence="weighted"), symptoms=symptoms, method="fast"
        ),
        "polar_lda": lda,
        "polar_lda factors": lambda: bm.classify_factors(lda()),
        "polar_lda checks": lambda: bm.diagnose(lda()),
        "polar_lda full_bayes": lambda: run(
            bm.PolarLDASpec(n_factors=2, n_restarts=3, method="full_bayes")
        ),
        "student": lambda: run(
            bm.SharedSpecificSpec(covariates=("site",), n_factors=2, feature_noise="student")
        ),
        "by_arm": lambda: run(changed(symptom_links="by_arm"), symptoms=symptoms),
        "ordinal": lambda: run(
            changed(symptoms=(), ordinal_symptoms=("hamd17_1",)), symptoms=ratings(cohort)
        ),
        "controls as arm": lambda: run(changed(controls="arm", symptoms=()), method="mcmc"),
        "prior": lambda: bm.prior_predictive(plain, features, draws=50, seed=1),
        "permutations": lambda: bm.permute_arms(fast(), permutations=2),
        "comparison": lambda: compared(plain, features),
    }


def ratings(cohort: bm.Cohort) -> pd.DataFrame:
    """Symptoms and items of the demo cohort in one table."""
    return cohort.symptoms.join(cohort.item_scores)


def loo_table(idata: xr.DataTree) -> pd.DataFrame:
    """Leave-one-out by person, as a table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = bm.leave_one_out(idata)
    return pd.DataFrame({"elpd": [float(found.elpd)], "se": [float(found.se)]})


def compared(spec: bm.SharedSpecificSpec, features: xr.Dataset) -> pd.DataFrame:
    """K-fold of two numbers of factors."""
    specs = bm.vary_factors(spec, [2, 3])
    return bm.compare_models(specs, features, sampler=SHORT, folds=2).table


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of cases")
    chosen = parser.parse_args().only
    for name, make in cases().items():
        if chosen and name not in chosen:
            continue
        began = time.perf_counter()
        try:
            line = digest(make())
        except Exception as error:
            line = f"{type(error).__name__}: {str(error)[:60]}"
        print(f"{name:24s} {line}", flush=True)
        seconds = time.perf_counter() - began
        print(f"{name} took {seconds:.0f} s", flush=True, file=sys.stderr)


if __name__ == "__main__":
    main()
