"""Tokens of people over signed network blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.errors import DataContractError
from bayes_mdd.types import Array


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
    size : ndarray of float, shape (block,)
        Number of edges of each block; their sum is about as many observations as a person can
        hold.
    """

    tokens: NDArray[np.int64]
    arm: NDArray[np.int64]
    arms: tuple[str, ...]
    blocks: tuple[str, ...]
    subjects: tuple[str, ...]
    size: Array

    @property
    def n_edges(self) -> int:
        """Edges of all blocks."""
        return int(self.size.sum())


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
        member.sum(axis=0).astype(np.float64),
    )
