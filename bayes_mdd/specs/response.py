"""Specification of the model of treatment response."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec, check_choices, check_names, check_number, check_positive

Missing = Literal["mar", "complete"]
OutcomeKind = Literal["gaussian", "student", "binary", "ordinal", "binomial"]
Assignment = Literal["randomised", "observational"]


@dataclass(frozen=True, kw_only=True)
class ResponseSpec(Spec):
    """Who gets better (prognosis), and who gets better on which drug (moderation).

    Priors are in units of the SD of the outcome given baseline and covariates; results are in
    points of the outcome.

    Parameters
    ----------
    outcome : str
        Column of the outcome table.
    default_arm : str
        The drug that is given without further knowledge. It must be declared, not estimated:
        choosing the arm with the better estimate is the main source of harm in small trials.
    assignment : {"randomised", "observational"}
        How patients came to their arm. Without randomisation results are associations, and no
        drug is recommended.
    baseline : str, optional
        Column with the outcome before treatment.
    kind : {"gaussian", "student", "binary", "ordinal", "binomial"}, default "gaussian"
        Distribution of the outcome. Prefer points ("gaussian", "student"): binary and ordinal
        outcomes cannot have a noise of their own in each arm, and a noisier arm then resembles
        moderation.
    covariates : sequence of str
        Further columns, measured before treatment, that the outcome is adjusted for.
    site_effects : bool, default True
        Whether sites have effects of their own, where the table has a column ``site``.
    higher_is_better : bool, default False
        Direction of the outcome.
    minimum : float, optional
        Smallest expected benefit for which a drug is preferred, in the unit of the outcome: points,
        or the probability, level or number of successes. Default: 1.5 points for the 17-item
        Hamilton scale, otherwise 0.21 SD of the outcome given baseline.
    p_star : float, default 0.8
        Smallest probability of a benefit with which a drug is preferred.
    cost : float, default 0.0
        What the other drug costs apart from the outcome, in the same unit: side effects,
        preference.
    drug_scale : float, default 0.15
        Prior SD of the average difference between the drugs. The default suits two
        antidepressants; a drug against placebo needs about 0.5.
    moderation_scale : float, default 0.25
        Scale of the half-normal prior of the SD of the benefit over patients.
    prognosis_scale : float, default 0.3
        Prior SD of the slope on each factor that is common to both drugs.
    rope : float, default 0.1
        SD of the benefit below which there is nothing to choose by, in SD of the outcome.
    missing : {"mar", "complete"}, default "mar"
        Patients without an outcome: "mar" lets their earlier visits enter, where visits are given
        (missing at random given arm, baseline, covariates, scores and earlier visits); "complete"
        leaves them out.
    deltas : sequence of float, optional
        Points by which missing outcomes are assumed to be worse in the sensitivity analysis, see
        `missing_sensitivity`. Default: 0, 2, 4 and 6 for the 17-item Hamilton scale, otherwise 0,
        0.3, 0.6 and 0.9 SD of the outcome given baseline.
    allow_observational : str, optional
        Reason for recommendations from observational arms. It is printed with every result.

    Raises
    ------
    SpecError
        If a value is out of its range.

    Examples
    --------
    >>> spec = ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> spec.p_star
    0.8
    """

    outcome: str
    default_arm: str
    assignment: Assignment
    baseline: str | None = None
    kind: OutcomeKind = "gaussian"
    covariates: tuple[str, ...] = ()
    site_effects: bool = True
    higher_is_better: bool = False
    minimum: float | None = None
    p_star: float = 0.8
    cost: float = 0.0
    drug_scale: float = 0.15
    moderation_scale: float = 0.25
    prognosis_scale: float = 0.3
    rope: float = 0.1
    missing: Missing = "mar"
    deltas: tuple[float, ...] | None = None
    allow_observational: str | None = None

    def __post_init__(self) -> None:
        check_choices(self)
        check_names(self, "covariates")
        check_positive(self, "drug_scale", "moderation_scale", "prognosis_scale", "rope")
        check_number(self, "p_star", "cost")
        if problems := [*self._wrong_columns(), *self._wrong_decision(), *self._wrong_deltas()]:
            raise SpecError(" ".join(problems))

    def _wrong_columns(self) -> list[str]:
        problems = [
            f"{name} must be the name of a column, got {getattr(self, name)!r}."
            for name in ("outcome", "default_arm")
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip()
        ]
        if self.baseline == self.outcome:
            problems.append(
                f"baseline and outcome are the same column ('{self.outcome}'): baseline is the "
                "value before treatment."
            )
        taken = (self.outcome, self.baseline, "arm")
        if repeated := [c for c in self.covariates if c in taken]:
            problems.append(
                f"covariates list {repeated[0]!r}, which is the outcome, the baseline or the arm."
            )
        for name in ("site_effects", "higher_is_better"):
            if not isinstance(getattr(self, name), bool):
                problems.append(f"{name} must be true or false, got {getattr(self, name)!r}.")
        return problems

    def _wrong_deltas(self) -> list[str]:
        if self.deltas is None:
            return []
        try:
            object.__setattr__(self, "deltas", check_deltas(self.deltas))
        except SpecError as error:
            return [str(error)]
        return []

    def _wrong_decision(self) -> list[str]:
        problems = []
        if not 0.5 <= self.p_star < 1:
            problems.append(f"p_star must lie in [0.5, 1), got {self.p_star}.")
        if not 0 <= self.cost < float("inf"):
            problems.append(f"cost must be a number of points of at least 0, got {self.cost}.")
        if self.minimum is not None:
            check_number(self, "minimum")
            if not 0 <= self.minimum < float("inf"):
                problems.append(
                    f"minimum must be a number of points of at least 0, got {self.minimum}."
                )
        if self.kind == "binary" and not problems:
            problems += [
                f"{name} is a difference of probabilities where the outcome is binary, and must be "
                f"below 1, got {value}."
                for name, value in (("minimum", self.minimum), ("cost", self.cost))
                if value is not None and value >= 1
            ]
        reason = self.allow_observational
        if reason is not None and len(str(reason).split()) < 3:
            problems.append("allow_observational must state a reason of at least three words.")
        if reason is not None and self.assignment == "randomised":
            problems.append("allow_observational is for observational arms only.")
        return problems


def check_deltas(deltas: Any) -> tuple[float, ...]:
    """Check the points by which missing outcomes are assumed to be worse.

    Parameters
    ----------
    deltas : sequence of float
        Numbers of at least 0, one of them above 0.

    Returns
    -------
    tuple of float
        In ascending order, with 0 as the first.

    Raises
    ------
    SpecError
        If they are no such numbers.

    Examples
    --------
    >>> check_deltas([4, 2])
    (0.0, 2.0, 4.0)
    """
    wrong = (
        "deltas must be a list of points of at least 0 by which missing outcomes are worse, such "
        f"as [0, 2, 4, 6], got {deltas!r}."
    )
    if isinstance(deltas, str) or not isinstance(deltas, Iterable):
        raise SpecError(wrong)
    values = list(deltas)
    if any(isinstance(v, bool) or not isinstance(v, Real) for v in values):
        raise SpecError(wrong)
    numbers = {float(v) for v in values}
    if not all(0 <= v < float("inf") for v in numbers) or not max(numbers, default=0.0) > 0:
        raise SpecError(wrong)
    return tuple(sorted(numbers | {0.0}))
