"""Signed counts as documents of words, and the check of counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.types import Array, IntArray

#: Largest count: that of a 32-bit integer, far beyond what any z value yields.
COUNT_MAX = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, eq=False)
class Corpus:
    """One document per subject, stored one after the other.

    A word is an edge with a polarity: word ``2 e`` is edge e, hypo-connected; word ``2 e + 1`` is
    edge e, hyper-connected. A document contains at most one of the two.

    Parameters
    ----------
    start : ndarray of int, shape (subject + 1,)
        The words of subject i are those from ``start[i]`` to ``start[i + 1]``.
    word : ndarray of int, shape (n,)
        Words.
    count : ndarray of float, shape (n,)
        Tokens of each word.
    n_edges : int
        Number of edges, V.
    """

    start: IntArray
    word: IntArray
    count: Array
    n_edges: int

    @property
    def n_subjects(self) -> int:
        """Number of documents."""
        return len(self.start) - 1

    @property
    def length(self) -> Array:
        """Tokens of each subject, shape (subject,)."""
        return np.add.reduceat(self.count, self.start[:-1])

    def take(self, subjects: NDArray[np.integer[Any]]) -> Corpus:
        """Select the documents of some subjects.

        Parameters
        ----------
        subjects : ndarray of int
            Positions, in the order of the result; they may repeat.

        Returns
        -------
        Corpus
            Over the same edges.
        """
        size = np.diff(self.start)[subjects]
        rows = np.concatenate([np.arange(self.start[i], self.start[i + 1]) for i in subjects])
        start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        return Corpus(start, self.word[rows], self.count[rows], self.n_edges)


def read_corpus(counts: object, *, absent_edges: str = "raise", training: bool = True) -> Corpus:
    """Check signed counts and convert them to documents.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (subject, edge)
        Sign: polarity; size: number of tokens.
    absent_edges : {"raise", "keep"}, default "raise"
        Edges without a token in any subject are refused ("raise") or kept with probability
        exp(-100) as in the published program ("keep").
    training : bool, default True
        Whether a model is fitted to the counts. Subjects whose compositions are inferred from an
        existing model may lack any edge.

    Returns
    -------
    Corpus
        The documents.

    Raises
    ------
    DataContractError
        Naming every problem of the counts.
    """
    matrix = _as_rows(counts)
    problems = _value_problems(matrix)
    if not problems:
        problems = _zero_problems(matrix, training and absent_edges == "raise")
    if problems:
        raise DataContractError("counts", problems)
    signed = matrix.data.astype(np.int64)
    word = 2 * matrix.indices.astype(np.int64) + (signed > 0)
    return Corpus(
        matrix.indptr.astype(np.int64), word, np.abs(signed).astype(np.float64), matrix.shape[1]
    )


def _as_rows(counts: object) -> Any:
    """Copy to compressed rows without stored zeros."""
    if not sparse.issparse(counts):
        counts = np.asarray(counts)
        if counts.ndim != 2:
            raise DataContractError(
                "counts", [f"the array has {counts.ndim} dimension(s); expected (subject, edge)."]
            )
    dtype = counts.dtype  # type: ignore[attr-defined]
    if np.dtype(dtype).kind != "i":
        why = {
            "u": "unsigned integers have no polarity",
            "f": "these are decimal numbers; make_counts converts z values to counts",
        }.get(np.dtype(dtype).kind, "these are not numbers")
        raise DataContractError("counts", [f"dtype {dtype}, expected signed integers: {why}."])
    matrix = sparse.csr_array(counts, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def _value_problems(matrix: Any) -> list[str]:
    if min(matrix.shape) < 1:
        return [f"the array is empty: {matrix.shape[0]} participants, {matrix.shape[1]} edges."]
    # abs() of the most negative integer is negative, so both ends are compared.
    big = (matrix.data > COUNT_MAX) | (matrix.data < -COUNT_MAX)
    if not big.any():
        return []
    rows = np.unique(np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[big])
    return [
        f"{int(big.sum())} count(s) exceed {COUNT_MAX} (32-bit integers): rows {some(rows)}. "
        "Check for infinite or wrongly scaled z values, or lower the scale."
    ]


def _zero_problems(matrix: Any, refuse_absent: bool) -> list[str]:
    problems = []
    empty = np.flatnonzero(np.diff(matrix.indptr) == 0)
    if empty.size:
        problems.append(
            f"{empty.size} participant(s) without any token (rows {some(empty)}) have no "
            "composition. Exclude them, or raise the scale."
        )
    absent = np.setdiff1d(np.arange(matrix.shape[1]), matrix.indices)
    if refuse_absent and absent.size:
        problems.append(
            f"{absent.size} edge(s) have no token in any participant (columns {some(absent)}), so "
            "nothing can be estimated for them. Exclude them, raise the scale, or pass "
            'absent_edges="keep" to keep them with probability exp(-100).'
        )
    return problems
