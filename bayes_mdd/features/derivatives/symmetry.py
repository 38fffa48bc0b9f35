"""Symmetrisation of directed matrices, such as probabilistic connectomes, where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from bayes_mdd.errors import SpecError, some
from bayes_mdd.features.derivatives.interface import Reading, SubjectValues
from bayes_mdd.types import Array

#: How the two directions of an edge are combined.
METHODS: Mapping[str, Callable[[Array], Array]] = {
    "mean": lambda m: (m + m.T) / 2,
    "max": lambda m: np.maximum(m, m.T),
    "min": lambda m: np.minimum(m, m.T),
    "sum": lambda m: m + m.T - np.diag(np.diag(m)),
    "upper": lambda m: np.triu(m) + np.triu(m, 1).T,
    "lower": lambda m: np.tril(m) + np.tril(m, -1).T,
}


def check_symmetrise(method: str | None) -> None:
    """Check the name of a method.

    Parameters
    ----------
    method : str or None
        The argument ``symmetrise``.

    Raises
    ------
    SpecError
        If it is no method.
    """
    if method is not None and method not in METHODS:
        raise SpecError(f"symmetrise must be one of {', '.join(METHODS)}; got {method!r}.")


def symmetrise_matrices(reading: Reading, method: str | None) -> Reading:
    """Combine the two directions of each edge.

    Parameters
    ----------
    reading : Reading
        Data of all subjects.
    method : {"mean", "max", "min", "sum", "upper", "lower"} or None
        How M[a, b] and M[b, a] are combined; ``upper`` and ``lower`` take one of them. None:
        nothing is changed. A matrix with a single triangle is mirrored whatever the method, so that
        values are not halved.

    Returns
    -------
    Reading
        With symmetric matrices, and a note on how asymmetric they were.

    Raises
    ------
    SpecError
        If the method is unknown, or the data are no matrices.
    """
    check_symmetrise(method)
    if method is None:
        return reading
    if reading.shape != "matrix":
        raise SpecError(
            f"symmetrise is for matrices, but the files hold "
            f"{'time series' if reading.shape == 'series' else 'one value per region'}: omit it."
        )
    asymmetry = {s: asymmetry_of(own.values) for s, own in reading.by_subject.items()}
    changed = [s for s, share in asymmetry.items() if share > 0]
    if not changed:
        return reading
    by_subject = {
        s: SubjectValues(own.names, symmetrise(own.values, method))
        for s, own in reading.by_subject.items()
    }
    median = float(np.median([asymmetry[s] for s in changed]))
    note = (
        f"symmetrise={method!r} was applied to the matrices of {len(changed)} participant(s) "
        f"({some(changed)}); the two directions of an edge differed by {100 * median:.0f} % of "
        "their mean size (median over participants)."
    )
    return replace(
        reading,
        by_subject=by_subject,
        facts={**reading.facts, "symmetrised": method, "asymmetry": round(median, 4)},
        notes=[*reading.notes, note],
    )


def symmetrise(matrix: Array, method: str) -> Array:
    """Combine the two directions of each edge of one matrix.

    Parameters
    ----------
    matrix : ndarray, shape (region, region)
        Missing in one direction is missing in both (but for ``upper`` and ``lower``).
    method : str
        See `symmetrise_matrices`.

    Returns
    -------
    ndarray, shape (region, region)
        Symmetric; the diagonal is unchanged.

    Examples
    --------
    >>> symmetrise(np.array([[1.0, 4.0], [2.0, 0.0]]), "mean").tolist()
    [[1.0, 3.0], [3.0, 0.0]]
    >>> symmetrise(np.array([[1.0, 4.0], [0.0, 0.0]]), "mean").tolist()
    [[1.0, 4.0], [4.0, 0.0]]
    """
    plain = np.nan_to_num(matrix)
    if not np.tril(plain, -1).any():
        method = "upper"
    elif not np.triu(plain, 1).any():
        method = "lower"
    return METHODS[method](matrix)


def asymmetry_of(matrix: Array) -> float:
    """Return the mean difference of the two directions over their mean size.

    Parameters
    ----------
    matrix : ndarray, shape (region, region)
        NaN counts as 0.

    Returns
    -------
    float
        0 for a symmetric matrix.

    Examples
    --------
    >>> asymmetry_of(np.array([[0.0, 3.0], [1.0, 0.0]]))
    1.0
    """
    plain = np.nan_to_num(np.asarray(matrix, dtype=np.float64), posinf=0.0, neginf=0.0)
    np.fill_diagonal(plain, 0.0)
    size = float(np.abs(plain + plain.T).sum()) / 2
    gap = float(np.abs(plain - plain.T).sum())
    return gap / size if size and not np.allclose(plain, plain.T, rtol=1e-5, atol=0) else 0.0
