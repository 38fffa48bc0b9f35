"""Thresholds by which results are judged, each in one place.

`Rules` decides how a factor is labelled, `Limits` whether chains can be trusted. Defaults of
public functions, figures and reports are read from here; ``tests/project/test_model_cards.py``
compares them with the model card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bayes_mdd.errors import SpecError

#: Effective over actual number of features from which on their errors count as independent.
WEIGHT_LEFT_MIN: Final = 0.8


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How a factor is labelled.

    Parameters
    ----------
    specific_below : float, default 0.10
        An arm takes no part in a factor in those draws in which it holds less than this share of
        the factor's variance.
    probability : float, default 0.9
        A label is given when its posterior probability exceeds this.
    min_explained : float, default 0.01
        A factor is active when it explains more than this share of the variance of some arm.
    min_draws : int, default 100
        Draws, and effective draws of a factor, below which no label is given.
    ci_prob : float, default 0.9
        Probability of equal-tailed intervals.
    mean_rope : float, default 0.2
        Differences between arm means up to this size count as none, in SD of the scores.
    reliability_above : float, default 0.5
        A stable factor has a reliability above this.
    reliability_probability : float, default 0.9
        A factor is stable when its reliability exceeds `reliability_above` with at least this
        posterior probability, and not nameable when it does with at most one minus this.
    leverage : float, default 1/3
        No label is given to a factor of which one subject holds more than this share of the sum
        of squares of its scores.
    """

    specific_below: float = 0.10
    probability: float = 0.9
    min_explained: float = 0.01
    min_draws: int = 100
    ci_prob: float = 0.9
    mean_rope: float = 0.2
    reliability_above: float = 0.5
    reliability_probability: float = 0.9
    leverage: float = 1 / 3

    def check(self, n_arms: int) -> None:
        """Refuse thresholds that make no sense for a number of arms.

        Parameters
        ----------
        n_arms : int
            Number of arms of the fit.

        Raises
        ------
        SpecError
            Naming every threshold that is out of its range.
        """
        equal = max(n_arms, 2)
        problems = []
        if not 0 < self.specific_below < 1 / equal:
            problems.append(
                f"specific_below must lie between 0 and 1/{equal} (the share of each of "
                f"{n_arms} arms when all share alike), got {self.specific_below}."
            )
        if not 0.5 <= self.probability < 1:
            problems.append(f"probability must lie in [0.5, 1), got {self.probability}.")
        if not 0 <= self.min_explained < 1:
            problems.append(f"min_explained must lie in [0, 1), got {self.min_explained}.")
        if not 0 < self.ci_prob < 1:
            problems.append(f"ci_prob must lie between 0 and 1, got {self.ci_prob}.")
        if not 0 <= self.mean_rope < float("inf"):
            problems.append(f"mean_rope must be at least 0, got {self.mean_rope}.")
        for name in ("reliability_above", "leverage"):
            if not 0 < getattr(self, name) < 1:
                problems.append(f"{name} must lie between 0 and 1, got {getattr(self, name)}.")
        if not 0.5 <= self.reliability_probability < 1:
            problems.append(
                f"reliability_probability must lie in [0.5, 1), got {self.reliability_probability}."
            )
        if problems:
            raise SpecError("classify_factors: " + " ".join(problems))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When chains count as converged.

    Parameters
    ----------
    rhat_max : float, default 1.01
        Largest R-hat of quantities that order, sign and rotation of factors cannot change.
    ess_min : float, default 400
        Smallest bulk and tail effective sample size of these.
    bfmi_min : float, default 0.3
        Smallest Bayesian fraction of missing information.
    """

    rhat_max: float = 1.01
    ess_min: float = 400.0
    bfmi_min: float = 0.3


#: Label of a factor that explains nothing. It is no result: whatever is shown leaves it out.
UNUSED: Final = "unused"
#: Label of a factor that varies within scans, or between sessions, as much as between subjects.
NOT_NAMEABLE: Final = "not nameable"
#: Label of a factor about whose pattern the posterior does not decide.
UNDECIDED: Final = "undecided"
#: Label of a factor whose arm was not compared with another.
PRESENT: Final = "present"
#: Labels of factors about which nothing is said; figures show them in grey.
QUIET: Final = (UNUSED, "n/a")
#: The defaults of every public function.
RULES = Rules()
LIMITS = Limits()
#: A fast fit has short chains: wider limits, and a row that says it is approximate.
FAST_LIMITS = Limits(rhat_max=1.05, ess_min=100.0)
#: A factor is the same in all chains when the mean scores of each chain correlate with the
#: consensus by at least this much, and its explained variance has at most this R-hat.
MATCH_MIN = 0.9
FACTOR_RHAT_MAX = 1.05
