"""Signed counts as documents of words, and the check of what people bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayes_mdd.errors import DataContractError, some

#: Counts above this are refused: 32-bit integers hold no more, and no z does that.
COUNT_MAX = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, eq=False)
class Corpus:
    """The documents, one a person, with the words of a person side by side.

    A word is an edge with a polarity: word ``2 e`` is edge e hypo-, word ``2 e + 1`` edge e
    hyper-connected. Each person has at most one of the two.

    Parameters
    ----------
    start : ndarray of int, shape (person + 1,)
        The words of person i are those from ``start[i]`` to ``start[i + 1]``.
    word : ndarray of int, shape (n,)
        Which word.
    count : ndarray of float, shape (n,)
        How many tokens of it.
    n_edges : int
        Number of edges, V.
    """

    start: NDArray[np.int64]
    word: NDArray[np.int64]
    count: NDArray[np.float64]
    n_edges: int

    @property
    def n_people(self) -> int:
        """Number of documents."""
        return len(self.start) - 1

    @property
    def length(self) -> NDArray[np.float64]:
        """Tokens of each person, shape (person,)."""
        return np.add.reduceat(self.count, self.start[:-1])

    def take(self, people: NDArray[np.integer[Any]]) -> Corpus:
        """Documents of some people, in that order; one may be named twice.

        Parameters
        ----------
        people : ndarray of int
            Positions.

        Returns
        -------
        Corpus
            Over the same edges.
        """
        size = np.diff(self.start)[people]
        rows = np.concatenate([np.arange(self.start[i], self.start[i + 1]) for i in people])
        start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        return Corpus(start, self.word[rows], self.count[rows], self.n_edges)


def read_corpus(counts: object, *, absent_edges: str = "raise", training: bool = True) -> Corpus:
    """Check signed counts and turn them into documents.

    Parameters
    ----------
    counts : ndarray or scipy sparse array of signed integers, shape (person, edge)
        Sign: polarity; size: number of tokens.
    absent_edges : {"raise", "keep"}, default "raise"
        What to do about an edge that is zero in everybody: refuse, or keep it with the
        probability exp(-100) of the published program.
    training : bool, default True
        Whether a model is to be learned from them; people who are only placed in a model that
        exists may lack any edge.

    Returns
    -------
    Corpus
        The documents.

    Raises
    ------
    DataContractError
        Naming everything that is wrong.
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
    """Compressed rows without stored zeros; the caller's matrix is not touched."""
    if not sparse.issparse(counts):
        counts = np.asarray(counts)
        if counts.ndim != 2:
            raise DataContractError(
                "counts", [f"have {counts.ndim} dimension(s): expected (person, edge)."]
            )
    kind = np.dtype(counts.dtype).kind  # type: ignore[attr-defined]
    if kind != "i":
        why = {
            "u": "are unsigned, so they hold no polarity",
            "f": "are decimal numbers; make_counts turns z values into counts",
        }.get(kind, "are not numbers")
        raise DataContractError(
            "counts",
            [f"{counts.dtype} {why}: expected signed integers."],  # type: ignore[attr-defined]
        )
    matrix = sparse.csr_array(counts, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def _value_problems(matrix: Any) -> list[str]:
    if min(matrix.shape) < 1:
        return [f"are empty: {matrix.shape[0]} people, {matrix.shape[1]} edges."]
    # abs() of the most negative integer is negative, so both ends are looked at.
    big = (matrix.data > COUNT_MAX) | (matrix.data < -COUNT_MAX)
    if not big.any():
        return []
    people = np.unique(np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[big])
    return [
        f"{int(big.sum())} count(s) are beyond {COUNT_MAX} (32-bit integers): rows "
        f"{some(people)}. Look for infinite or wrongly scaled z values, or lower the scale."
    ]


def _zero_problems(matrix: Any, refuse_absent: bool) -> list[str]:
    problems = []
    empty = np.flatnonzero(np.diff(matrix.indptr) == 0)
    if empty.size:
        problems.append(
            f"{empty.size} people have no count at all (rows {some(empty)}): a document without "
            "words has no composition. Leave them out, or raise the scale."
        )
    absent = np.setdiff1d(np.arange(matrix.shape[1]), matrix.indices)
    if refuse_absent and absent.size:
        problems.append(
            f"{absent.size} edge(s) are zero in everybody (columns {some(absent)}): nothing can "
            "be learned about them. Leave them out, raise the scale, or pass "
            'absent_edges="keep" to carry them along with probability exp(-100).'
        )
    return problems
