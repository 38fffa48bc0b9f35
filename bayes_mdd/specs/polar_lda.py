"""Latent Dirichlet allocation over hyper- and hypo-connected edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec, check_number, check_positive, check_whole


@dataclass(frozen=True, kw_only=True)
class PolarLDASpec(Spec):
    """Polar LDA: people are mixtures of patterns of hyper- and hypo-connected edges.

    Parameters
    ----------
    n_factors : int, default 3
        Number of factors, at least 2.
    method : {"variational", "full_bayes"}, default "variational"
        "variational" is the published model on edges, with everything it hides beside it.
        "full_bayes" samples a model of signed network blocks that learns what a token is worth
        and compares arms; its intervals can be believed.
    reference : {"controls", "patients"}, default "controls"
        What the features must be standardised against. With "patients", hyper and hypo mean more
        and less than the average patient.
    scale : float, default 10.0
        Tokens a SD.
    rounding : {"symmetric", "floor"}, default "symmetric"
        "floor" is the published rounding, which favours hypo-connection by half a token.
    absent_edges : {"raise", "keep"}, default "raise"
        Whether an edge without tokens in everybody is refused or kept with probability exp(-100).
    n_restarts : int, default 10
        Random starts.
    choose_by : {"elbo", "correlation"}, default "elbo"
        Which restart is reported: the highest bound, or the highest map correlation with the
        others (as published).
    n_resamples : int, default 100
        Bootstrap resamples of people, at least 20. Only with ``method="variational"``.
    n_null : int, default 19
        Fits to permuted edges, at least 19, so that p = .05 can be reached.
    rope : float, default 0.05
        Two arms express a factor alike when their mean compositions differ by less than this.

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
        for name, known in {
            "method": ("variational", "full_bayes"),
            "reference": ("controls", "patients"),
            "rounding": ("symmetric", "floor"),
            "absent_edges": ("raise", "keep"),
            "choose_by": ("elbo", "correlation"),
        }.items():
            if (value := getattr(self, name)) not in known:
                raise SpecError(f"{name} must be one of {known}, got {value!r}.")
