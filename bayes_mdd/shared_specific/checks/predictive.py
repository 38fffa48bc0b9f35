"""Posterior predictive checks of the residuals."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.errors import SpecError
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.results.result import read_with_participants
from bayes_mdd.shared_specific.checks.factor_strength import factor_strength, largest_pattern
from bayes_mdd.shared_specific.checks.residual_correlation import (
    SharedRegions,
    effective_number,
    mean_squared_apart,
    shared_regions,
    sum_squared,
    unit_columns,
)
from bayes_mdd.shared_specific.checks.residuals import Residuals, residual_pairs
from bayes_mdd.shared_specific.checks.symptom_residuals import (
    SYMPTOMS,
    SYMPTOMS_BY_ARM,
    symptom_statistics,
)
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.schema import WHITENING
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Posterior predictive p-value below which a check fails.
ALPHA = 0.01
REGIONS = "residual correlation, edges sharing a region minus others"
FEATURES = "residual correlation, all pairs of features"
TAILS = "residual kurtosis"
SUBJECTS = "residual SD, spread over participants"
ARMS = "residual SD, between arms"
MEANING = {
    REGIONS: (
        "Mean squared correlation of residuals of edges that share a region, minus that of edges "
        "that share none; the model implies 0."
    ),
    FEATURES: "Mean squared correlation of residuals over all pairs of features.",
    TAILS: "Excess kurtosis of a feature's residuals; the model assumes Gaussian residuals.",
    SUBJECTS: (
        "SD over participants of the log of their residual SD; the model assumes equal noise."
    ),
    ARMS: "F ratio of log residual SD: between arms, over participants within arms.",
    SYMPTOMS: "Largest correlation of a symptom's residual with a factor's scores.",
    SYMPTOMS_BY_ARM: "The same among the participants of one arm.",
}


@dataclass(frozen=True, eq=False)
class PredictiveChecks:
    """Statistics of the residuals, of the data and of replicates under the same draws.

    Parameters
    ----------
    table : DataFrame
        One row per statistic: ``check``; ``observed``, its posterior mean for the data;
        ``expected``, ``lower`` and ``upper``, mean and 90 % interval for replicates; ``p_value``,
        the share of replicates at least as extreme; ``meaning``.
    blocks : DataFrame
        One row per block, then one for all features: ``block``, ``n_features``, ``n_effective``
        (effective number of features), ``too_narrow`` (square root of their
        ratio), ``kurtosis`` above that of replicates, and ``p_kurtosis``.
    subjects : DataFrame
        One row per subject, largest first: ``subject``, ``arm``, ``residual_sd`` relative to all,
        ``p_value`` (the share of replicates whose largest subject reaches it) and ``beyond``.
    factors : DataFrame
        One row per sampled factor: ``factor``; ``strength``, its contribution to the similarity of
        subjects, in units of the average contribution of noise; ``largest_left``, the same of the
        largest residual component; ``scores_too_narrow``, a lower bound of the factor by which
        the SD of its scores is too small.
    skipped : dict of str to str
        Checks that were omitted, with the reason.
    feature_weight : float, default 1.0
        Power of the features' likelihood in the fit (``feature_dependence``).
    whitened : bool, default False
        Whether the fit is to whitened edges, whose residuals are checked.
    """

    table: pd.DataFrame
    blocks: pd.DataFrame
    subjects: pd.DataFrame
    factors: pd.DataFrame
    skipped: dict[str, str] = field(default_factory=dict)
    feature_weight: float = 1.0
    whitened: bool = False

    @property
    def people(self) -> pd.DataFrame:
        """Former name of `subjects`."""
        warnings.warn(
            "PredictiveChecks.people is now called PredictiveChecks.subjects; the former name will "
            "be removed in the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.subjects


@one_blas_thread()
def predictive_checks(
    idata: xr.DataTree,
    *,
    draws: int = 200,
    seed: int = 1,
    training: xr.Dataset | None = None,
) -> PredictiveChecks:
    """Check the assumptions of a fit about its residuals by posterior prediction.

    For each draw the residuals of the data, after regression on covariates and scores, are
    compared with those of data replicated under the same draw. The model assumes that residuals
    are independent between features, Gaussian, and equally wide in all subjects and arms.
    Connectivity violates the first: edges that share a region have correlated errors. Of a fit to
    whitened edges, the residuals of the whitened features are checked.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    draws : int, default 200
        Draws of the posterior (at most) and replicates; the smallest p-value is
        ``1 / (draws + 1)``.
    seed : int, default 1
        Of the replicates.
    training : Dataset, optional
        FeatureSet of the fit; needed where the run does not hold it.

    Returns
    -------
    PredictiveChecks
        Tables by statistic, block, subject and factor.

    Raises
    ------
    SpecError
        If `draws` is below 20.
    DataContractError
        If the features of the fit are not available, or leave too few degrees of freedom.

    Notes
    -----
    For data generated by the model, P(p <= alpha) <= 2 alpha (Meng, 1994). The check of subjects
    treats features as independent; where they are not, its p-value is too small and the size of
    the deviation is more informative. Residuals of a subject are divided by their SD before
    features are correlated with each other.

    ``n_effective`` is P / (1 + (P - 1) r2) with r2 the mean squared residual correlation beyond
    chance; with d = P / n_effective, sums over features vary sqrt(d) times as much as under the
    model. It is an upper bound, because factors absorb part of what edges have in common. For
    scores see `factor_strength`. The interval of a single loading given the scores does not depend
    on other features.

    References
    ----------
    .. [1] Gelman, A., Meng, X.-L. & Stern, H. (1996). Posterior predictive assessment of model
       fitness via realized discrepancies. Statistica Sinica, 6, 733-807.
    .. [2] Meng, X.-L. (1994). Posterior predictive p-values. Annals of Statistics, 22, 1142-1160.
    .. [3] Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance
       components. Biometrics Bulletin, 2, 110-114.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> found = bm.predictive_checks(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> found.table[["check", "observed", "expected", "p_value"]]  # doctest: +SKIP
    """
    if draws < 20:
        raise SpecError(f"draws must be at least 20 for a p-value, got {draws}.")
    spec_of(read_with_participants(idata, "predictive checks"))
    fitted = read_fitted(idata, training, max_draws=draws)
    shared, skipped = _regions(idata)
    rng = generator(seed, Stream.PREDICTIVE)
    observed, replicated = residual_statistics(fitted, shared, rng)
    symptoms, why = symptom_statistics(idata, fitted, rng)
    skipped |= why
    for name, (data, replicate) in symptoms.items():
        observed[name], replicated[name] = data, replicate
    if len(fitted.arms) < 2:
        skipped[ARMS] = "there is one arm"
    names = [n for n in MEANING if n in observed and n not in skipped]
    table = pd.DataFrame([_row(n, observed[n], replicated[n]) for n in names])
    table.attrs["draws"] = len(observed[FEATURES])
    blocks = _blocks(fitted, observed, replicated)
    return PredictiveChecks(
        table=table,
        blocks=blocks,
        factors=factor_strength(
            fitted, float(blocks["n_effective"].iloc[-1]), float(observed["left"].mean())
        ),
        subjects=_by_subject(fitted, observed["by_subject"], replicated["by_subject"]),
        skipped=skipped,
        feature_weight=fitted.weight,
        whitened=WHITENING in idata.children,
    )


def residual_statistics(
    fitted: Fitted, shared: SharedRegions | None, rng: np.random.Generator
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Statistics of the residuals of the data and of replicates, draw by draw.

    Parameters
    ----------
    fitted : Fitted
        The fit, with the draws to use.
    shared : SharedRegions, optional
        Edges that share a region.
    rng : numpy.random.Generator
        For the replicates.

    Returns
    -------
    observed, replicated : dict of ndarray, shape (draw, ...)
        By statistic.
    """
    seen = [
        (_statistics(data, fitted, shared), _statistics(replicate, fitted, shared))
        for data, replicate in residual_pairs(fitted, rng)
    ]
    observed, replicated = (
        {name: np.stack([pair[side][name] for pair in seen]) for name in seen[0][0]}
        for side in (0, 1)
    )
    return observed, replicated


def _regions(idata: xr.DataTree) -> tuple[SharedRegions | None, dict[str, str]]:
    """Find edges and their regions, or the reason why there are none."""
    if WHITENING in idata.children:
        return None, {REGIONS: "edges were whitened; see all pairs of features"}
    described = idata["loadings"].to_dataset()
    if not {"region_a", "region_b"} <= set(described.coords):
        return None, {REGIONS: "features are not edges: they have no region_a and region_b"}
    ends = (described[name].values.astype(str) for name in ("region_a", "region_b"))
    shared = shared_regions(*ends)
    if not (shared.n_sharing and shared.n_apart):
        return None, {REGIONS: "no two edges share a region, or all do: nothing to compare"}
    return shared, {}


def _statistics(
    residuals: Residuals, fitted: Fitted, shared: SharedRegions | None
) -> dict[str, Array]:
    """All statistics of one set of residuals; each is large where the model is violated."""
    z = residuals.by_subject()
    subject_sd = np.sqrt(np.mean(z**2, axis=1))
    # Subjects of unequal noise would correlate all features; that has a check of its own.
    usable = np.isfinite(subject_sd)
    unit = unit_columns((z / subject_sd[:, None])[usable])
    sizes = np.maximum(fitted.size * (fitted.size - 1) / 2, 1)
    within = np.array([sum_squared(unit, (at,)) for at in fitted.members]) / sizes
    p = unit.shape[1]
    everything = sum_squared(unit, (np.arange(p),)) / max(p * (p - 1) / 2, 1)
    z2 = z[usable] ** 2
    fourth = np.mean(z2 * z2, axis=0) / np.mean(z2, axis=0) ** 2 - 3
    log_sd = np.log(subject_sd[usable])
    found = {
        FEATURES: np.array(everything),
        TAILS: np.array(fourth.mean()),
        SUBJECTS: np.array(log_sd.std()),
        ARMS: np.array(_between_arms(log_sd, fitted.arm[usable])),
        "by_block": within,
        "kurtosis": np.bincount(fitted.block, fourth, minlength=len(fitted.blocks)) / fitted.size,
        "by_subject": subject_sd / np.sqrt(np.nanmean(subject_sd**2)),
        "left": np.array(largest_pattern(residuals.coordinates)),
    }
    if shared is not None:
        sharing, apart = mean_squared_apart(unit, shared)
        found[REGIONS] = np.array(sharing - apart)
    return found


def _between_arms(log_sd: Array, arm: NDArray[np.int64]) -> float:
    """F ratio of one-way analysis of variance: arms against subjects within arms."""
    groups = [log_sd[arm == a] for a in np.unique(arm)]
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (log_sd.size - len(groups))
    between = sum(g.size * (g.mean() - log_sd.mean()) ** 2 for g in groups)
    return float(between / max(len(groups) - 1, 1) / within)


def p_value(observed: Array, replicated: Array) -> Array:
    """Share of replicates that are at least as large, with the data counted among them.

    Parameters
    ----------
    observed, replicated : ndarray, shape (draw, ...)
        The statistic under each draw.

    Returns
    -------
    ndarray
        Never 0.
    """
    return np.asarray((1 + (replicated >= observed).sum(axis=0)) / (1 + len(observed)))


def _row(name: str, observed: Array, replicated: Array) -> dict[str, object]:
    low, high = np.quantile(replicated, [0.05, 0.95])
    return {
        "check": name,
        "observed": float(observed.mean()),
        "expected": float(replicated.mean()),
        "lower": float(low),
        "upper": float(high),
        "p_value": float(p_value(observed, replicated)),
        "meaning": MEANING[name],
    }


def _blocks(
    fitted: Fitted, observed: dict[str, Array], replicated: dict[str, Array]
) -> pd.DataFrame:
    size = np.array([*fitted.size, fitted.size.sum()])
    squared = [*observed["by_block"].mean(axis=0), observed[FEATURES].mean()]
    chance = float(replicated[FEATURES].mean())
    effective = [effective_number(n, r, chance) for n, r in zip(size, squared, strict=True)]
    table = pd.DataFrame(
        {
            "block": [*fitted.blocks, "all features"],
            "n_features": size.astype(int),
            "n_effective": effective,
            "too_narrow": np.sqrt(size / np.array(effective)),
            "kurtosis": [
                *(observed["kurtosis"] - replicated["kurtosis"]).mean(axis=0),
                (observed[TAILS] - replicated[TAILS]).mean(),
            ],
            "p_kurtosis": [
                *p_value(observed["kurtosis"], replicated["kurtosis"]),
                float(p_value(observed[TAILS], replicated[TAILS])),
            ],
        }
    )
    return table


def _by_subject(fitted: Fitted, observed: Array, replicated: Array) -> pd.DataFrame:
    """Each subject against the largest of all subjects, so that the table is one test."""
    largest = np.nanmax(replicated, axis=1, keepdims=True)
    p = p_value(observed, largest)
    table = pd.DataFrame(
        {
            "subject": list(fitted.subjects),
            "arm": [fitted.arms[a] for a in fitted.arm],
            "residual_sd": observed.mean(axis=0),
            "p_value": np.where(np.isfinite(observed[0]), p, np.nan),
        }
    )
    table["beyond"] = table["p_value"] < ALPHA
    return table.sort_values("residual_sd", ascending=False, ignore_index=True)
