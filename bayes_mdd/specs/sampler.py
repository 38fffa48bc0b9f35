"""Settings of the posterior sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec, check_choices, check_number, check_whole

Backend = Literal["auto", "nutpie", "alternating", "pymc", "numpyro"]


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(Spec):
    """Settings of the posterior sampler.

    Parameters
    ----------
    seed : int, default 1
        Random seed. The same seed gives the same numbers on the same machine.
    draws, tune : int, default 1000
        Kept draws and warm-up draws per chain.
    chains : int, default 4
        Independent chains. Convergence checks need at least 2.
    cores : int, optional
        Chains that run at the same time. Default: the number of cores of the machine, at most
        `chains`.
    target_accept : float, default 0.9
        Target acceptance rate of the No-U-Turn sampler. Raise it when there are divergences.
    backend : {"auto", "nutpie", "alternating", "pymc", "numpyro"}, default "auto"
        The sampler of the shared-specific model; all of them have the same posterior. "nutpie"
        samples a closed-form density without compiling a PyMC graph. "alternating" draws scores
        and loadings exactly, in turn, and all scales by Hamiltonian Monte Carlo; its time grows
        with the number of participants, not with its square. "auto" is "nutpie" up to 300
        participants (half differences of scans count as well) and "alternating" beyond. Ordinal
        symptoms, ``symptom_links="by_arm"`` and ``feature_noise="student"`` need the PyMC graph,
        which is compiled first and which "pymc" and "numpyro" always sample. "numpyro" needs the
        extra ``bayes-mdd[jax]``. Other families take "auto" and "alternating" for "nutpie".
    ci_prob : float, default 0.9
        Probability mass of the equal-tailed intervals that are stored with the loadings.
    loading_draws : int, optional
        Number of draws of whole loading maps to keep. Default: as many as fit in 64 MB, at most
        500.

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
    backend: Backend = "auto"
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
        check_choices(self)
