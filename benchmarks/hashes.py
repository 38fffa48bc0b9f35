"""Digests of the results of small fits, to show that a refactoring changed no number.

    python benchmarks/hashes.py > before.txt        before the change
    python benchmarks/hashes.py > after.txt         after it; then compare both files
    python benchmarks/hashes.py --only "fast" "fast checks"

Prints one line for each case. Digests are exact for one machine and one version of every library;
they differ between machines.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

import bayes_mdd as bm

SHORT = bm.SamplerSpec(draws=60, tune=60, chains=2, cores=2, seed=1)
#: Variables that hold timings, versions or dates instead of results.
IGNORED = ("sampling_time", "inference_library_version", "created_at", "step_size_bar")

#: Columns of tables that hold sentences: their wording is not a result.
SENTENCES = ("name", "check", "threshold", "advice", "verdict", "meaning", "diagnosis")


def digest(value: object) -> str:
    """Compute sixteen hexadecimal digits of a tree, dataset or table."""
    found = hashlib.sha256()
    for part in _parts(value):
        found.update(part)
    return found.hexdigest()[:16]


def _parts(value: object) -> Iterator[bytes]:
    if isinstance(value, xr.DataTree):
        for path in sorted(node.path for node in value.subtree):
            yield path.encode()
            yield from _of_dataset(value[path].to_dataset(inherit=False))
    elif isinstance(value, xr.Dataset):
        yield from _of_dataset(value)
    elif isinstance(value, pd.DataFrame):
        yield from _of_table(value)
    else:
        raise TypeError(f"expected a DataTree, Dataset or DataFrame, got {type(value).__name__}")


def _of_dataset(dataset: xr.Dataset) -> Iterator[bytes]:
    for name in sorted(set(map(str, dataset.variables)) - set(IGNORED)):
        x = dataset[name]
        yield f"{name}{x.dims}{x.dtype}".encode()
        data = x.values
        if data.dtype.kind in "OUS":
            yield json.dumps(data.astype(str).tolist()).encode()
        else:
            yield np.ascontiguousarray(data).tobytes()


def _of_table(table: pd.DataFrame) -> Iterator[bytes]:
    for column in table.columns:
        yield str(column).encode()
        if column in SENTENCES:
            continue
        x = table[column]
        if x.dtype.kind in "fib":
            yield x.to_numpy().tobytes()
        else:
            yield json.dumps([str(v) for v in x]).encode()


class Fits:
    """The demo cohort and the fits that several cases share."""

    def __init__(self) -> None:
        self.cohort = bm.read_cohort("data/demo")
        self.features = bm.reference_to_controls(
            bm.read_features("data/demo"), covariates=["age", "sex", "mean_fd"]
        )
        self.default = bm.SharedSpecificSpec(
            covariates=("site",), symptoms=("retardation", "cognitive")
        )
        self.plain = bm.SharedSpecificSpec(covariates=("site",), n_factors=4)

    def run(
        self, spec: object, *, sampler: bm.SamplerSpec = SHORT, **options: object
    ) -> xr.DataTree:
        """Fit the demo cohort."""
        return bm.fit(spec, self.features, sampler=sampler, progressbar=False, **options)

    def linked(self, spec: object, **options: object) -> xr.DataTree:
        """Fit the demo cohort with its symptoms and items."""
        symptoms = options.pop("symptoms", self.cohort.symptoms)
        return self.run(spec, symptoms=symptoms, **options)

    @cached_property
    def demo(self) -> xr.DataTree:
        """The main job, fully sampled."""
        return self.linked(self.default, sampler=bm.SamplerSpec(seed=1))

    @cached_property
    def fast(self) -> xr.DataTree:
        """The main job by the fast path."""
        return self.linked(self.default, method="fast")

    @cached_property
    def lda(self) -> xr.DataTree:
        """Polar LDA, variational."""
        return self.run(bm.PolarLDASpec(n_factors=3, n_restarts=5))

    def ratings(self) -> pd.DataFrame:
        """Symptoms and items in one table."""
        return self.cohort.symptoms.join(self.cohort.item_scores)

    def leave_one_out(self) -> pd.DataFrame:
        """Leave-one-out by subject, as a table."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = bm.leave_one_out(self.fast)
        return pd.DataFrame({"elpd": [float(found.elpd)], "se": [float(found.se)]})

    def comparison(self) -> pd.DataFrame:
        """K-fold comparison of two numbers of factors."""
        specs = bm.vary_factors(self.plain, [2, 3])
        return bm.compare_models(specs, self.features, sampler=SHORT, folds=2).table


def small(**settings: object) -> bm.SharedSpecificSpec:
    """Build a spec of three factors and one symptom, with single settings changed."""
    mapping = {"covariates": ("site",), "symptoms": ("retardation",), "n_factors": 3}
    return bm.SharedSpecificSpec(**(mapping | settings))


def cases(fits: Fits) -> dict[str, Callable[[], object]]:
    """Return the cases by name, each as a function without arguments."""
    items = small(symptoms=(), ordinal_symptoms=("hamd17_1",))
    student = bm.SharedSpecificSpec(covariates=("site",), n_factors=2, feature_noise="student")
    blocks = bm.PolarLDASpec(n_factors=2, n_restarts=3, method="full_bayes")
    return {
        "demo": lambda: fits.demo,
        "demo factors": lambda: bm.classify_factors(fits.demo),
        "demo arms": lambda: bm.explained_by_arm(fits.demo),
        "demo checks": lambda: bm.diagnose(fits.demo),
        "demo signatures": lambda: bm.signatures(fits.demo),
        "demo predictive": lambda: bm.predictive_checks(fits.demo).table,
        "demo projection": lambda: bm.project(fits.demo, fits.features, include_fitted=True),
        "fast": lambda: fits.fast,
        "fast checks": lambda: bm.diagnose(fits.fast),
        "fast sensitivity": lambda: bm.prior_sensitivity(fits.fast),
        "fast leave one out": fits.leave_one_out,
        "weighted": lambda: fits.linked(small(feature_dependence="weighted"), method="fast"),
        "polar_lda": lambda: fits.lda,
        "polar_lda factors": lambda: bm.classify_factors(fits.lda),
        "polar_lda checks": lambda: bm.diagnose(fits.lda),
        "polar_lda full_bayes": lambda: fits.run(blocks),
        "student": lambda: fits.run(student),
        "by_arm": lambda: fits.linked(small(symptom_links="by_arm")),
        "ordinal": lambda: fits.linked(items, symptoms=fits.ratings()),
        "controls as arm": lambda: fits.run(small(controls="arm", symptoms=()), method="mcmc"),
        "prior": lambda: bm.prior_predictive(fits.plain, fits.features, draws=200, seed=1),
        "permutations": lambda: bm.permute_arms(fits.fast, permutations=2),
        "comparison": fits.comparison,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", metavar="CASE", help="names of cases; default all")
    chosen = parser.parse_args().only
    for name, make in cases(Fits()).items():
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
