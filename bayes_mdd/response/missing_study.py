"""Results as functions of what the missing outcomes are, for one scenario after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from bayes_mdd.response.benefit import DecisionRule
from bayes_mdd.response.missing_held_out import Fold, Held, join_folds, known_propensity
from bayes_mdd.response.missing_scenarios import ALL, Scenario
from bayes_mdd.response.missing_tipping import changed_at, choices, first_crossing, margins
from bayes_mdd.response.visit_mixture import fit_visits
from bayes_mdd.response.visits import VisitData
from bayes_mdd.types import Array, BoolArray, IntArray

#: Tipping points are searched up to this multiple of the largest delta, in this many steps.
REACH, STEPS = 2.0, 12
#: Folds in which patients are predicted by rules that did not see them, and draws of the effect.
FOLDS, DRAWS = 5, 4000
EFFECT: Final = "average effect"
GAIN: Final = "gain"


@dataclass(frozen=True, eq=False)
class Varied:
    """One scenario of missing outcomes.

    Parameters
    ----------
    scenario : Scenario
        Who is worse.
    table : DataFrame
        Rows of the table of `bayes_mdd.missing_sensitivity`.
    tipping : list of dict
        Rows of `bayes_mdd.tipping_points`.
    choice : ndarray of int, shape (subject,)
        Recommendation at delta 0: -1 for the default, 1 for the other drug, 0 for none.
    changed : ndarray, shape (subject,)
        Delta at which it changes; NaN where it does not.
    people : bool
        Whether recommendations may be given, and all reasons are shifted.
    """

    scenario: Scenario
    table: pd.DataFrame
    tipping: list[dict[str, Any]]
    choice: IntArray
    changed: Array
    people: bool


@dataclass(frozen=True, eq=False)
class Study:
    """Fits of all patients and of the folds, which every scenario shares.

    Parameters
    ----------
    data : VisitData
        All patients.
    deltas, grid : ndarray, shape (delta,)
        Points of the table, and those at which tipping points are searched.
    whole : Fold
        Fit of all patients.
    folds : list of Fold
        Fits without the patients of each fold.
    propensity : ndarray of shape (subject,) or None
        Probability of the other drug; None if it is not known.
    seed : int
        Of the draws of the average effect.
    """

    data: VisitData
    deltas: Array
    grid: Array
    whole: Fold
    folds: list[Fold]
    propensity: Array | None
    seed: int

    @classmethod
    def of(cls, data: VisitData, deltas: Array, rng: np.random.Generator) -> Study:
        """Fit all patients, and those of the folds.

        Parameters
        ----------
        data : VisitData
            All patients.
        deltas : ndarray, shape (delta,)
            Points of the table, ascending.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Study
            The fits.
        """
        steps = np.linspace(0.0, REACH * deltas[-1], STEPS + 1)
        other, gone = data.prepared.trial.other, data.gone
        number = np.bincount(other[~gone].astype(int), minlength=2).min()
        fold = _divide(2 * other + gone, min(FOLDS, int(number) // 2), rng)
        everyone = np.ones(other.size, dtype=bool)
        scales = data.prepared.scales
        return cls(
            data=data,
            deltas=deltas,
            grid=np.unique(np.concatenate([deltas, steps])),
            whole=Fold(data, everyone, fit_visits(data, scales), scales),
            folds=[Fold.of(data, fold != j) for j in range(int(fold.max()) + 1)],
            propensity=known_propensity(data.prepared),
            seed=int(rng.integers(2**31)),
        )

    def vary(self, scenario: Scenario) -> Varied:
        """Shift the missing outcomes of one scenario.

        Parameters
        ----------
        scenario : Scenario
            Who is worse.

        Returns
        -------
        Varied
            Results for every delta.
        """
        spec = self.data.prepared.spec
        tests: list[BoolArray] = [~f.train for f in self.folds]
        held = join_folds(
            [f.predict(scenario, self.grid, self.propensity) for f in self.folds], tests
        )
        rule = DecisionRule(minimum=self.data.prepared.minimum, p_star=spec.p_star, cost=spec.cost)
        margin = margins(held.benefit, held.p_benefit, rule, self.whole.fit.unit)
        choice = choices(margin)
        gain, error = _gain(held, choice)
        given = spec.assignment == "randomised" or spec.allow_observational is not None
        rows = []
        for delta in self.deltas:
            j = int(np.searchsorted(self.grid, delta))
            share = float((choice[j] != choice[0]).mean()) if given else float("nan")
            rows.append(
                {
                    "delta": float(delta),
                    "arms": scenario.arms,
                    "reasons": scenario.reasons,
                    "shifted": int(scenario.shifted.sum()),
                    **self._average(scenario, float(delta)),
                    "gain": gain[j],
                    "gain_lower": gain[j] - 1.645 * error[j],
                    "gain_upper": gain[j] + 1.645 * error[j],
                    "share_changed": share,
                }
            )
        return Varied(
            scenario=scenario,
            table=pd.DataFrame(rows),
            tipping=self._tipping(scenario, gain),
            choice=choice[0],
            changed=changed_at(self.grid, margin),
            people=given and scenario.reasons == ALL,
        )

    def _mean_effect(self, per_point: Array, delta: float) -> float:
        mixture = self.whole.fit.integrate(self.whole.scales, per_point * delta)
        return float(mixture.weight @ mixture.mean[:, -mixture.n_factors - 1])

    def _average(self, scenario: Scenario, delta: float) -> dict[str, float]:
        shift = scenario.shift(self.data.prepared.trial) * delta
        mixture = self.whole.fit.integrate(self.whole.scales, shift)
        benefit = -mixture.draw(np.random.default_rng(self.seed), DRAWS).drug
        low, high = np.quantile(benefit, [0.05, 0.95])
        mean = -float(mixture.weight @ mixture.mean[:, -mixture.n_factors - 1])
        return {
            "average_benefit": mean,
            "average_lower": float(low),
            "average_upper": float(high),
        }

    def _tipping(self, scenario: Scenario, gain: Array) -> list[dict[str, Any]]:
        per_point = scenario.shift(self.data.prepared.trial)

        def effect(delta: float) -> float:
            return self._mean_effect(per_point, delta)

        at_grid = np.array([effect(float(d)) for d in self.grid])
        found = {EFFECT: first_crossing(self.grid, at_grid, effect)}
        found[GAIN] = first_crossing(self.grid, gain) if np.isfinite(gain).all() else float("nan")
        keys = {"arms": scenario.arms, "reasons": scenario.reasons}
        return [
            {"result": name, **keys, "tipping": value, "said": self._say(name, value, gain)}
            for name, value in found.items()
        ]

    def _say(self, name: str, value: float, gain: Array) -> str:
        if np.isfinite(value):
            return f"{value:.1f}"
        if name == GAIN and not np.isfinite(gain).all():
            return "not estimated: arms were not randomised and no propensity is given"
        if name == GAIN and gain[0] == 0:
            return "no gain to lose: the rule gives everyone the default"
        return f"none up to {self.grid[-1]:g}"


def _divide(group: IntArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Assign folds at random, equally within each group."""
    fold = np.empty(group.size, dtype=np.int64)
    for one in np.unique(group):
        rows = rng.permutation(np.flatnonzero(group == one))
        fold[rows] = np.arange(rows.size) % folds
    return fold


def _gain(held: Held, choice: IntArray) -> tuple[Array, Array]:
    """Gain over the default and its standard error, shape (delta,)."""
    changed = choice == 1
    n = changed.shape[1]
    score = changed * held.effect
    imputed = (changed * held.variance).sum(axis=1) / n**2
    error = np.sqrt(score.var(axis=1, ddof=1) / n + imputed)
    return score.mean(axis=1), error
