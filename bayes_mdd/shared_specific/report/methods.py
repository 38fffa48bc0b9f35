"""The methods paragraph, written from what was run."""

from __future__ import annotations

import pandas as pd

from bayes_mdd import __version__
from bayes_mdd.dims import BLOCK, FEATURE
from bayes_mdd.results.cohort_facts import CohortFacts
from bayes_mdd.results.regions import is_edges
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.posterior.symptoms import read_link_units
from bayes_mdd.shared_specific.report.methods_errors import say_dependence, say_reliability
from bayes_mdd.shared_specific.report.references import ARVIZ, NILEARN, NUTPIE
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.specs import SharedSpecificSpec


def describe_methods(result: Result, cohort: CohortFacts, table: pd.DataFrame) -> list[str]:
    """Write the methods of a fit from its spec, sampler and data.

    Parameters
    ----------
    result : Result
        A fit.
    cohort : CohortFacts
        See `bayes_mdd.results.cohort_facts.describe_cohort`.
    table : pandas.DataFrame
        What `classify_factors` returned.

    Returns
    -------
    list of str
        Sentences in order; numbers in brackets are positions in
        `bayes_mdd.shared_specific.report.references.REFERENCES`.
    """
    spec = spec_of(result)
    return [
        _say_data(result, cohort),
        _say_model(spec),
        *_say_noise(spec),
        *say_dependence(result),
        *_say_regressors(result, spec),
        _say_fast(result) if result.approximate else _say_sampler(result),
        "Factors of all draws and chains were brought into one order and sign by matching [5]; "
        "convergence was judged by rank-normalised R-hat and effective sample size [6], computed "
        f"with ArviZ [{ARVIZ}].",
        *say_reliability(result, table),
        _say_rules(result, table),
        *_say_maps(result),
    ]


def _say_data(result: Result, cohort: CohortFacts) -> str:
    loadings = result.loadings
    what = "edges between regions" if is_edges(loadings) else "features"
    n_blocks = len(set(loadings[BLOCK].values.tolist()))
    arms = ", ".join(f"{n} {arm}" for arm, n in cohort.by_arm.items())
    source = result.features.get("estimator")
    estimator = f", estimator: {source}" if source else ""
    return (
        f"{sum(cohort.by_arm.values())} participants ({arms}) with {loadings.sizes[FEATURE]} "
        f"{what} in {n_blocks} blocks entered the fit (units: {result.units}"
        f"{estimator}; standardised: {result.reference})."
    )


def _say_model(spec: SharedSpecificSpec) -> str:
    pattern = spec.sharing
    if pattern:
        listed = ", ".join(f"{k}: {v}" for k, v in pattern.items())
        sharing = f"whose sharing among the arms was fixed beforehand ({listed})"
    else:
        sharing = (
            "whose variance is divided among the arms by learned shares (Dirichlet prior, "
            f"concentration {spec.sharing_concentration:g})"
        )
    return (
        f"We fitted a Bayesian factor model with {spec.n_factors} factors, "
        f"{sharing}, an extension of multi-study factor analysis [1]. Loadings are normal with a "
        "scale for every block and factor under a regularised-horseshoe prior [2] and were "
        "integrated out exactly; their posterior was computed afterwards, draw by draw."
    )


def _say_noise(spec: SharedSpecificSpec) -> list[str]:
    """Say how noise differs between the features of a block."""
    df = spec.noise_df
    said = {
        "equal": "Features of a block have one noise variance.",
        "moderated": (
            "Features of a block have one noise variance times a factor that was estimated "
            "beforehand from each feature's residuals and shrunk."
        ),
        "student": (
            "Each feature has its own noise variance, with an inverse-gamma prior around that of "
            "its block "
            + (
                "with degrees of freedom that were learned (gamma(2, 0.1) prior)"
                if df is None
                else f"with {df:g} degrees of freedom"
            )
            + ", and integrated out."
        ),
    }
    return [said[spec.feature_noise]]


def _say_regressors(result: Result, spec: SharedSpecificSpec) -> list[str]:
    """Name the covariates that entered; the spec may name more than the cohort has."""
    constant = result.constant
    if "covariate" in constant.coords:
        covariates = [str(c) for c in constant["covariate"].values]
        covariates = [c for c in covariates if c.lower() != "intercept"]
    else:
        covariates = list(spec.covariates)
    listed = f"The intercept and {', '.join(covariates)}" if covariates else "The intercept"
    said = [f"{listed} {'were' if covariates else 'was'} integrated out under flat priors."]
    posterior = result.posterior
    if "symptom_weight" in posterior:
        said += _say_links(result, spec)
    return said


def _say_links(result: Result, spec: SharedSpecificSpec) -> list[str]:
    units = read_link_units(result)
    names = {k: [s for s, (kind, _) in units.items() if kind == k] for k in ("gaussian", "ordinal")}
    said = []
    if names["gaussian"]:
        said.append(
            f"Symptom dimensions ({', '.join(names['gaussian'])}) were regressed on the factor "
            "scores in the same model, with missing scores integrated out; weights are SD of the "
            "symptom per SD of the score."
        )
    if names["ordinal"]:
        scale = spec.ordinal_covariate_scale
        said.append(
            f"Ordinal items ({', '.join(names['ordinal'])}) were linked by a cumulative logit with "
            "a flat prior on the shares of their levels and normal priors of SD "
            f"{scale:g} on effects of covariates, with missing ratings integrated out; weights are "
            "log-odds of a higher rating per SD of the score."
        )
    said.append("All weights have one regularised horseshoe prior.")
    if "symptom_weight_by_arm" in result.posterior:
        said.append(
            "Weights could differ between arms: deviations from the average over arms have a "
            "regularised horseshoe prior of their own, and each symptom has a mean for each arm."
        )
    return said


def _say_sampler(result: Result) -> str:
    sampler = result.sampler
    return (
        f"The posterior was sampled with {_name_sampler(result)}: {sampler.chains} chains of "
        f"{sampler.draws} draws after {sampler.tune} of warm-up, target acceptance "
        f"{sampler.target_accept:g}, seed {sampler.seed}; bayes-mdd {__version__}."
    )


def _name_sampler(result: Result) -> str:
    """Name what really sampled, as the run recorded it; the spec says what was asked for."""
    used = str(result.provenance.get("sampler_used") or result.sampler.backend)
    if used.startswith("nutpie"):
        used = f"{used} [{NUTPIE}]"
    how = result.provenance.get("sampled")
    if how == "independent":
        return (
            "independent draws, because no factor exceeded the parallel-analysis threshold (the "
            "posterior of noise has a closed form; everything else is at its prior)"
        )
    if how == "density":
        return f"the No-U-Turn sampler [3] ({used}) from the model's compiled closed-form density"
    return f"the No-U-Turn sampler [3] ({used}) from the model's PyMC graph [4]"


def _say_fast(result: Result) -> str:
    used = result.provenance.get("fast", {})
    return (
        "The posterior was approximated (fast path): Hamiltonian Monte Carlo whose metric is the "
        f"curvature at the mode, in {used.get('chains', 'unknown')} chains of "
        f"{used.get('draws', 'unknown')} draws after {used.get('tune', 'unknown')} of warm-up, all "
        f"started around one mode, seed {result.sampler.seed}; bayes-mdd {__version__}. Intervals "
        "and probabilities are approximate; for publication the model should be fitted with the "
        "No-U-Turn sampler [3, 4]."
    )


def _say_rules(result: Result, table: pd.DataFrame) -> str:
    rules = table.attrs.get("rules", {})
    if not rules:
        return "Factors were labelled by rules given by the caller."
    loadings = result.loadings
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
        f"others but those of reliability {rules['ci_prob']:.0%} equal-tailed intervals unless a "
        "figure says otherwise."
    )


def _say_maps(result: Result) -> list[str]:
    """Name what drew the brain, where regions have coordinates."""
    placed = {"region_x", "x"} & set(map(str, result.loadings.coords))
    return [f"Maps in the brain were drawn with Nilearn [{NILEARN}]."] if placed else []
