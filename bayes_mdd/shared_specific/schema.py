"""Schema of the result of the factor model: names, dimensions, units and meaning of variables."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bayes_mdd.dims import (
    ARM,
    BLOCK,
    CHAIN,
    COVARIATE,
    CUTPOINT,
    DIMENSION,
    DRAW,
    FACTOR,
    FEATURE,
    ITEM,
    ITEM_COVARIATE,
    SUBJECT,
    SYMPTOM,
)
from bayes_mdd.results.schema import Variable

#: Groups of a result.
POSTERIOR: Final = "posterior"
LOADINGS: Final = "loadings"
FACTORS: Final = "factors"
INVARIANTS: Final = "invariants"
#: Log density of the features by block. Not called ``log_likelihood``, because ArviZ would take the
#: blocks for observations; see `bayes_mdd.add_arviz_groups`.
BLOCK_DENSITY: Final = "block_log_density"
LOG_LIKELIHOOD: Final = "log_likelihood"
LOG_PRIOR: Final = "log_prior"
PRIOR: Final = "prior"
POSTERIOR_PREDICTIVE: Final = "posterior_predictive"
PREDICTIVE_STATISTICS: Final = "predictive_statistics"
SAMPLE_STATS: Final = "sample_stats"
OBSERVED_DATA: Final = "observed_data"
CONSTANT_DATA: Final = "constant_data"

#: Variables of the posterior.
SCORES: Final = "scores"
SHARING: Final = "sharing"
ARM_MEAN: Final = "arm_mean"
BLOCK_SCALE: Final = "block_scale"
NOISE: Final = "noise"
NOISE_DF: Final = "noise_df"
RELIABILITY: Final = "reliability"
EXPLAINED: Final = "explained"
EXPLAINED_BLOCK: Final = "explained_block"
COMMUNALITY: Final = "communality"
SYMPTOM_WEIGHT: Final = "symptom_weight"
SYMPTOM_WEIGHT_BY_ARM: Final = "symptom_weight_by_arm"
SYMPTOM_NOISE: Final = "symptom_noise"
SYMPTOM_CUTPOINT: Final = "symptom_cutpoint"
SYMPTOM_COVARIATE: Final = "symptom_covariate"

#: Kind of link of each symptom, and unit of its weights (group ``constant_data``).
SYMPTOM_KIND: Final = "symptom_kind"
SYMPTOM_UNIT: Final = "symptom_unit"

#: Numbered dimensions: pairs of subjects, and the basis orthogonal to the design.
PAIR: Final = "pair"
COMPONENT: Final = "component"
COMPONENT_2: Final = "component_2"

#: Features that are fitted in place of edges, and their blocks: they take the place of ``block`` in
#: variables of the likelihood where ``feature_dependence`` is "matrix".
WHITENED_FEATURE: Final = "whitened_feature"
WHITENED_BLOCK: Final = "whitened_block"
#: Group of the map between edges and whitened features, and its dimensions.
WHITENING: Final = "whitening"
#: Noise scales of subjects, in ``whitening`` or else in ``constant_data``.
SUBJECT_SCALE: Final = "subject_scale"
MATRIX_ROW: Final = "matrix_row"
MATRIX_COLUMN: Final = "matrix_column"
EDGE: Final = "edge"
#: Dimensions of the group ``reliability``: what it was estimated from, and draws.
SOURCE: Final = "source"
RELIABILITY_DRAW: Final = "reliability_draw"

#: Units.
SCORE_UNIT: Final = "SD of the scores of an average arm"
LOADING_UNIT: Final = "SD of the standardised feature per SD of the factor's scores"
FEATURE_UNIT: Final = "unit of the features"
SQUARED_UNIT: Final = "squared unit of the features"
RELATIVE_UNIT: Final = "squared features over their relative noise"
WEIGHT_UNIT: Final = f"see {SYMPTOM_UNIT}"
SHARE: Final = "share of variance"
PROBABILITY: Final = "probability"
NATS: Final = "nats"

_SAMPLE = (CHAIN, DRAW)
_MAP = (FACTOR, FEATURE)


def _posterior(name: str, dims: tuple[str, ...], units: str, meaning: str) -> Variable:
    return Variable(POSTERIOR, name, (*_SAMPLE, *dims), units, meaning)


#: What is drawn, in the order of a result.
DRAWN: Final = (
    _posterior(SCORES, (SUBJECT, FACTOR), SCORE_UNIT, "expression of each factor in each subject"),
    _posterior(
        SHARING,
        (ARM, FACTOR),
        "share; sums to 1 over arms",
        "share of each arm in the variance of a factor's scores",
    ),
    _posterior(
        RELIABILITY,
        (ARM, FACTOR),
        "share of the variance of scores",
        "part of the variance of a factor's scores in an arm that both halves of a scan share",
    ),
    _posterior(
        ARM_MEAN,
        (ARM, FACTOR),
        SCORE_UNIT,
        "mean score of each arm, relative to controls where they are an arm, else to the mean "
        "over arms",
    ),
    _posterior(
        BLOCK_SCALE,
        (BLOCK, FACTOR),
        "noise SD of the block per SD of the factor's scores",
        "prior SD of the loadings of a block",
    ),
    _posterior(
        NOISE,
        (BLOCK,),
        FEATURE_UNIT,
        "noise SD of a block; where each feature has a noise of its own, its scale in the block",
    ),
    _posterior(
        NOISE_DF, (), "", "degrees of freedom of the noise variances of features around their block"
    ),
    _posterior(
        SYMPTOM_WEIGHT,
        (FACTOR, SYMPTOM),
        WEIGHT_UNIT,
        "weight of each factor in each symptom; the average over arms where links differ by arm",
    ),
    _posterior(
        SYMPTOM_WEIGHT_BY_ARM,
        (ARM, FACTOR, SYMPTOM),
        WEIGHT_UNIT,
        "weight of each factor in each symptom within each arm; determined by the prior alone "
        "where a factor has no variance in an arm",
    ),
    _posterior(
        SYMPTOM_NOISE,
        (SYMPTOM,),
        "SD of the symptom; log-odds for an item",
        "residual SD; for an item, that of the latent logistic variable",
    ),
    _posterior(SYMPTOM_CUTPOINT, (CUTPOINT,), "log-odds", "cutpoint between two levels of an item"),
    _posterior(
        SYMPTOM_COVARIATE,
        (ITEM, ITEM_COVARIATE),
        "log-odds of a higher rating per unit of the covariate",
        "effect of each covariate on an item",
    ),
)

#: What follows from the draws.
_DERIVED = (
    _posterior(
        EXPLAINED,
        (ARM, FACTOR),
        SHARE,
        "share of an arm's variance that a factor explains, over all features",
    ),
    _posterior(
        EXPLAINED_BLOCK,
        (ARM, BLOCK, FACTOR),
        SHARE,
        "share of an arm's variance that a factor explains, within a block",
    ),
    _posterior(
        COMMUNALITY,
        (ARM, BLOCK),
        SQUARED_UNIT,
        "fitted variance of the subjects of an arm in a block, per feature",
    ),
)

_LOADINGS = (
    Variable(LOADINGS, "mean", _MAP, LOADING_UNIT, "posterior mean of the loadings"),
    Variable(LOADINGS, "sd", _MAP, LOADING_UNIT, "posterior SD of the loadings"),
    Variable(LOADINGS, "lower", _MAP, LOADING_UNIT, "lower end of the equal-tailed interval"),
    Variable(LOADINGS, "upper", _MAP, LOADING_UNIT, "upper end of the equal-tailed interval"),
    Variable(
        LOADINGS,
        "p_positive",
        _MAP,
        PROBABILITY,
        "probability that a loading is positive, plus half of that of being zero",
    ),
    Variable(LOADINGS, "inclusion", _MAP, PROBABILITY, "probability that a loading is not zero"),
    Variable(LOADINGS, LOADINGS, (*_SAMPLE, *_MAP), LOADING_UNIT, "draws of whole maps"),
    Variable(
        LOADINGS,
        NOISE,
        (FEATURE,),
        FEATURE_UNIT,
        "noise of each feature: expected precision to the power -1/2",
    ),
)

_FACTORS = (
    Variable(
        FACTORS,
        "match",
        (CHAIN, FACTOR),
        "absolute correlation",
        "agreement of each chain's mean scores with the consensus of all chains",
    ),
    Variable(FACTORS, "rhat", (FACTOR,), "", "largest R-hat of the variance explained, over arms"),
    Variable(
        FACTORS,
        "ess",
        (FACTOR,),
        "draws",
        "smallest effective sample size of the variance explained, over arms",
    ),
    Variable(FACTORS, "reproducible", (FACTOR,), "", "whether all chains agree on the factor"),
)

_INVARIANTS = (
    Variable(INVARIANTS, NOISE, (*_SAMPLE, BLOCK), FEATURE_UNIT, "noise SD of a block"),
    Variable(
        INVARIANTS, NOISE_DF, _SAMPLE, "", "degrees of freedom of the noise variances of features"
    ),
    Variable(
        INVARIANTS,
        COMMUNALITY,
        (*_SAMPLE, ARM),
        SQUARED_UNIT,
        "fitted variance of the subjects of an arm, per feature",
    ),
    Variable(
        INVARIANTS,
        "similarity",
        (*_SAMPLE, PAIR),
        SQUARED_UNIT,
        "inner product of the fitted features of two subjects, per feature",
    ),
    Variable(
        INVARIANTS,
        "symptom_spread",
        (*_SAMPLE, SYMPTOM),
        "SD of the symptom; log-odds for an item",
        "SD over subjects of what the factors predict of a symptom",
    ),
    Variable(INVARIANTS, SYMPTOM_NOISE, (*_SAMPLE, DIMENSION), "SD of the symptom", "residual SD"),
)

_SAMPLE_STATS = (
    Variable(SAMPLE_STATS, "diverging", _SAMPLE, "", "whether the trajectory diverged"),
    Variable(SAMPLE_STATS, "energy", _SAMPLE, NATS, "Hamiltonian energy"),
    Variable(SAMPLE_STATS, "logp", _SAMPLE, NATS, "log density, up to a constant"),
    Variable(SAMPLE_STATS, "n_steps", _SAMPLE, "", "number of leapfrog steps"),
    Variable(SAMPLE_STATS, "step_size", _SAMPLE, "", "step size"),
    Variable(SAMPLE_STATS, "acceptance_rate", _SAMPLE, PROBABILITY, "mean acceptance probability"),
    Variable(SAMPLE_STATS, "*", None, "", "statistic of the sampler, see its documentation"),
)

_DATA = (
    Variable(
        BLOCK_DENSITY,
        "features",
        (*_SAMPLE, BLOCK),
        NATS,
        "log density of the features of a block over all subjects, given the draw",
    ),
    Variable(
        OBSERVED_DATA,
        "features",
        (BLOCK, COMPONENT, COMPONENT_2),
        RELATIVE_UNIT,
        "cross-products of the features after projecting the design out",
    ),
    Variable(OBSERVED_DATA, "y", (SUBJECT, FEATURE), FEATURE_UNIT, "features as they were given"),
    Variable(
        OBSERVED_DATA,
        "symptoms",
        (SUBJECT, DIMENSION),
        "unit of the scale",
        "scores of dimensions as they were given; NaN where not rated",
    ),
    Variable(
        OBSERVED_DATA,
        "symptom_*",
        (SUBJECT,),
        "unit of the scale",
        "score of a dimension with covariates projected out, or of an item as rated; NaN where "
        "not rated",
    ),
    Variable(CONSTANT_DATA, ARM, (SUBJECT,), "", "arm of each subject"),
    Variable(CONSTANT_DATA, SYMPTOM_KIND, (SYMPTOM,), "", "gaussian or ordinal link"),
    Variable(CONSTANT_DATA, SYMPTOM_UNIT, (SYMPTOM,), "", "unit of the weights of the symptom"),
    Variable(
        CONSTANT_DATA, "design", (SUBJECT, COVARIATE), "", "intercept and covariates as coded"
    ),
    Variable(CONSTANT_DATA, "block_size", (BLOCK,), "features", "number of features of a block"),
    Variable(
        CONSTANT_DATA,
        "feature_weight",
        (),
        "",
        "power of the likelihood of the features: effective over actual number of features",
    ),
    Variable(
        CONSTANT_DATA,
        "feature_noise",
        (FEATURE,),
        "",
        "noise of a feature relative to its block; mean square 1 in a block",
    ),
    Variable(
        CONSTANT_DATA,
        SUBJECT_SCALE,
        (SUBJECT,),
        "",
        "noise scale of a subject; mean square 1",
    ),
)

_MATRIX = (MATRIX_ROW, MATRIX_COLUMN)
_WHITENING = (
    Variable(
        WHITENING, "correlation", _MATRIX, "", "mean correlation matrix that whitens the edges"
    ),
    Variable(WHITENING, "basis", _MATRIX, "", "directions between which whitened features are"),
    Variable(
        WHITENING,
        "edge_scale",
        (EDGE,),
        "correlation per unit of the feature",
        "change of the correlation per unit of the feature, at the mean",
    ),
    Variable(WHITENING, "edge_position", (EDGE,), "", "position of the edge among the features"),
    Variable(WHITENING, SUBJECT_SCALE, (SUBJECT,), "", "noise scale of a subject; mean square 1"),
    Variable(
        WHITENING,
        "y",
        (SUBJECT, WHITENED_FEATURE),
        "about the noise SD of a feature",
        "whitened features",
    ),
    Variable(
        WHITENING,
        "feature_noise",
        (WHITENED_FEATURE,),
        "",
        "noise of a whitened feature relative to its block; mean square 1 in a block",
    ),
    Variable(
        RELIABILITY,
        "draws",
        (SOURCE, RELIABILITY_DRAW, FACTOR),
        "share of the variance of scores",
        "draws of the reliability: within the scan (halves), in a longer scan (pieces), between "
        "sessions (ICC)",
    ),
    Variable(
        CONSTANT_DATA,
        "weight_left",
        (),
        "",
        "effective over actual number of fitted features, without the factors that start",
    ),
)


def _on_whitened_blocks(variable: Variable) -> Variable:
    """Allow the blocks of whitened features in place of those of the features."""
    if variable.dims is None or BLOCK not in variable.dims or variable.name == EXPLAINED_BLOCK:
        return variable
    other = tuple(WHITENED_BLOCK if d == BLOCK else d for d in variable.dims)
    return replace(variable, other_dims=other)


#: Every variable of a result; those that depend on the spec included.
SCHEMA: Final = tuple(
    _on_whitened_blocks(v)
    for v in (
        *DRAWN,
        *_DERIVED,
        *_LOADINGS,
        *_FACTORS,
        *_INVARIANTS,
        *_SAMPLE_STATS,
        *_DATA,
        *_WHITENING,
    )
)
