r"""Polar LDA with honest uncertainty: signed network blocks, arms, and what a token is worth.

Person m has :math:`N_m` tokens, spread over the 2 B signed blocks (block, hyper or hypo) as
:math:`n_m`. With compositions :math:`\theta_m` on the simplex and factors :math:`\phi_k` over
signed blocks,

.. math::
    n_m &\sim \mathrm{DirichletMultinomial}(N_m,\; \kappa\, \theta_m^\top \phi) \\
    \phi_k &= \mathrm{softmax}(\log b + s\, \eta_k), \quad \eta_{kw} \sim N(0, 1) \\
    \theta_m &= \mathrm{softmax}(\mu + \tau \delta_{a(m)} + \sigma \epsilon_m)

:math:`\kappa` is what N tokens are worth together: ordinary LDA says :math:`\kappa = \infty`, so
that ten times as many tokens make an interval three times narrower. Here scaling all counts
changes next to nothing, since :math:`\kappa` is learned. :math:`b` is the average person's
distribution over signed blocks and s how far factors depart from it: where there is nothing to
find s goes to zero and compositions to their prior, instead of into corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, FACTOR, SUBJECT
from bayes_mdd.errors import DataContractError

Array = NDArray[np.float64]

WORD = "word"
FREE_FACTOR = "free_factor"
#: What `sample` is asked to keep.
STORED = ("composition", "pattern", "token_worth", "spread", "arm_location", "person_scale")


@dataclass(frozen=True, eq=False)
class CompositionData:
    """Tokens of people over signed blocks.

    Parameters
    ----------
    tokens : ndarray of int, shape (subject, word)
        Words are blocks, all hypo-connected ones first.
    arm : ndarray of int, shape (subject,)
        Position of each person's arm in `arms`.
    arms, blocks, subjects : tuple of str
        Names.
    n_edges : int
        Edges behind the blocks: about as many observations as a person can hold.
    """

    tokens: NDArray[np.int64]
    arm: NDArray[np.int64]
    arms: tuple[str, ...]
    blocks: tuple[str, ...]
    subjects: tuple[str, ...]
    n_edges: int

    @property
    def base(self) -> Array:
        """Average distribution over signed blocks; half a token keeps absent ones possible."""
        share = (self.tokens + 0.5) / (self.tokens + 0.5).sum(axis=1, keepdims=True)
        return np.asarray(share.mean(axis=0))


def sum_blocks(
    counts: NDArray[np.integer[Any]],
    blocks: NDArray[np.str_],
    arm: NDArray[np.str_],
    subjects: NDArray[np.str_],
) -> CompositionData:
    """Sum signed counts of edges over network blocks.

    Parameters
    ----------
    counts : ndarray of int, shape (subject, edge)
        Signed counts (see `bayes_mdd.polar_lda.make_counts`).
    blocks : ndarray of str, shape (edge,)
        Block of each edge.
    arm, subjects : ndarray of str, shape (subject,)
        Arm and name of each person.

    Returns
    -------
    CompositionData
        What `build_composition` takes.

    Raises
    ------
    DataContractError
        If shapes disagree or somebody has no token.
    """
    if counts.shape != (len(arm), len(blocks)) or len(subjects) != len(arm):
        raise DataContractError(
            "signed blocks",
            [f"counts {counts.shape} against {len(arm)} people and {len(blocks)} edges."],
        )
    names, first, at = np.unique(blocks, return_index=True, return_inverse=True)
    order = np.argsort(first)
    member = (at[:, None] == order[None, :]).astype(np.int64)
    signed = counts.astype(np.int64)
    tokens = np.hstack([np.maximum(-signed, 0) @ member, np.maximum(signed, 0) @ member])
    if not tokens.any(axis=1).all():
        raise DataContractError("signed blocks", ["somebody has no token at all: leave them out."])
    arms, position = np.unique(arm, return_inverse=True)
    return CompositionData(
        tokens,
        position,
        tuple(map(str, arms)),
        tuple(map(str, names[order])),
        tuple(map(str, subjects)),
        len(blocks),
    )


def build_composition(data: CompositionData, n_factors: int) -> pm.Model:
    """Declare the graph.

    Parameters
    ----------
    data : CompositionData
        Tokens over signed blocks.
    n_factors : int
        Number of factors, at least 2.

    Returns
    -------
    pymc.Model
        Variables of `STORED`; the likelihood is ``tokens``.
    """
    words = [f"{b} {s}" for s in ("hypo", "hyper") for b in data.blocks]
    coords = {
        SUBJECT: list(data.subjects),
        FACTOR: [f"F{k + 1}" for k in range(n_factors)],
        FREE_FACTOR: [f"F{k + 1}" for k in range(n_factors - 1)],
        ARM: list(data.arms),
        WORD: words,
    }
    with pm.Model(coords=coords) as model:
        spread = pm.HalfNormal("spread", 0.5)
        eta = pm.Normal("eta", dims=(FACTOR, WORD))
        pattern = pm.Deterministic(
            "pattern",
            pm.math.softmax(np.log(data.base) + spread * eta, axis=1),
            dims=(FACTOR, WORD),
        )
        theta = _compositions(data, n_factors)
        # As many independent observations as edges, give or take a factor of 5.
        worth = pm.LogNormal("token_worth", np.log(data.n_edges), 1.5)
        pm.DirichletMultinomial(
            "tokens",
            n=data.tokens.sum(axis=1),
            a=worth * pt.dot(theta, pattern),
            observed=data.tokens,
            dims=(SUBJECT, WORD),
        )
    return model


def _compositions(data: CompositionData, n_factors: int) -> Any:
    """Declare the hierarchical prior of compositions; the last factor is the reference."""
    mean = pm.Normal("mean", 0.0, 1.0, dims=FREE_FACTOR)
    if len(data.arms) > 1:
        scale = pm.HalfNormal("arm_scale", 0.5)
        shift = pm.ZeroSumNormal("arm_shift", dims=(FREE_FACTOR, ARM)).T
        centre = mean[None, :] + scale * shift
    else:
        centre = mean[None, :]
    centre = pm.Deterministic("arm_location", centre, dims=(ARM, FREE_FACTOR))
    width = pm.HalfNormal("person_scale", 1.5, dims=FREE_FACTOR)
    noise = pm.Normal("person", dims=(SUBJECT, FREE_FACTOR))
    logit = centre[data.arm] + width * noise
    padded = pt.concatenate([logit, pt.zeros((len(data.subjects), 1))], axis=1)
    return pm.Deterministic("composition", pm.math.softmax(padded, axis=1), dims=(SUBJECT, FACTOR))


def composition_start(
    data: CompositionData, composition: Array, pattern: Array, *, n_factors: int
) -> dict[str, Any]:
    """Turn a variational solution into initial values.

    Parameters
    ----------
    data : CompositionData
        Tokens over signed blocks.
    composition : ndarray, shape (subject, factor)
        Rows sum to 1.
    pattern : ndarray, shape (factor, word)
        Rows sum to 1.
    n_factors : int
        Number of factors.

    Returns
    -------
    dict
        By variable.
    """
    safe = np.clip(composition, 0.02, None)
    logit = np.log(safe[:, :-1] / safe[:, -1:])
    width = np.maximum(logit.std(axis=0), 0.3)
    mean = logit.mean(axis=0)
    departure = np.log(np.clip(pattern, 1e-3 / pattern.shape[1], None)) - np.log(data.base)
    departure -= departure.mean(axis=1, keepdims=True)
    spread = max(float(departure.std()), 0.05)
    start: dict[str, Any] = {
        "spread": min(spread, 1.0),
        "eta": np.clip(departure / spread, -3, 3),
        "mean": mean,
        "person_scale": width,
        "person": (logit - mean) / width,
        "token_worth": float(data.n_edges),
    }
    if len(data.arms) > 1:
        start["arm_scale"] = 0.2
        start["arm_shift"] = np.zeros((n_factors - 1, len(data.arms)))
    return start


def arm_expression(location: Array, scale: Array, *, n_people: int = 256) -> Array:
    r"""Mean composition of the people each arm is drawn from, draw by draw.

    Parameters
    ----------
    location : ndarray, shape (draw, arm, factor - 1)
        Draws of ``arm_location``.
    scale : ndarray, shape (draw, factor - 1)
        Draws of ``person_scale``.
    n_people : int, default 256
        Quasi-random people over whom the logistic normal is averaged.

    Returns
    -------
    ndarray, shape (draw, arm, factor)
        Sums to 1 over factors.
    """
    from scipy.stats import norm, qmc

    grid = qmc.Halton(location.shape[-1], scramble=False).random(n_people + 1)[1:]
    people = norm.ppf(grid)
    logit = location[:, :, None, :] + scale[:, None, None, :] * people
    padded = np.concatenate([logit, np.zeros((*logit.shape[:-1], 1))], axis=-1)
    odds = np.exp(padded - padded.max(axis=-1, keepdims=True))
    return np.asarray((odds / odds.sum(axis=-1, keepdims=True)).mean(axis=2))
