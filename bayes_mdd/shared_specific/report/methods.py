"""The methods paragraph, written from what was run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.dims import BLOCK, FEATURE
from bayes_mdd.results.reading import is_edges, read_group, read_note
from bayes_mdd.shared_specific.report.content import CohortFacts
from bayes_mdd.shared_specific.tables.links import read_link_units

REFERENCES: Final = (
    "De Vito R, Bellio R, Trippa L, Parmigiani G (2019). Multi-study factor analysis. "
    "Biometrics 75, 337-346.",
    "Piironen J, Vehtari A (2017). Sparsity information and regularization in the horseshoe and "
    "other shrinkage priors. Electronic Journal of Statistics 11, 5018-5051.",
    "Hoffman MD, Gelman A (2014). The No-U-Turn Sampler. Journal of Machine Learning Research "
    "15, 1593-1623.",
    "Abril-Pla O et al. (2023). PyMC: a modern and comprehensive probabilistic programming "
    "framework in Python. PeerJ Computer Science 9, e1516.",
    "Poworoznek E, Anceschi N, Ferrari F, Dunson D (2021). Efficiently resolving rotational "
    "ambiguity in Bayesian matrix sampling with matching. arXiv:2107.13783.",
    "Vehtari A, Gelman A, Simpson D, Carpenter B, Bürkner P-C (2021). Rank-normalization, "
    "folding, and localization: an improved R-hat. Bayesian Analysis 16, 667-718.",
)


def describe_methods(idata: xr.DataTree, cohort: CohortFacts, table: pd.DataFrame) -> list[str]:
    """Write the methods of a fit from its spec, sampler and data.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    cohort : CohortFacts
        See `bayes_mdd.shared_specific.report.content.describe_cohort`.
    table : pandas.DataFrame
        What `classify_factors` returned.

    Returns
    -------
    list of str
        Sentences in order; numbers in brackets refer to `REFERENCES`.
    """
    spec, sampler = read_note(idata, "spec"), read_note(idata, "sampler")
    return [
        _say_data(idata, cohort),
        _say_model(spec),
        *_say_noise(spec),
        *_say_dependence(idata),
        *_say_regressors(idata, spec),
        _say_fast(idata, sampler) if idata.attrs.get("method") == "fast" else _say_sampler(sampler),
        "Factors of all draws and chains were brought into one order and sign by matching [5]; "
        "convergence was judged by rank-normalised R-hat and effective sample size [6].",
        _say_rules(idata, table),
    ]


def _say_data(idata: xr.DataTree, cohort: CohortFacts) -> str:
    loadings = read_group(idata, "loadings", ["mean"])
    what = "edges between regions" if is_edges(loadings) else "features"
    n_blocks = len(set(loadings[BLOCK].values.tolist()))
    arms = ", ".join(f"{n} {arm}" for arm, n in cohort.by_arm.items())
    source = read_note(idata, "features_provenance").get("estimator")
    estimator = f", estimator: {source}" if source else ""
    return (
        f"{sum(cohort.by_arm.values())} people ({arms}) with {loadings.sizes[FEATURE]} {what} in "
        f"{n_blocks} blocks entered the fit (units: {idata.attrs.get('units', 'unknown')}"
        f"{estimator}; standardised: {idata.attrs.get('reference', 'unknown')})."
    )


def _say_model(spec: Mapping[str, Any]) -> str:
    pattern = spec.get("sharing")
    if pattern:
        listed = ", ".join(f"{k}: {v}" for k, v in pattern.items())
        sharing = f"whose sharing among the arms was fixed beforehand ({listed})"
    else:
        sharing = (
            "whose variance is divided among the arms by learned shares (Dirichlet prior, "
            f"concentration {spec.get('sharing_concentration', 'unknown')})"
        )
    return (
        f"We fitted a Bayesian factor model with {spec.get('n_factors', 'unknown')} factors, "
        f"{sharing}, an extension of multi-study factor analysis [1]. Loadings are normal with a "
        "scale for every block and factor under a regularised-horseshoe prior [2] and were "
        "integrated out exactly; their posterior was computed afterwards, draw by draw."
    )


def _say_noise(spec: Mapping[str, Any]) -> list[str]:
    """Say how noise differs between the features of a block; nothing where that is unknown."""
    df = spec.get("noise_df")
    said = {
        "equal": "Features of a block have one noise variance.",
        "moderated": (
            "Features of a block have one noise variance times a factor that was estimated "
            "beforehand from each feature's residuals and shrunk."
        ),
        "student": (
            "Each feature has a noise variance of its own, inverse-gamma around that of its block "
            + (
                "with degrees of freedom that were learned (gamma(2, 0.1) prior)"
                if df is None
                else f"with {df:g} degrees of freedom"
            )
            + ", and integrated out."
        ),
    }
    kind = str(spec.get("feature_noise"))
    return [said[kind]] if kind in said else []


def _say_dependence(idata: xr.DataTree) -> list[str]:
    """Say how many features they were taken for, where that is not their number."""
    constant = read_group(idata, "constant_data")
    weight = float(constant.get("feature_weight", 1.0))
    if weight == 1.0:
        return []
    total = float(constant["block_size"].sum())
    return [
        f"Because errors of features are correlated, their likelihood was raised to the power "
        f"{weight:.3g}: {total:.0f} features counted as {weight * total:.0f} independent ones, the "
        "number whose noise fluctuates as much (from the eigenvalues of the residuals)."
    ]


def _say_regressors(idata: xr.DataTree, spec: Mapping[str, Any]) -> list[str]:
    """Name what was in the fit; the spec may offer more than the cohort had."""
    constant = read_group(idata, "constant_data")
    if "covariate" in constant.coords:
        covariates = [str(c) for c in constant["covariate"].values]
        covariates = [c for c in covariates if c.lower() != "intercept"]
    else:
        covariates = [str(c) for c in spec.get("covariates") or []]
    listed = f"The intercept and {', '.join(covariates)}" if covariates else "The intercept"
    said = [f"{listed} {'were' if covariates else 'was'} integrated out under flat priors."]
    posterior = read_group(idata, "posterior")
    if "symptom_weight" in posterior:
        said += _say_links(idata, spec)
    return said


def _say_links(idata: xr.DataTree, spec: Mapping[str, Any]) -> list[str]:
    units = read_link_units(idata)
    names = {k: [s for s, (kind, _) in units.items() if kind == k] for k in ("gaussian", "ordinal")}
    said = []
    if names["gaussian"]:
        said.append(
            f"Symptom dimensions ({', '.join(names['gaussian'])}) were regressed on the factor "
            "scores in the same model, with missing scores integrated out; weights are SD of the "
            "symptom per SD of the score."
        )
    if names["ordinal"]:
        scale = spec.get("ordinal_covariate_scale", 1.5)
        said.append(
            f"Ordinal items ({', '.join(names['ordinal'])}) were linked by a cumulative logit with "
            "a flat prior on the shares of their levels and normal priors of SD "
            f"{scale:g} on effects of covariates, with missing ratings integrated out; weights are "
            "log-odds of a higher rating per SD of the score."
        )
    said.append("All weights have one regularised horseshoe prior.")
    if "symptom_weight_by_arm" in read_group(idata, "posterior"):
        said.append(
            "Weights could differ between arms: deviations from the average over arms have a "
            "regularised horseshoe prior of their own, and each symptom has a mean for each arm."
        )
    return said


def _say_sampler(sampler: Mapping[str, Any]) -> str:
    def get(key: str) -> Any:
        return sampler.get(key, "unknown")

    return (
        f"The posterior was sampled with the No-U-Turn sampler [3] ({get('backend')}, PyMC [4]): "
        f"{get('chains')} chains of {get('draws')} draws after {get('tune')} of warm-up, target "
        f"acceptance {get('target_accept')}, seed {get('seed')}; bayes-mdd {__version__}."
    )


def _say_fast(idata: xr.DataTree, sampler: Mapping[str, Any]) -> str:
    used = read_note(idata, "provenance").get("fast", {})
    return (
        "The posterior was explored approximately (fast path): Hamiltonian Monte Carlo whose "
        "metric is the curvature at the mode, in "
        f"{used.get('chains', 'unknown')} chains of {used.get('draws', 'unknown')} draws after "
        f"{used.get('tune', 'unknown')} of warm-up, all started around one mode, seed "
        f"{sampler.get('seed', 'unknown')}; bayes-mdd {__version__}. Intervals and probabilities "
        "are approximate; for publication the model should be fitted with the No-U-Turn sampler "
        "[3, 4]."
    )


def _say_rules(idata: xr.DataTree, table: pd.DataFrame) -> str:
    rules = table.attrs.get("rules", {})
    if not rules:
        return "Factors were labelled by rules given by the caller."
    loadings = read_group(idata, "loadings", ["mean"])
    prob, kind = loadings.attrs.get("ci_prob"), loadings.attrs.get("ci_kind", "unknown")
    kinds = {"eti": "equal-tailed", "hdi": "highest-density"}
    stored = f"{prob:.0%}" if isinstance(prob, float) else "stored"
    return (
        f"A factor is active when it explains more than {rules['min_explained']:.0%} of the "
        "variance of some arm (posterior probability above 0.5); an arm takes part in it when it "
        f"holds at least {rules['specific_below']:.0%} of the factor's variance. A factor is "
        "called shared when all arms take part and specific to an arm when no other does, each "
        f"with posterior probability above {rules['probability']:g}; otherwise it is undecided. "
        f"Intervals of loadings are {stored} {kinds.get(str(kind), str(kind))} intervals, all "
        f"others {rules['ci_prob']:.0%} equal-tailed intervals unless a figure says otherwise."
    )


def list_provenance(idata: xr.DataTree) -> list[tuple[str, str]]:
    """Flatten everything the fit recorded about itself.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.

    Returns
    -------
    list of (str, str)
        Dotted name and value, without the list of people who were left out.
    """
    notes = {
        "fit": read_note(idata, "provenance"),
        "model": read_note(idata, "spec"),
        "sampler": read_note(idata, "sampler"),
        "features": read_note(idata, "features_provenance"),
    }
    notes["fit"].pop("excluded", None)
    notes["features"].pop("quality", None)  # has a section of its own
    rows: list[tuple[str, str]] = []
    for part, note in notes.items():
        _flatten(part, note, rows)
    return rows


def _flatten(name: str, value: Any, rows: list[tuple[str, str]]) -> None:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            _flatten(f"{name}.{key}", item, rows)
    elif value not in (None, "", [], {}):
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        rows.append((name, text))
