"""Prior predictive draws: what a spec expects of a study before the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.errors import SpecError
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.data.ratings import LOGISTIC_SD
from bayes_mdd.shared_specific.prior.arms import fixed_sharing
from bayes_mdd.shared_specific.prior.priors import Priors, build_priors
from bayes_mdd.shared_specific.prior.reliability import reliability
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array


@dataclass(frozen=True)
class Range:
    """Range of a quantity that is plausible for studies of this kind.

    Parameters
    ----------
    low, high : float
        Limits.
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
    """Draw the quantities that a fit reports from their priors, for the sizes of a study.

    Only the sizes of the data are used: subjects by arm, features by block, linked symptoms. Draws
    have the distribution of `build_generative`, without compiling it. Loadings enter through their
    sums of squares.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    features : Dataset
        A FeatureSet, standardised.
    symptoms : DataFrame, optional
        As for `fit`; needed where the spec links symptoms.
    draws : int, default 2000
        Number of draws.
    seed : int, default 1
        Seed of the draws.

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
        If `draws` is below 100, or the spec does not suit these data.
    DataContractError
        If subjects, covariates or symptoms do not suit the model; every problem is listed.

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
        raise SpecError(f"draws must be at least 100 for quantiles of the tails, got {draws}.")
    data = prepare(spec, features, symptoms)
    rng = generator(seed, Stream.PRIOR)
    priors = build_priors(spec, data.arms)
    found = draw_factors(spec, data, priors, draws, rng)
    if spec.linked_symptoms:
        sizes = (len(data.symptoms), len(data.items))
        found |= draw_symptoms(spec, data, priors, found["block_scale"], rng, sizes)
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


def draw_factors(
    spec: SharedSpecificSpec,
    data: ModelData,
    priors: Priors,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draw the quantities of the factors from their priors.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        Sizes of the study.
    priors : Priors
        Of the spec.
    draws : int
        Number of draws.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    dict of str to ndarray
        By name, draws first: variables of `prior_predictive`, and ``block_scale``.
    """
    size, n_arms, k = data.n_features, len(data.arms), spec.n_factors
    tau = priors.block_scale.draw_scale(rng, (draws, size.size, k), common=(1,))
    pattern = fixed_sharing(spec, data.arms)
    if pattern is None:
        sharing = np.swapaxes(priors.sharing.draw(rng, (draws, k)), 1, 2)
    else:
        sharing = np.broadcast_to(pattern.T, (draws, n_arms, k)).copy()
    noise = priors.noise.draw(rng, (draws, size.size))
    # Only the sum of squares of the loadings of a block is needed.
    squares = (noise[:, :, None] * tau) ** 2 * rng.chisquare(size[:, None], tau.shape)
    parts = n_arms * sharing * squares.sum(axis=1)[:, None]
    residual = (noise**2 @ size)[:, None]
    total = parts.sum(axis=2) + residual
    explained = parts / total[..., None]
    return {
        "explained": explained,
        "sharing": sharing,
        "arm_mean": priors.arm_mean.draw(rng, (draws,)),
        "feature_variance": total / size.sum(),
        "n_active": (explained.max(axis=1) > RULES.min_explained).sum(axis=1).astype(float),
        "block_scale": tau,
    }


def draw_symptoms(
    spec: SharedSpecificSpec,
    data: ModelData,
    priors: Priors,
    tau: Array,
    rng: np.random.Generator,
    sizes: tuple[int, int],
) -> dict[str, Array]:
    """Draw the weights of symptoms from their priors.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        Sizes of the study.
    priors : Priors
        Of the spec.
    tau : ndarray, shape (draw, block, factor)
        Draws of the block scales.
    rng : numpy.random.Generator
        For the draws.
    sizes : tuple of int
        Number of Gaussian dimensions and of ordinal items.

    Returns
    -------
    dict of str to ndarray
        ``symptom_weight`` (draw, factor, symptom) and ``symptom_linked`` (draw, symptom).
    """
    draws, k = len(tau), spec.n_factors
    n_gaussian, n_items = sizes
    unit = np.repeat([1.0, LOGISTIC_SD], [n_gaussian, n_items])
    reliable = reliability(tau, data.stats.block_size)[:, :, None]
    shape = (draws, k, n_gaussian + n_items)
    weight = priors.symptom_weight.draw(rng, shape, common=(1, 2))
    if spec.symptom_links == "by_arm":
        # Contrasts of arms are scaled to unit variance in each arm.
        weight = weight + priors.symptom_arm.draw(rng, shape, common=(1, 2))
    weight = weight * reliable * unit
    noise = np.tile(unit, (draws, 1))
    noise[:, :n_gaussian] = priors.symptom_noise.draw(rng, (draws, n_gaussian))
    linked = (weight**2).sum(axis=1)
    return {"symptom_weight": weight, "symptom_linked": linked / (linked + noise**2)}


def summarise_prior(tree: xr.DataTree) -> pd.DataFrame:
    """Compare prior draws with ranges that are plausible for studies of this kind.

    Parameters
    ----------
    tree : DataTree
        From `prior_predictive`.

    Returns
    -------
    DataFrame
        One row per quantity: ``quantity``, ``mean``, ``q05``, ``q50``, ``q95``, ``plausible``
        (text), ``p_plausible``, the prior probability of that range, and ``why``. Rows of
        probabilities have a mean only. The ranges inform; they are not a criterion to pass.
    """
    prior = tree["prior"].to_dataset().isel({CHAIN: 0})
    explained, sharing = prior["explained"], prior["sharing"]
    rows = []
    for arm in prior[ARM].values:
        by_factor = explained.sel({ARM: arm})
        rows += [
            _row(f"variance explained by all factors, {arm}", by_factor.sum(FACTOR), TOTAL),
            _row(
                f"variance explained by the largest factor, {arm}", by_factor.max(FACTOR), LARGEST
            ),
            _row(
                f"variance of a feature, {arm}", prior["feature_variance"].sel({ARM: arm}), FEATURE
            ),
        ]
    k = float(prior.sizes[FACTOR])
    some = Range(1.0, k, f"factors that explain over {RULES.min_explained:.0%} of some arm")
    rows.append(_row("factors in use", prior["n_active"], some))
    if prior.sizes[ARM] > 1:
        part = sharing >= RULES.specific_below
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
        "why": f"an arm takes part with {RULES.specific_below:.0%} of the factor's variance",
    }
