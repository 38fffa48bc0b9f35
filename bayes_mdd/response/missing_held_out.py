"""Benefits and outcome scores of held-out patients, as functions of what missing outcomes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bayes_mdd.response.column_checks import PROPENSITY
from bayes_mdd.response.missing_scenarios import Scenario
from bayes_mdd.response.mixture import Mixture, Scales
from bayes_mdd.response.prepare import Prepared
from bayes_mdd.response.visit_mixture import VisitFit, fit_visits
from bayes_mdd.response.visits import VisitData
from bayes_mdd.types import Array, BoolArray, IntArray

#: Components of the mixture with a smaller probability are left out of predictions.
NEGLIGIBLE = 1e-5


@dataclass(frozen=True, eq=False)
class Held:
    """Predictions for patients who did not teach, shape (delta, subject), oriented.

    Parameters
    ----------
    benefit, p_benefit : ndarray
        Expected benefit of the other drug in points, and probability of any.
    effect : ndarray
        Score of the benefit (outcome on the default minus that on the other drug), by augmented
        inverse probability weighting; missing outcomes are those expected from visits plus delta.
    variance : ndarray
        Variance of the score because outcomes are missing.
    """

    benefit: Array
    p_benefit: Array
    effect: Array
    variance: Array


@dataclass(frozen=True, eq=False)
class Fold:
    """One fit of visits, and the patients it did not see."""

    data: VisitData
    train: BoolArray
    fit: VisitFit
    scales: Scales

    @classmethod
    def of(cls, data: VisitData, train: BoolArray) -> Fold:
        """Fit the training patients.

        Parameters
        ----------
        data : VisitData
            All patients.
        train : ndarray of bool, shape (subject,)
            Who teaches.

        Returns
        -------
        Fold
            The fit.
        """
        scales = data.prepared.scales
        return cls(data, train, fit_visits(data.take(train), scales), scales)

    def predict(self, scenario: Scenario, deltas: Array, propensity: Array | None) -> Held:
        """Predict the held-out patients for every delta.

        Parameters
        ----------
        scenario : Scenario
            Who is worse.
        deltas : ndarray, shape (delta,)
            Points.
        propensity : ndarray of shape (subject,), optional
            Probability of the other drug; without it there are no scores (NaN).

        Returns
        -------
        Held
            Of the patients that are not in `train`.
        """
        test = ~self.train
        held = self.data.take(test)
        trial = held.prepared.trial
        per_point = scenario.shift(self.data.prepared.trial, self.train)
        known = self.fit.integrate(self.scales)
        outcome, variance = expected_outcome(self.fit, known.weight @ known.mean, held)
        rows: list[tuple[Array, Array, Array]] = []
        for delta in deltas:
            mixture = self.fit.integrate(self.scales, per_point * delta)
            benefit, p = predict_from_scores(mixture, trial.mean, trial.covariance)
            effect = np.full(benefit.size, np.nan)
            if propensity is not None:
                value = outcome + delta * scenario.shifted[test]
                effect = _effect_score(mixture, trial.columns, value, trial.other, propensity[test])
            rows.append((benefit, p, effect))
        chance = np.full(trial.other.size, np.nan)
        if propensity is not None:
            chance = np.where(trial.other, propensity[test], 1 - propensity[test])
        benefits, ps, effects = (np.stack(x) for x in zip(*rows, strict=True))
        return Held(benefits, ps, effects, np.tile(variance / chance**2, (len(deltas), 1)))


def _effect_score(
    mixture: Mixture, columns: Array, outcome: Array, other: BoolArray, propensity: Array
) -> Array:
    """Augmented inverse probability weighting, with predictions of the training patients."""
    k = mixture.n_factors
    coefficient = mixture.weight @ mixture.mean
    n = coefficient.size - 2 * k - 1
    common = columns[:, : n + k] @ coefficient[: n + k]
    # Of the columns, the arm code and its products carry the difference between the drugs.
    change = coefficient[n + k] + columns[:, n : n + k] @ coefficient[n + k + 1 :]
    on_default, on_other = common - change / 2, common + change / 2
    of_default = on_default + ~other * (outcome - on_default) / (1 - propensity)
    of_other = on_other + other * (outcome - on_other) / propensity
    return np.asarray(of_default - of_other)


def predict_from_scores(mixture: Mixture, mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Predict benefits in closed form.

    Parameters
    ----------
    mixture : Mixture
        The posterior.
    mean, covariance : ndarray, shape (subject, factor), (subject, factor, factor)
        Moments of the scores.

    Returns
    -------
    benefit, p_benefit : ndarray, shape (subject,)
        Expected benefit in points, and probability of any; the t distributions of the components
        are taken as normal.
    """
    k = mixture.n_factors
    used = mixture.weight > NEGLIGIBLE * mixture.weight.max()
    weight = mixture.weight[used] / mixture.weight[used].sum()
    coefficient, root = mixture.mean[used][:, -k - 1 :], mixture.root[used][:, -k - 1 :]
    variance = mixture.rate[used] / (mixture.shape - 1)
    x = np.column_stack([np.ones(len(mean)), mean])
    centre = -coefficient @ x.T
    moved = np.einsum("jpq,ip->jiq", root, x, optimize=True)
    spread = variance[:, None] * np.square(moved).sum(axis=2)
    if k and covariance.any():
        slopes = variance[:, None, None] * (root[:, 1:] @ np.swapaxes(root[:, 1:], 1, 2))
        second = slopes + coefficient[:, 1:, None] * coefficient[:, None, 1:]
        spread = spread + second.reshape(len(second), -1) @ covariance.reshape(len(mean), -1).T
    p = weight @ ndtr(centre / np.sqrt(np.maximum(spread, 1e-300)))
    return np.asarray(weight @ centre), np.asarray(p)


def expected_outcome(fit: VisitFit, endpoint: Array, held: VisitData) -> tuple[Array, Array]:
    """Outcomes where they are known, otherwise what arm, scores and visits let expect.

    Parameters
    ----------
    fit : VisitFit
        Of other patients.
    endpoint : ndarray, shape (coefficient,)
        Coefficients at the endpoint, in points.
    held : VisitData
        Patients.

    Returns
    -------
    outcome, variance : ndarray, shape (subject,)
        Mean and variance of each outcome, in points; the variance is 0 where it is known.
    """
    trial, k = held.prepared.trial, fit.n_factors
    seen = ~np.isnan(held.values)
    t = seen.shape[1]
    early = fit.early_mean * fit.unit + fit.early_slope @ endpoint
    coefficient = np.vstack([early.reshape(t - 1, endpoint.size), endpoint])
    mean = trial.columns @ coefficient.T
    covariance = fit.covariance[trial.other.astype(int)] * fit.unit**2
    if k and trial.covariance.any():
        slope = coefficient[:, -2 * k - 1 : -k - 1]
        slope = slope + trial.code[:, None, None] * coefficient[:, -k:]
        covariance = covariance + slope @ trial.covariance @ np.swapaxes(slope, 1, 2)
    both = seen[:, :, None] & seen[:, None, :]
    filled = np.where(both, covariance, 0.0) + np.eye(t) * ~seen[:, None, :]
    towards = np.where(seen, covariance[:, :, -1], 0.0)
    weight = np.linalg.solve(filled, towards[:, :, None])[:, :, 0]
    left = np.where(seen, held.values - mean, 0.0)
    expected = mean[:, -1] + (weight * left).sum(axis=1)
    variance = covariance[:, -1, -1] - (weight * towards).sum(axis=1)
    known = seen[:, -1]
    return (
        np.where(known, held.values[:, -1], expected),
        np.where(known, 0.0, np.maximum(variance, 0.0)),
    )


def known_propensity(prepared: Prepared) -> Array | None:
    """Probability of the other drug of each patient.

    Parameters
    ----------
    prepared : Prepared
        Patients.

    Returns
    -------
    ndarray of shape (subject,), or None
        As stated, or the allocation within each stratum of a randomised trial; None otherwise.
    """
    if PROPENSITY in prepared.table:
        return prepared.table[PROPENSITY].to_numpy(dtype=float)
    if prepared.spec.assignment != "randomised":
        return None
    other, stratum = prepared.trial.other, prepared.stratum
    share = np.bincount(stratum, other) / np.bincount(stratum)
    share = np.where((share > 0) & (share < 1), share, other.mean())
    return np.asarray(share[stratum])


def join_folds(parts: Sequence[Held], tests: Sequence[BoolArray]) -> Held:
    """Join the predictions of all folds in the order of the patients.

    Parameters
    ----------
    parts : sequence of Held
        Of each fold.
    tests : sequence of ndarray of bool, shape (subject,)
        Its patients.

    Returns
    -------
    Held
        Of all patients.
    """
    order: IntArray = np.argsort(np.concatenate([np.flatnonzero(t) for t in tests]))
    names = ("benefit", "p_benefit", "effect", "variance")
    return Held(
        *(np.concatenate([getattr(p, name) for p in parts], axis=1)[:, order] for name in names)
    )
