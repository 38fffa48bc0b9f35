"""Verdicts on the reliability of factors, and what a report says about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayes_mdd.results.rules import RULES
from bayes_mdd.types import Array, IntArray

#: What a reliability was estimated from. A later source decides over the earlier ones.
Source = Literal["none", "halves", "pieces", "sessions"]
SOURCES: tuple[Source, ...] = ("none", "halves", "pieces", "sessions")
Verdict = Literal["stable", "open", "not nameable", "unknown"]

_STABLE = {
    "halves": "Stable within the scan: {value}. A state that lasts for the whole scan is not "
    "excluded.",
    "pieces": "Of its variance, {value} would remain in a longer scan. This allows for states of "
    "up to half a scan; a slower state is not excluded.",
    "sessions": "ICC {value}: trait over the interval between the sessions.",
}
_OPEN = {
    "halves": "Reliability within the scan {value}: open.",
    "pieces": "Of its variance, {value} would remain in a longer scan: open.",
    "sessions": "ICC {value}: open.",
}
_KEPT = (
    "It is kept in the model so that estimates of the other factors are not biased; it is not a "
    "signature."
)
_NOT_NAMEABLE = {
    "halves": "Reliability within the scan {value}: varies within the scan as much as between "
    f"participants (state or motion). {_KEPT}",
    "pieces": "Of its variance, {value} would remain in a longer scan: state or motion. " + _KEPT,
    "sessions": "ICC {value}: varies between sessions as much as between participants (state or "
    f"motion). {_KEPT}",
}
_BESIDE = {
    "halves": "Within the scan {value}.",
    "pieces": "Share that would remain in a longer scan {value}.",
}
UNKNOWN = (
    "Reliability unknown: one scan alone does not show whether this is a state or a trait. It is "
    "not a signature."
)


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Posterior of the reliability of one factor.

    Parameters
    ----------
    source : {"none", "halves", "pieces", "sessions"}
        What it was estimated from; "none" for one scan alone.
    mean : float
        Posterior mean.
    lower, upper : float
        Ends of the shortest interval. An equal-tailed interval could not contain 0 or 1, the
        reliabilities of a pure state and of a pure trait.
    p_above : float
        Probability that the reliability exceeds the threshold.
    probability : float, default 0.9
        Smallest probability of a verdict.
    """

    source: Source = "none"
    mean: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")
    p_above: float = float("nan")
    probability: float = RULES.reliability_probability

    @classmethod
    def of(
        cls,
        source: Source,
        draws: Array,
        *,
        above: float = RULES.reliability_above,
        probability: float = RULES.reliability_probability,
        ci_prob: float = RULES.ci_prob,
    ) -> Reliability:
        """Summarise draws.

        Parameters
        ----------
        source : {"halves", "pieces", "sessions"}
            What the draws come from; for sessions, draws of the ICC of one session.
        draws : ndarray
            Equally weighted draws of the reliability, any shape. If some are not finite, nothing
            is known.
        above : float, default 0.5
            Threshold that a stable factor exceeds.
        probability : float, default 0.9
            Smallest probability of a verdict.
        ci_prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        Reliability
            Mean, interval and probability.
        """
        if source == "none" or draws.size == 0 or not np.isfinite(draws).all():
            return cls(probability=probability)
        lower, upper = shortest_interval(draws, ci_prob)
        return cls(
            source=source,
            mean=float(draws.mean()),
            lower=lower,
            upper=upper,
            p_above=float((draws > above).mean()),
            probability=probability,
        )

    @property
    def verdict(self) -> Verdict:
        """Stable, open, not nameable, or unknown where nothing was measured."""
        if self.source == "none":
            return "unknown"
        if self.p_above >= self.probability:
            return "stable"
        # 1 - 0.9 is slightly less than 0.1.
        return "not nameable" if self.p_above <= 1 - self.probability + 1e-12 else "open"

    @property
    def text(self) -> str:
        """Mean with its interval, e.g. ``0.98 (0.95 to 1.00)``."""
        if self.source == "none":
            return "unknown"
        return f"{self.mean:.2f} ({self.lower:.2f} to {self.upper:.2f})"

    @property
    def sentence(self) -> str:
        """What a report says about the factor."""
        verdict = self.verdict
        if verdict == "unknown":
            return UNKNOWN
        said = {"stable": _STABLE, "open": _OPEN, "not nameable": _NOT_NAMEABLE}[verdict]
        return said[self.source].format(value=self.text)


def deciding(*estimates: Reliability) -> Reliability:
    """Choose the estimate that decides: sessions over pieces over halves.

    Parameters
    ----------
    *estimates : Reliability
        Estimates for one factor, from different sources, in any order.

    Returns
    -------
    Reliability
        The one from the latest source; "none" if there is no estimate.

    Examples
    --------
    >>> deciding(Reliability.of("halves", np.array([0.98])), Reliability()).verdict
    'stable'
    """
    return max((Reliability(), *estimates), key=lambda r: SOURCES.index(r.source))


def describe(*estimates: Reliability) -> str:
    """Say what the estimates of one factor show: the deciding one first, the others beside it.

    Parameters
    ----------
    *estimates : Reliability
        Estimates for one factor, from different sources, in any order.

    Returns
    -------
    str
        One or more sentences.
    """
    decides = deciding(*estimates)
    others = sorted(
        (r for r in estimates if r.source not in ("none", decides.source)),
        key=lambda r: -SOURCES.index(r.source),
    )
    return " ".join([decides.sentence, *(_BESIDE[r.source].format(value=r.text) for r in others)])


def shortest_interval(draws: Array, probability: float = RULES.ci_prob) -> tuple[float, float]:
    """Shortest interval that contains a share of the draws.

    Parameters
    ----------
    draws : ndarray
        Equally weighted draws, any shape.
    probability : float, default 0.9
        Share of the draws.

    Returns
    -------
    tuple of float
        Lower and upper end.

    Examples
    --------
    >>> shortest_interval(np.array([0.2, 0.8, 0.9, 0.95, 1.0]), 0.8)
    (0.8, 1.0)
    """
    ordered = np.sort(draws, axis=None)
    n_inside = max(int(np.ceil(probability * ordered.size - 1e-9)), 1)
    first = int(np.argmin(ordered[n_inside - 1 :] - ordered[: ordered.size - n_inside + 1]))
    return float(ordered[first]), float(ordered[first + n_inside - 1])


def leverage(scores: Array) -> tuple[Array, IntArray]:
    """Largest share of the sum of squares of each factor that one subject holds.

    Parameters
    ----------
    scores : ndarray, shape (subject, factor)
        Scores, one row for each subject, with the design projected out.

    Returns
    -------
    share : ndarray, shape (factor,)
        Between 1 / subject and 1; 0 for a factor whose scores are all 0.
    subject : ndarray of int, shape (factor,)
        Position of that subject.

    Examples
    --------
    >>> leverage(np.array([[3.0], [1.0], [-1.0], [1.0]]))
    (array([0.75]), array([0]))
    """
    square = scores**2
    total = square.sum(axis=0)
    share = np.divide(square, total, out=np.zeros_like(square), where=total > 0)
    return np.asarray(share.max(axis=0)), np.asarray(share.argmax(axis=0))


def leverage_sentence(share: float, subject: str, limit: float = RULES.leverage) -> str:
    """Say that one participant dominates a factor.

    Parameters
    ----------
    share : float
        Share of the sum of squares of the factor that the participant holds.
    subject : str
        Participant id; empty where it is withheld.
    limit : float, default 1/3
        Largest share with which a label is given.

    Returns
    -------
    str
        For the table of factors and the report.

    Examples
    --------
    >>> leverage_sentence(0.68, "sub-07")
    'One participant (sub-07) holds 68% of the variance of this factor (limit 33%). No label.'
    """
    who = f" ({subject})" if subject else ""
    return (
        f"One participant{who} holds {share:.0%} of the variance of this factor "
        f"(limit {limit:.0%}). No label."
    )
