"""Tokens of subjects over signed network blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.polar_lda.em.blocks import block_membership
from bayes_mdd.types import Array, IntArray


@dataclass(frozen=True, eq=False)
class CompositionData:
    """Tokens of subjects over signed blocks.

    Parameters
    ----------
    tokens : ndarray of int, shape (subject, word)
        Words are blocks: first all hypo-connected ones, then all hyper-connected ones.
    arm : ndarray of int, shape (subject,)
        Position of each subject's arm in `arms`.
    arms, blocks, subjects : tuple of str
        Names.
    size : ndarray of float, shape (block,)
        Number of edges of each block. Their sum is about the largest number of independent
        observations per subject.
    """

    tokens: IntArray
    arm: IntArray
    arms: tuple[str, ...]
    blocks: tuple[str, ...]
    subjects: tuple[str, ...]
    size: Array

    @property
    def n_edges(self) -> int:
        """Number of edges of all blocks."""
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
        Arm and identifier of each subject.

    Returns
    -------
    CompositionData
        For `build_composition`.

    Raises
    ------
    DataContractError
        If shapes disagree or a subject has no token.
    """
    if counts.shape != (len(arm), len(blocks)) or len(subjects) != len(arm):
        raise DataContractError(
            "signed blocks",
            [
                f"counts have shape {counts.shape}; expected (subject, edge), with {len(arm)} "
                f"entries in arm, {len(subjects)} in subjects and {len(blocks)} in blocks."
            ],
        )
    names, belongs = block_membership(blocks)
    member = belongs.astype(np.int64)
    signed = counts.astype(np.int64)
    tokens = np.hstack([np.maximum(-signed, 0) @ member, np.maximum(signed, 0) @ member])
    empty = ~tokens.any(axis=1)
    if empty.any():
        raise DataContractError(
            "signed blocks", [f"no token in {some(np.asarray(subjects)[empty])}. Exclude them."]
        )
    arms, position = np.unique(arm, return_inverse=True)
    return CompositionData(
        tokens,
        position,
        tuple(map(str, arms)),
        tuple(map(str, names)),
        tuple(map(str, subjects)),
        member.sum(axis=0).astype(np.float64),
    )
