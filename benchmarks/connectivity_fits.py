"""One search or fit of a cohort of series or real scans, and its comparison with the truth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from connectivity_scores import (
    MATCH,
    NAMED,
    Comparison,
    compare_scores,
    correlations,
    count_named,
    rv_of_loadings,
    session_correlations,
    true_loadings,
)
from peer import fit_peer
from series_cohorts import ARMS, SeriesCohort, draw, features
from series_plan import KINDS, half_reliability
from series_stages import STAGES, draw_stages

import bayes_mdd as bm
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.start.spectral import remaining_weight, spectral_start

N_FACTORS = 8


def make_cohort(kind: str, seed: int, **overrides: Any) -> SeriesCohort:
    """Draw a cohort of a kind, of series (`overrides` replace values of its kind) or real scans."""
    return draw_stages(kind, seed) if kind in STAGES else draw(kind, seed, **overrides)


def start_one(kind: str, seed: int, dependence: str) -> dict[str, Any]:
    """Search a cohort for components, under an assumption on the errors of features."""
    cohort = make_cohort(kind, seed)
    given = bm.reference_to_controls(features(cohort, halves=False, pieces=0))
    began = time.perf_counter()
    spec = bm.SharedSpecificSpec(n_factors=N_FACTORS, feature_dependence=dependence)
    data = prepare(spec, given)
    start = spectral_start(data, N_FACTORS, seed=seed)
    seconds = time.perf_counter() - began
    order = [data.arms.index(a) for a in ARMS]
    found = start.scores[:, : start.n_on]
    right, wrong = count_named(found, start.sharing[: start.n_on, order] >= NAMED, cohort)
    return {
        "kind": kind,
        "seed": seed,
        "dependence": dependence,
        "started": start.n_on,
        **compare_scores(found, cohort),
        "right": right,
        "wrong": wrong,
        "left": remaining_weight(data, start),
        "seconds": round(seconds, 1),
    }


def fit_one(
    kind: str,
    seed: int,
    dependence: str,
    method: Literal["mcmc", "fast"],
    sampler: dict[str, int],
    peer: Path | None,
    **overrides: Any,
) -> dict[str, Any]:
    """Fit one cohort with the defaults, apart from the dependence, and compare with the truth.

    `overrides` replace values of the kind of cohort.
    """
    cohort = make_cohort(kind, seed, **overrides)
    given = bm.reference_to_controls(features(cohort))
    symptoms = tuple(cohort.symptoms.columns)
    began = time.perf_counter()
    spec = bm.SharedSpecificSpec(
        n_factors=N_FACTORS, feature_dependence=dependence, symptoms=symptoms
    )
    idata = bm.fit(
        spec,
        given,
        symptoms=cohort.symptoms if symptoms else None,
        sampler=bm.SamplerSpec(seed=seed, cores=1, **sampler),
        method=method,
        progressbar=False,
    )
    seconds = time.perf_counter() - began
    found = Comparison(idata, bm.classify_factors(idata), cohort, given)
    checks = bm.diagnose(idata).set_index("name")["value"]
    return {
        "kind": kind,
        "seed": seed,
        "dependence": dependence,
        "seconds": round(seconds, 1),
        "true": cohort.scores.shape[1],
        **found.summary(),
        **session_correlations(
            prepare(spec, given, cohort.symptoms if symptoms else None), found.scores, seed
        ),
        "rv": found.rv(),
        "rv_oracle": found.rv_oracle(),
        "rv_peer": _peer_rv(cohort, given, seed, peer),
        "rhat": float(checks["max R-hat of invariants"]),
        "divergences": int(checks["divergences"]),
        "weight_left": _weight_left(idata),
        "factors": found.factors(),
        "others": _others(found, cohort),
    }


def _peer_rv(cohort: SeriesCohort, given: xr.Dataset, seed: int, peer: Path | None) -> float | None:
    if peer is None or not cohort.scores.size:
        return None
    arm = np.searchsorted(ARMS, cohort.arm)
    theirs = fit_peer(given["y"].values, arm, N_FACTORS, seed, peer)
    truth = true_loadings(cohort, given["raw_sd"].values)
    return rv_of_loadings(theirs.loadings, theirs.scores, truth)


def _weight_left(idata: xr.DataTree) -> float | None:
    constant = idata["constant_data"].to_dataset()
    return float(constant["weight_left"]) if "weight_left" in constant else None


def _others(found: Comparison, cohort: SeriesCohort) -> list[dict[str, Any]]:
    """Reliability of factors that match no trait, and their correlation with the state."""
    matched = {row["found"] for row in found.factors()}
    state = cohort.state
    level = np.zeros((len(cohort.arm), 0)) if state is None else state[:, None]
    r = np.abs(correlations(level, found.scores))
    rows = []
    for f in set(range(len(found.active))) - matched:
        of_state = state is not None and r[0, f] > MATCH
        truth = (
            {"halves": half_reliability(KINDS[cohort.kind].tau), "pieces": 0.0} if of_state else {}
        )
        rows.append(
            {
                "state_r": None if state is None else float(r[0, f]),
                "p_specific": found.p_specific[f].tolist(),
                **found.reliability(f, truth),
            }
        )
    return rows
