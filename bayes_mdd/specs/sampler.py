"""How a posterior is sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec, check_number, check_whole

Backend = Literal["nutpie", "pymc", "numpyro"]


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(Spec):
    """How to sample the posterior.

    Parameters
    ----------
    seed : int, default 1
        The same seed gives the same numbers on the same machine.
    draws, tune : int, default 1000
        Kept and warm-up draws of each chain.
    chains : int, default 4
        Independent chains; fewer than 2 cannot be checked against each other.
    cores : int, optional
        Chains run at once; default as many as the machine has cores, at most `chains`.
    target_accept : float, default 0.9
        Aimed acceptance of the No-U-Turn sampler; raise it when draws diverge.
    backend : {"nutpie", "pymc", "numpyro"}, default "nutpie"
        The sampler. "nutpie" samples a written-out density, which needs no compilation, for all
        specs but those with ordinal items or links by arm; for these, and with the other two,
        the PyMC graph of the same posterior is compiled. "numpyro" needs the extra
        ``bayes-mdd[jax]``.
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals that are stored with the loadings.
    loading_draws : int, optional
        Draws of whole loading maps to keep; default as many as fit in 64 MB, at most 500.

    Raises
    ------
    SpecError
        If a value is out of its range.
    """

    seed: int = 1
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int | None = None
    target_accept: float = 0.9
    backend: Backend = "nutpie"
    ci_prob: float = 0.9
    loading_draws: int | None = None

    def __post_init__(self) -> None:
        check_whole(self, 1, "draws", "tune", "chains")
        check_whole(self, 0, "seed")
        for name in ("cores", "loading_draws"):
            if getattr(self, name) is not None:
                check_whole(self, 1, name)
        check_number(self, "target_accept", "ci_prob")
        for name in ("target_accept", "ci_prob"):
            if not 0 < (value := getattr(self, name)) < 1:
                raise SpecError(f"{name} must lie between 0 and 1, got {value}.")
        if self.backend not in get_args(Backend):
            raise SpecError(f"backend must be one of {get_args(Backend)}, got {self.backend!r}.")
