"""Parts of the summary of a cohort: facts, intervals, reliability, symptoms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.dims import ARM, CHAIN, DIMENSION, DRAW, FACTOR, SUBJECT, SYMPTOM
from bayes_mdd.features.disclosure import LEAST
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.cohorts.regression import Subjects, regress
from bayes_mdd.shared_specific.schema import OBSERVED_DATA, RELIABILITY, SOURCE
from bayes_mdd.shared_specific.search.effective_features import effective_count
from bayes_mdd.types import Array

#: Version of the layout of a summary.
LAYOUT: Final = 1
#: What the features were made from, of their provenance.
FACTS: Final = ("measure", "estimator", "fisher_z")


def describe_facts(result: Result, share: float) -> dict[str, Any]:
    """Describe what decides whether cohorts can be combined, without names and folders.

    Parameters
    ----------
    result : Result
        A fit.
    share : float
        Effective over actual number of features.

    Returns
    -------
    dict
        Attributes of a summary.
    """
    provenance = result.features
    reference = provenance.get("reference")
    reference = reference if isinstance(reference, Mapping) else {}
    controls = int(reference.get("n", 0) or 0)
    return {
        "summary_layout": LAYOUT,
        "model": result.kind,
        "method": result.method,
        "spec": json.dumps(result.spec.to_mapping()),
        "estimand": result.estimand,
        "units": result.units,
        "reference": str(reference.get("people", "")) or _kind_of_reference(result.reference),
        "reference_covariates": json.dumps(sorted(map(str, reference.get("covariates", ())))),
        "reference_n": controls if controls >= LEAST or not controls else f"< {LEAST}",
        "facts": json.dumps({k: provenance[k] for k in FACTS if k in provenance}),
        "effective_share": share,
        # Tells whether the same data are given twice; cannot be turned back into data.
        "inputs": str(result.provenance.get("inputs", "")),
        "version": __version__,
    }


def _kind_of_reference(text: str) -> str:
    return "controls" if "control" in text else "patients" if "patient" in text else "none"


def intervals_alone(posterior: xr.Dataset) -> dict[str, Any]:
    """Summarise sharing and variance explained in the cohort alone.

    Parameters
    ----------
    posterior : Dataset
        Draws.

    Returns
    -------
    dict
        ``explained``, ``sharing`` and the ends of their intervals.
    """
    tail = (1 - RULES.ci_prob) / 2
    out: dict[str, Any] = {}
    for name in ("explained", "sharing"):
        drawn = posterior[name].transpose(CHAIN, DRAW, ARM, FACTOR)
        values = drawn.values.reshape(-1, *drawn.shape[2:])
        low, high = np.quantile(values, [tail, 1 - tail], axis=0)
        for end, value in (("", values.mean(axis=0)), ("_lower", low), ("_upper", high)):
            out[f"{name}{end}"] = ((ARM, FACTOR), value)
    return out


def reliability_logit(result: Result, factors: list[str]) -> dict[str, Any]:
    """Summarise the logit of the reliability, from the source that decides.

    Parameters
    ----------
    result : Result
        A fit.
    factors : list of str
        Factors of the summary.

    Returns
    -------
    dict
        ``reliability``, ``reliability_sd``, NaN where not known, and ``reliability_source``.
    """
    mean, sd = np.full(len(factors), np.nan), np.full(len(factors), np.nan)
    source = np.full(len(factors), "none", dtype=object)
    if RELIABILITY in result.tree.children:
        draws = result.group(RELIABILITY)["draws"]
        for name in ("halves", "pieces", "sessions"):
            if name not in draws[SOURCE].values:
                continue
            values = draws.sel({SOURCE: name, FACTOR: factors}).values.reshape(-1, len(factors))
            known = np.isfinite(values).all(axis=0)
            inside = np.clip(values, 1e-3, 1 - 1e-3)
            logit = np.log(inside / (1 - inside))
            mean = np.where(known, logit.mean(axis=0), mean)
            sd = np.where(known, logit.std(axis=0), sd)
            source = np.where(known, name, source)
    return {
        "reliability": (FACTOR, mean),
        "reliability_sd": (FACTOR, sd),
        "reliability_source": (FACTOR, source.astype(str)),
    }


def symptom_weights(result: Result, subjects: Subjects, scaled: Array) -> dict[str, Any]:
    """Regress symptom dimensions on the scores.

    Parameters
    ----------
    result : Result
        A fit.
    subjects : Subjects
        Arms and design.
    scaled : ndarray, shape (draw, subject, factor)
        Scores of variance 1 in an average arm.

    Returns
    -------
    dict
        Weights and standard errors per SD of the cohort, SDs and numbers of ratings; empty without
        symptoms.
    """
    if not result.holds(OBSERVED_DATA, "symptoms"):
        return {}
    given = result.group(OBSERVED_DATA)["symptoms"].transpose(SUBJECT, DIMENSION)
    rated = {str(d): given.sel({DIMENSION: d}).values for d in given[DIMENSION].values}
    least = subjects.design.shape[1] + scaled.shape[2] + LEAST
    rated = {n: v for n, v in rated.items() if np.isfinite(v).sum() > least}
    if not rated:
        return {}
    # A scan with little noise is no better rated.
    plain = Subjects(subjects.arm, subjects.design, np.ones(len(subjects.arm)))
    weight, se, sds, counts = [], [], [], []
    for values in rated.values():
        keep = np.isfinite(values)
        sd = float(values[keep].std(ddof=1)) or 1.0
        found = regress(plain, scaled, values[:, None] / sd, keep)
        weight.append(found.mean[:, 0])
        se.append(found.se[:, 0])
        sds.append(sd)
        counts.append(int(keep.sum()))
    return {
        "symptom_weight": ((FACTOR, "symptom"), np.stack(weight, axis=1)),
        "symptom_weight_se": ((FACTOR, "symptom"), np.stack(se, axis=1)),
        "symptom_sd": (SYMPTOM, np.array(sds)),
        "symptom_n": (SYMPTOM, np.array(counts)),
        SYMPTOM: (SYMPTOM, np.array(list(rated), dtype=str)),
    }


def effective_share(subjects: Subjects, y: Array, scaled: Array) -> float:
    """Estimate the effective over the actual number of features.

    Parameters
    ----------
    subjects : Subjects
        Design and noise scales.
    y : ndarray, shape (subject, feature)
        Features.
    scaled : ndarray, shape (draw, subject, factor)
        Scores.

    Returns
    -------
    float
        From what design and scores leave over; at most 1.
    """
    mean = scaled.mean(axis=0)
    columns = np.column_stack([subjects.design, mean]) / subjects.scale[:, None]
    u, s, _ = np.linalg.svd(columns, full_matrices=True)
    basis = u[:, int((s > 1e-9 * s.max()).sum()) :]
    left = basis.T @ (y / subjects.scale[:, None])
    left = left / np.maximum(left.std(axis=0), 1e-12)
    return float(effective_count(left @ left.T, y.shape[1], 0) / y.shape[1])
