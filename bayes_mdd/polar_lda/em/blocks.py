"""Which edge belongs to which network block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.types import BoolArray


def block_membership(blocks: NDArray[np.str_]) -> tuple[NDArray[np.str_], BoolArray]:
    """Tabulate the block of each edge.

    Parameters
    ----------
    blocks : ndarray of str, shape (edge,)
        Block of each edge.

    Returns
    -------
    names : ndarray of str, shape (block,)
        Blocks in the order of their first appearance.
    member : ndarray of bool, shape (edge, block)
        One True per row.

    Examples
    --------
    >>> names, member = block_membership(np.array(["b", "a", "b"]))
    >>> names.tolist(), member.sum(axis=0).tolist()
    (['b', 'a'], [2, 1])
    """
    names, first, code = np.unique(blocks, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return names[order], code[:, None] == order[None, :]
