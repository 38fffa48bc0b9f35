"""Halves and pieces of the scan of one subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bayes_mdd.errors import SpecError, some
from bayes_mdd.features.additions import HALF_DIFFERENCE, PIECES
from bayes_mdd.features.loading import Floats
from bayes_mdd.features.measures.series import FLAT, MIN_VOLUMES
from bayes_mdd.features.measures.subjects import UnusableDataError

#: Smallest number of volumes of a piece.
MIN_PIECE_VOLUMES = 5

type Halves = tuple[Floats, Floats]
type Pieces = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PartsRequest:
    """The parts of each scan to measure.

    Parameters
    ----------
    halves : bool, default False
        Whether to measure the two halves.
    pieces : int, default 0
        Number of pieces; 0 for none.
    """

    halves: bool = False
    pieces: int = 0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Measurements of parts of one scan, and why some are lacking.

    Parameters
    ----------
    half_difference : numpy.ndarray, optional
        (First half - second half) / 2 of the measure.
    pieces : numpy.ndarray of float32, optional
        Shape (piece, pair); see `scan_pieces`.
    lacking : tuple of (str, str)
        Name of the part and the reason, for parts that were requested and cannot be measured.
    """

    half_difference: Floats | None = None
    pieces: Pieces | None = None
    lacking: tuple[tuple[str, str], ...] = ()


def check_parts(halves: bool, pieces: int | None, kind: str, estimator: str) -> PartsRequest:
    """Check which parts of the scans are requested.

    Parameters
    ----------
    halves : bool
        Whether to measure the two halves.
    pieces : int or None
        Number of pieces; None or 0 for none.
    kind, estimator : str
        Measure of connectivity.

    Returns
    -------
    PartsRequest
        The same.

    Raises
    ------
    SpecError
        If `pieces` is not a number of pieces, or the measure is not an empirical correlation.
    """
    if pieces is None or (pieces == 0 and not isinstance(pieces, bool)):
        return PartsRequest(halves=bool(halves))
    if not isinstance(pieces, int) or isinstance(pieces, bool) or pieces < 2:
        raise SpecError(f"pieces must be a whole number of at least 2, got {pieces!r}.")
    if (kind, estimator) != ("correlation", "empirical"):
        raise SpecError(
            f"pieces are products of series, which average to the empirical correlation; the "
            f"measure is {kind} ({estimator}). Omit pieces."
        )
    return PartsRequest(halves=bool(halves), pieces=pieces)


def measure_parts(
    values: Floats,
    names: tuple[str, ...],
    request: PartsRequest,
    measure: Callable[[Halves], Halves],
) -> Parts:
    """Measure the requested parts of one scan.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Checked series.
    names : tuple of str
        Names of the regions.
    request : PartsRequest
        The parts.
    measure : callable
        Function of the series of both halves that returns their edges. May raise
        `UnusableDataError`.

    Returns
    -------
    Parts
        What could be measured, and why the rest could not.
    """
    half_difference: Floats | None = None
    pieces: Pieces | None = None
    lacking: list[tuple[str, str]] = []
    if request.halves:
        try:
            first, second = measure(split_halves(values, names))
            half_difference = (first - second) / 2
        except UnusableDataError as error:
            lacking.append((HALF_DIFFERENCE, str(error)))
    if request.pieces:
        try:
            pieces = scan_pieces(values, request.pieces)
        except UnusableDataError as error:
            lacking.append((PIECES, str(error)))
    return Parts(half_difference=half_difference, pieces=pieces, lacking=tuple(lacking))


def split_halves(values: Floats, names: tuple[str, ...]) -> Halves:
    """Split a scan into two halves of equal length.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Series. With an odd number of volumes, the last volume is in neither half.
    names : tuple of str
        Names of the regions.

    Returns
    -------
    tuple of numpy.ndarray
        The first and the second half.

    Raises
    ------
    UnusableDataError
        If a half has fewer than 20 volumes, or a region does not vary in it.
    """
    n = len(values) // 2
    if n < MIN_VOLUMES:
        raise UnusableDataError(
            [f"{len(values)} volumes, two halves need at least {2 * MIN_VOLUMES}"]
        )
    halves = values[:n], values[n : 2 * n]
    for half in halves:
        flat = np.ptp(half, axis=0) <= FLAT * np.abs(half).max(axis=0)
        if flat.any():
            listed = some(names[i] for i in np.flatnonzero(flat))
            raise UnusableDataError([f"region(s) {listed} do not vary in one of the halves"])
    return halves


def scan_pieces(values: Floats, n: int) -> Pieces:
    """Compute the products of the standardised series in consecutive pieces of a scan.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Series. The last volumes are left out if the number of volumes is not a multiple of `n`.
    n : int
        Number of pieces.

    Returns
    -------
    numpy.ndarray of float32, shape (piece, pair)
        ``x' x / T`` of each piece of T volumes, where x is the series standardised over all
        pieces. Pairs are in the order of ``numpy.triu_indices``, with the diagonal. The mean over
        pieces is the correlation matrix.

    Raises
    ------
    UnusableDataError
        If a piece has fewer than 5 volumes, or a region does not vary.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(40, 2))
    >>> bool(np.isclose(scan_pieces(x, 4).mean(axis=0)[1], np.corrcoef(x.T)[0, 1]))
    True
    """
    length = len(values) // n
    if length < MIN_PIECE_VOLUMES:
        raise UnusableDataError(
            [f"{len(values)} volumes, {n} pieces need at least {n * MIN_PIECE_VOLUMES}"]
        )
    used = values[: n * length]
    if (np.ptp(used, axis=0) <= FLAT * np.abs(used).max(axis=0)).any():
        raise UnusableDataError(["a region does not vary in the pieces"])
    x = (used - used.mean(axis=0)) / used.std(axis=0)
    first, second = np.triu_indices(x.shape[1])
    products = [part.T @ part / length for part in np.split(x, n)]
    return np.stack([p[first, second] for p in products]).astype(np.float32)
