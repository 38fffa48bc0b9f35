"""Specification of polar LDA (latent Dirichlet allocation of signed edges)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import (
    Spec,
    check_choices,
    check_number,
    check_positive,
    check_whole,
)


@dataclass(frozen=True, kw_only=True)
class PolarLDASpec(Spec):
    """Polar LDA: each subject is a mixture of patterns of hyper- and hypo-connected edges.

    Parameters
    ----------
    n_factors : int, default 3
        Number of factors, at least 2.
    method : {"variational", "full_bayes"}, default "variational"
        "variational" is the published model of edges. The run also reports what that model does
        not show: a null distribution, the agreement of restarts and the effect of `scale`.
        "full_bayes" samples a model of signed network blocks, which estimates the effective
        number of tokens and compares the arms. Only its intervals are calibrated.
    reference : {"controls", "patients"}, default "controls"
        The group that the features must be standardised against. With "patients", hyper- and
        hypo-connection mean more and less than in the average patient.
    scale : float, default 10.0
        Tokens per SD of a feature.
    rounding : {"symmetric", "floor"}, default "symmetric"
        Rounding of deviations to tokens. "floor" is the published rule; it favours
        hypo-connection by half a token.
    absent_edges : {"raise", "keep"}, default "raise"
        Edges without a token in any subject are refused ("raise") or kept with probability
        exp(-100) ("keep").
    n_restarts : int, default 10
        Number of random starts.
    choose_by : {"elbo", "correlation"}, default "elbo"
        Which restart is reported: the one with the highest evidence lower bound, or the one whose
        maps correlate most with those of the other restarts (as published).
    n_resamples : int, default 100
        Bootstrap resamples of subjects, at least 20. Used with ``method="variational"`` only.
    n_null : int, default 19
        Fits to edges permuted over subjects, at least 19, so that p = .05 can be reached.
    rope : float, default 0.05
        Region of practical equivalence: two arms express a factor equally when their mean
        compositions differ by less than this.

    Raises
    ------
    SpecError
        If a value is out of its range.

    Examples
    --------
    >>> PolarLDASpec(n_factors=2, rounding="floor").scale
    10.0
    """

    n_factors: int = 3
    method: Literal["variational", "full_bayes"] = "variational"
    reference: Literal["controls", "patients"] = "controls"
    scale: float = 10.0
    rounding: Literal["symmetric", "floor"] = "symmetric"
    absent_edges: Literal["raise", "keep"] = "raise"
    n_restarts: int = 10
    choose_by: Literal["elbo", "correlation"] = "elbo"
    n_resamples: int = 100
    n_null: int = 19
    rope: float = 0.05

    def __post_init__(self) -> None:
        check_whole(self, 2, "n_factors", "n_restarts")
        check_whole(self, 20, "n_resamples")
        check_whole(self, 19, "n_null")
        check_positive(self, "scale")
        check_number(self, "rope")
        if not 0 <= self.rope < 1:
            raise SpecError(f"rope must lie in [0, 1), got {self.rope}.")
        check_choices(self)
