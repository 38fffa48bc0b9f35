"""Prior sensitivity: power-scaling of each prior and of the likelihood."""

from __future__ import annotations

from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.errors import DataContractError
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.results.checks import Check
from bayes_mdd.results.result import read_with_participants
from bayes_mdd.shared_specific.checks.log_prior import log_priors
from bayes_mdd.shared_specific.checks.symptom_residuals import stored_symptoms, thinned_weights
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.leave_one_out import subject_log_likelihood
from bayes_mdd.shared_specific.new_subjects.read_fitted import MAX_DRAWS, read_fitted
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Threshold of sensitivity of Kallioinen et al. (2024).
THRESHOLD = 0.05
#: Number of rotations of the log density against the draws, for the sensitivity due to chance.
ROTATIONS = 10
CONFLICT = "prior and data disagree"
STRONG = "strong prior or weak data"
UNCLEAR = "too few draws to judge the likelihood"
NOTHING = ""
#: Reported quantities.
QUANTITIES = ("sharing", "explained", "arm_mean", "symptom_weight")
#: The setting of each group of priors.
SETTING = {
    "sharing": "sharing_concentration",
    "arm_mean": "mean_scale",
    "factor_scale": "factor_scale",
    "noise": "noise_scale",
    "symptom_scale": "overall scale of symptom weights",
    "symptom_noise": "symptom_scale",
}


@one_blas_thread()
def prior_sensitivity(
    idata: xr.DataTree,
    *,
    max_draws: int = MAX_DRAWS,
    seed: int = 1,
    training: xr.Dataset | None = None,
) -> pd.DataFrame:
    """Measure how reported quantities change when a prior or the likelihood is raised to a power.

    Draws are reweighted, without another fit. Each group of priors is scaled separately, so that
    the table shows on which setting a result depends.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    max_draws : int, default 1000
        Largest number of posterior draws to use.
    seed : int, default 1
        Seed of the overall scales, which are drawn again, and of the integration over scores.
    training : Dataset, optional
        FeatureSet of the fit; required if the run does not contain it.

    Returns
    -------
    DataFrame
        One row per quantity of a sampled factor: ``quantity`` (``sharing``, ``explained``,
        ``arm_mean``, ``symptom_weight``), ``factor``, ``arm``, ``symptom``, ``mean``, ``sd``;
        for each group of priors ``prior_<group>``, its sensitivity, and ``shift_<group>``, the
        change of the mean in posterior SD when that prior is squared, to first order;
        ``likelihood``, the sensitivity to the data; ``rests_on``, groups above 0.05 and above
        chance; ``diagnosis``. ``attrs["chance"]`` holds, by group, the mean sensitivity due to
        chance with this number of draws. Groups, as far as the model has them: ``sharing``,
        ``arm_mean``, ``factor_scale``, ``noise``, ``symptom_scale``, ``symptom_noise``.

    Raises
    ------
    DataContractError
        If the run has no factor, or does not contain its features.
    SpecError
        If there are fewer than 4 draws per chain, each feature has its own noise
        (``feature_noise="student"``), or the likelihood of the features is weighted.

    Notes
    -----
    In a hierarchy the topmost prior is scaled, as the reference recommends: ``factor_scale`` is
    the half-Cauchy above the block scales, ``symptom_scale`` that above the symptom weights.
    ``local_df``, ``slab_scale`` and deviations of arms from common symptom weights are not
    examined.

    The likelihood is that of subjects given all others, with their own scores integrated out, and
    of Gaussian symptom dimensions given scores. (The likelihood of features given scores would
    suggest weak data about sharing, although subjects, not features, limit what is known of it.)
    Ordinal items are not included. This likelihood varies considerably between draws, so its
    sensitivity is less precise than those of priors; more draws help.

    References
    ----------
    .. [1] Kallioinen, N., Paananen, T., Bürkner, P.-C. & Vehtari, A. (2024). Detecting and
       diagnosing prior and likelihood sensitivity with power-scaling. Statistics and Computing,
       34, 57.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> found = bm.prior_sensitivity(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> found[["quantity", "factor", "arm", "prior_sharing", "likelihood"]]  # doctest: +SKIP
    """
    spec_of(read_with_participants(idata, "prior sensitivity"))
    fitted = read_fitted(idata, training, max_draws=max_draws)
    chosen = (
        idata["posterior"].to_dataset().sel({CHAIN: fitted.draws.chain, DRAW: fitted.draws.draw})
    )
    on = np.flatnonzero(fitted.draws.block_scale.any(axis=(0, 1)))
    if not on.size:
        raise DataContractError("run", ["it has no factor, so there is no result to examine."])
    rng = generator(seed, Stream.SENSITIVITY)
    priors = log_priors(fitted, chosen, on, rng)
    by_subject = subject_log_likelihood(idata, training=training, max_draws=max_draws, seed=seed)
    likelihood = by_subject.sum("subject").values + _symptom_likelihood(idata, fitted, chosen)
    names = [n for n in QUANTITIES if n in chosen and (n != "sharing" or "sharing" in priors)]
    reported = chosen[names].isel({FACTOR: on})
    shape = (CHAIN, DRAW)
    log_prior = xr.Dataset(
        {name: (shape, x.reshape(likelihood.shape)) for name, x in priors.items()}
    )
    tree = xr.DataTree.from_dict(
        {
            "posterior": reported,
            "log_prior": log_prior,
            "log_likelihood": xr.Dataset({"all": (shape, likelihood)}),
        }
    )
    table = _describe(reported)
    chance = {}
    for name in priors:
        table[f"prior_{name}"], chance[name] = _sensitivity(tree, "prior", name, rng)
        table[f"shift_{name}"] = _flat(_shift_if_squared(reported, log_prior[name]))
    table["likelihood"], chance["likelihood"] = _sensitivity(tree, "likelihood", "all", rng)
    return _diagnosed(table, chance)


def _symptom_likelihood(idata: xr.DataTree, fitted: Fitted, chosen: xr.Dataset) -> Array:
    """Log density of Gaussian symptom dimensions given scores, (chain, draw)."""
    shape = (chosen.sizes[CHAIN], chosen.sizes[DRAW])
    symptoms = stored_symptoms(idata, fitted) if "symptom_weight" in chosen else ()
    total = np.zeros(shape[0] * shape[1])
    if not symptoms:
        return total.reshape(shape)
    weights = thinned_weights(idata, fitted)
    noise = chosen["symptom_noise"].transpose(CHAIN, DRAW, SYMPTOM).values
    noise = noise.reshape(total.size, -1)
    for s, symptom in enumerate(symptoms):
        by_subject = weights[..., s][:, fitted.arm[symptom.rated]]
        predicted = np.einsum("tnk,tnk->tn", fitted.draws.scores[:, symptom.rated], by_subject)
        residual = symptom.value - predicted @ symptom.basis
        total += (-0.5 * (residual / noise[:, s, None]) ** 2 - np.log(noise[:, s, None])).sum(
            axis=1
        )
    return total.reshape(shape)


def _shift_if_squared(reported: xr.Dataset, log_prior: xr.DataArray) -> xr.Dataset:
    """Shift of each mean in SD when a prior is squared: d E[q] / d ln(power) = Cov(q, log p)."""
    centred = log_prior - log_prior.mean()
    covariance = (reported * centred).mean((CHAIN, DRAW))
    sd = reported.std((CHAIN, DRAW))
    shift: xr.Dataset = np.log(2) * covariance / sd.where(sd > 0)
    return shift


def _describe(reported: xr.Dataset) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for name in map(str, reported.data_vars):
        x = reported[name]
        mean, sd = x.mean((CHAIN, DRAW)), x.std((CHAIN, DRAW))
        dims = [str(d) for d in mean.dims]
        for at in np.ndindex(*mean.shape):
            where = {d: str(mean[d].values[i]) for d, i in zip(dims, at, strict=True)}
            rows.append(
                {
                    "quantity": name,
                    FACTOR: where[FACTOR],
                    ARM: where.get(ARM, ""),
                    SYMPTOM: where.get(SYMPTOM, ""),
                    "mean": float(mean.values[at]),
                    "sd": float(sd.values[at]),
                }
            )
    return pd.DataFrame(rows)


def _flat(values: xr.Dataset) -> Array:
    """Values in the order of `_describe`."""
    return np.concatenate([values[n].values.ravel() for n in QUANTITIES if n in values])


def _sensitivity(
    tree: xr.DataTree, group: str, name: str, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Sensitivity of every quantity, and the sensitivity due to chance with these draws."""
    values = tree[f"log_{group}"].to_dataset()[[name]]

    def measure(log_density: xr.Dataset) -> Array:
        part = xr.DataTree.from_dict(
            {"posterior": tree["posterior"].to_dataset(), f"log_{group}": log_density}
        )
        return _flat(az.psense(part, group=group, group_var_names=[name]))

    # Rotated against the draws, a log density keeps its autocorrelation and loses its meaning.
    n = values.sizes[CHAIN] * values.sizes[DRAW]
    by_chance = []
    for by in rng.integers(n // 10, n - n // 10, size=ROTATIONS):
        rotated = values.map(
            lambda x, by=by: x.copy(data=np.roll(x.values.ravel(), by).reshape(x.shape))
        )
        by_chance.append(measure(rotated))
    return measure(values), np.quantile(by_chance, 0.95, axis=0)


def _diagnosed(table: pd.DataFrame, chance: dict[str, Array]) -> pd.DataFrame:
    groups = [g for g in chance if g != "likelihood"]
    sensitive = np.stack(
        [table[f"prior_{g}"].to_numpy() >= np.maximum(THRESHOLD, chance[g]) for g in groups], axis=1
    )
    table["rests_on"] = [
        ", ".join(g for g, hit in zip(groups, row, strict=True) if hit) for row in sensitive
    ]
    by_data = table["likelihood"].to_numpy() >= np.maximum(THRESHOLD, chance["likelihood"])
    precise = chance["likelihood"] < THRESHOLD
    table["diagnosis"] = np.select(
        [~sensitive.any(axis=1), by_data, precise], [NOTHING, CONFLICT, STRONG], UNCLEAR
    )
    table.attrs["chance"] = {g: float(x.mean()) for g, x in chance.items()}
    return table


def judge_sensitivity(table: pd.DataFrame) -> Check:
    """Summarise which results depend on which priors.

    Parameters
    ----------
    table : DataFrame
        From `prior_sensitivity`.

    Returns
    -------
    Check
        Not judged (``passed`` None) if a result is sensitive, because a prior may be meant to
        matter.
    """
    rows = table[table["diagnosis"] != NOTHING]
    groups = sorted({g for cell in rows["rests_on"] for g in cell.split(", ")})
    named = [
        " ".join(filter(None, map(str, row)))
        for row in rows[["quantity", FACTOR, ARM, SYMPTOM]].itertuples(index=False)
    ]
    why = rows["rests_on"] + ": " + rows["diagnosis"]
    listed = [f"{name} ({text})" for name, text in zip(named[:4], why[:4], strict=True)]
    more = f" and {len(rows) - 4} more" if len(rows) > 4 else ""
    advice = (
        f"{'; '.join(listed)}{more}. Fit again with another "
        f"{', '.join(SETTING[g] for g in groups)} and report both."
    )
    return Check(
        "results that rest on a prior (power-scaling)",
        float(len(rows)),
        "0",
        None if len(rows) else True,
        advice if len(rows) else "",
    )
