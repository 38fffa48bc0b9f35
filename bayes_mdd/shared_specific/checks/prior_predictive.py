"""What a spec expects of a study before it sees the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.errors import SpecError
from bayes_mdd.shared_specific.data.model_data import ModelData, prepare
from bayes_mdd.shared_specific.graph.symptoms import LOGISTIC_SD, OVERALL, OVERALL_DEVIATION
from bayes_mdd.shared_specific.prior.expression import fixed_sharing, mean_variance
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array

PRIOR_STREAM = 23
#: A factor is in use where it explains this much of some arm, and an arm takes part in a factor
#: with this share of its variance: the defaults of `classify_factors`.
MIN_EXPLAINED, SPECIFIC_BELOW = 0.01, 0.10
#: Local scales of symptom weights: half-Cauchy.
LOCAL_DF = 1.0


@dataclass(frozen=True)
class Range:
    """Where a quantity may lie by what is known of such studies.

    Parameters
    ----------
    low, high : float
        Ends.
    why : str
        Reason.
    """

    low: float
    high: float
    why: str


TOTAL = Range(0.0, 0.6, "factors of one study explain some, not most, of single-edge variance")
LARGEST = Range(0.0, 0.4, "the first component of connectivity rarely explains more")
FEATURE = Range(0.3, 3.0, "features are standardised: 1 in the reference")
MEAN = Range(0.0, 1.5, "differences of groups in imaging above 1.5 SD are not credible")
WEIGHT = Range(0.0, 0.8, "replicable brain-symptom correlations are small")
LINKED = Range(0.0, 0.5, "ratings are themselves no more reliable than about .8")


def prior_predictive(
    spec: SharedSpecificSpec,
    features: xr.Dataset,
    *,
    symptoms: pd.DataFrame | None = None,
    draws: int = 2000,
    seed: int = 1,
) -> xr.DataTree:
    """Draw from the priors what a fit would report, for the people and features of a study.

    Of the data only the sizes are read: people by arm, features by block, linked symptoms. What is
    drawn has the distribution that `build_generative` states, without compiling it. Loadings enter
    through their sums of squares.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    features : Dataset
        A FeatureSet, standardised.
    symptoms : DataFrame, optional
        As for `fit`; needed where the spec links symptoms.
    draws : int, default 2000
        Draws.
    seed : int, default 1
        The same seed gives the same draws.

    Returns
    -------
    DataTree
        Group ``prior`` with one chain: ``explained`` and ``sharing`` (arm, factor), ``arm_mean``
        (arm, factor), ``feature_variance`` (arm), ``n_active``, and with symptoms
        ``symptom_weight`` (factor, symptom) and ``symptom_linked``, the share of a symptom's
        variance that factors predict. With ``symptom_links: by_arm`` weights are those of the
        first arm.

    Raises
    ------
    SpecError
        If `draws` is below 100, or the spec cannot be honoured by these data.
    DataContractError
        If people, covariates or symptoms cannot serve the model.

    See Also
    --------
    summarise_prior : The draws as a table beside plausible ranges.

    References
    ----------
    .. [1] Gabry, J., Simpson, D., Vehtari, A., Betancourt, M. & Gelman, A. (2019). Visualization
       in Bayesian workflow. Journal of the Royal Statistical Society A, 182, 389-402.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> data = bm.simulate_cohort(seed=1, n_controls=0, n_regions=14)
    >>> tree = bm.prior_predictive(bm.SharedSpecificSpec(n_factors=3), data.features, draws=500)
    >>> dict(tree["prior"]["explained"].sizes)
    {'chain': 1, 'draw': 500, 'arm': 2, 'factor': 3}
    """
    if draws < 100:
        raise SpecError(f"draws must be at least 100 to say anything of a tail, got {draws}.")
    data = prepare(spec, features, symptoms)
    rng = np.random.default_rng([seed, PRIOR_STREAM])
    found = _draw_factors(spec, data, draws, rng)
    if spec.linked_symptoms:
        found |= _draw_symptoms(spec, data, found["block_scale"], rng)
    del found["block_scale"]
    coords = {
        ARM: np.array(data.arms, dtype=object),
        FACTOR: np.array([f"F{i + 1}" for i in range(spec.n_factors)], dtype=object),
    }
    if spec.linked_symptoms:
        coords[SYMPTOM] = np.array(spec.linked_symptoms, dtype=object)
    dims = {
        "explained": (ARM, FACTOR),
        "sharing": (ARM, FACTOR),
        "arm_mean": (ARM, FACTOR),
        "feature_variance": (ARM,),
        "n_active": (),
        "symptom_weight": (FACTOR, SYMPTOM),
        "symptom_linked": (SYMPTOM,),
    }
    prior = xr.Dataset(
        {name: ((CHAIN, DRAW, *dims[name]), x[None]) for name, x in found.items()},
        coords={**coords, CHAIN: [0], DRAW: np.arange(draws)},
    )
    return xr.DataTree.from_dict({"prior": prior})


def _half_t(rng: np.random.Generator, df: float, shape: tuple[int, ...]) -> Array:
    return np.abs(rng.standard_t(df, shape))


def _regularised(scale: Array, slab: float) -> Array:
    return np.asarray(scale / np.sqrt(1 + (scale / slab) ** 2))


def _draw_factors(
    spec: SharedSpecificSpec, data: ModelData, draws: int, rng: np.random.Generator
) -> dict[str, Array]:
    size, n_arms, k = data.n_features, len(data.arms), spec.n_factors
    overall = spec.factor_scale * _half_t(rng, 1.0, (draws, 1, k))
    local = _half_t(rng, spec.local_df, (draws, size.size, k))
    tau = _regularised(overall * local, spec.slab_scale)
    pattern = fixed_sharing(spec, data.arms)
    if pattern is None:
        alpha = np.full(n_arms, spec.sharing_concentration)
        sharing = np.swapaxes(rng.dirichlet(alpha, size=(draws, k)), 1, 2)
    else:
        sharing = np.broadcast_to(pattern.T, (draws, n_arms, k)).copy()
    noise = spec.noise_scale * np.abs(rng.standard_normal((draws, size.size)))
    # Of the loadings of a block, their sum of squares is all that is needed.
    squares = (noise[:, :, None] * tau) ** 2 * rng.chisquare(size[:, None], tau.shape)
    parts = n_arms * sharing * squares.sum(axis=1)[:, None]
    left = (noise**2 @ size)[:, None]
    total = parts.sum(axis=2) + left
    explained = parts / total[..., None]
    mean = rng.standard_normal(sharing.shape) * np.sqrt(mean_variance(spec, data.arms))
    return {
        "explained": explained,
        "sharing": sharing,
        "arm_mean": mean,
        "feature_variance": total / size.sum(),
        "n_active": (explained.max(axis=1) > MIN_EXPLAINED).sum(axis=1).astype(float),
        "block_scale": tau,
    }


def _draw_symptoms(
    spec: SharedSpecificSpec, data: ModelData, tau: Array, rng: np.random.Generator
) -> dict[str, Array]:
    draws, k = len(tau), spec.n_factors
    n_gaussian, n_items = len(data.symptoms), len(data.items)
    unit = np.repeat([1.0, LOGISTIC_SD], [n_gaussian, n_items])
    information = np.einsum("tbk,b->tk", tau**2, data.stats.block_size)
    reliable = (information / (1 + information))[:, :, None]
    shape = (draws, k, n_gaussian + n_items)
    weight = _horseshoe(OVERALL, shape, rng)
    if spec.symptom_links == "by_arm":
        # The contrasts of arms are orthonormal times sqrt(A / (A - 1)): unit variance in an arm.
        weight = weight + _horseshoe(OVERALL_DEVIATION, shape, rng)
    weight = weight * reliable * unit
    noise = np.tile(unit, (draws, 1))
    noise[:, :n_gaussian] = spec.symptom_scale * np.abs(rng.standard_normal((draws, n_gaussian)))
    linked = (weight**2).sum(axis=1)
    return {"symptom_weight": weight, "symptom_linked": linked / (linked + noise**2)}


def _horseshoe(overall: float, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    whole = overall * _half_t(rng, 1.0, (shape[0], 1, 1))
    scale = _regularised(whole * _half_t(rng, LOCAL_DF, shape), 1.0)
    return np.asarray(scale * rng.standard_normal(shape))


def summarise_prior(tree: xr.DataTree) -> pd.DataFrame:
    """Put prior draws beside ranges that studies of this kind make plausible.

    Parameters
    ----------
    tree : DataTree
        From `prior_predictive`.

    Returns
    -------
    DataFrame
        One row a quantity: ``quantity``, ``mean``, ``q05``, ``q50``, ``q95``, ``plausible``
        (text), ``p_plausible``, the prior probability of that range, and ``why``. Rows of
        probabilities have a mean only. The ranges are there to be looked at, not to be passed.
    """
    prior = tree["prior"].to_dataset().isel({CHAIN: 0})
    explained, sharing = prior["explained"], prior["sharing"]
    rows = []
    for arm in prior[ARM].values:
        own = explained.sel({ARM: arm})
        rows += [
            _row(f"variance explained by all factors, {arm}", own.sum(FACTOR), TOTAL),
            _row(f"variance explained by the largest factor, {arm}", own.max(FACTOR), LARGEST),
            _row(
                f"variance of a feature, {arm}", prior["feature_variance"].sel({ARM: arm}), FEATURE
            ),
        ]
    k = float(prior.sizes[FACTOR])
    some = Range(1.0, k, f"factors that explain over {MIN_EXPLAINED:.0%} of some arm")
    rows.append(_row("factors in use", prior["n_active"], some))
    if prior.sizes[ARM] > 1:
        part = sharing >= SPECIFIC_BELOW
        shared = float((part.sum(ARM) == prior.sizes[ARM]).mean())
        alone = float((part.sum(ARM) == 1).mean())
        rows += [
            _chance("P(a factor is shared by all arms)", shared),
            _chance("P(a factor is specific to some arm)", alone),
        ]
        spread = prior["arm_mean"].max(ARM) - prior["arm_mean"].min(ARM)
        rows.append(_row("difference of arm means in a factor, SD", spread, MEAN))
    if "symptom_weight" in prior:
        size = abs(prior["symptom_weight"])
        rows += [
            _row("size of a symptom weight", size, WEIGHT),
            _row(
                "share of a symptom's variance linked to factors", prior["symptom_linked"], LINKED
            ),
        ]
    return pd.DataFrame(rows)


def _row(name: str, values: xr.DataArray, plausible: Range) -> dict[str, object]:
    x = values.values.ravel()
    low, middle, high = np.quantile(x, [0.05, 0.5, 0.95])
    return {
        "quantity": name,
        "mean": float(x.mean()),
        "q05": float(low),
        "q50": float(middle),
        "q95": float(high),
        "plausible": f"{plausible.low:g} to {plausible.high:g}",
        "p_plausible": float(((x >= plausible.low) & (x <= plausible.high)).mean()),
        "why": plausible.why,
    }


def _chance(name: str, value: float) -> dict[str, object]:
    nothing = dict.fromkeys(("q05", "q50", "q95"), np.nan)
    return {
        "quantity": name,
        "mean": value,
        **nothing,
        "plausible": "",
        "p_plausible": np.nan,
        "why": f"an arm takes part with {SPECIFIC_BELOW:.0%} of the factor's variance",
    }
