"""Units of functional connectivity matrices, judged by their diagonal and range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from bayes_mdd.features.loading import Floats

R: Final = "r"
FISHER_Z: Final = "fisher_z"
#: z-statistics of FSLNets and others: Fisher z over its standard error.
Z_STATISTIC: Final = "z"
#: Largest deviation from 1 on the diagonal of a correlation matrix (float16 files).
DIAGONAL_TOLERANCE = 1e-3
#: Rounding by which a correlation may exceed 1.
_ROUNDING = 1e-6
#: Fisher z of r = 0.9999. No pair of regions has more, so larger values are no Fisher z.
_MAX_Z = 4.95
#: Diagonals from which a constant may be the Fisher z of 1, cut at r = 0.99 or above.
_MIN_Z_DIAGONAL = 2.6
#: Ranges of the Fisher z of numbers just below 1 in single and in double precision.
_ALMOST_ONE = ((7.2, 8.9), (14.0, 19.2))
#: Deviation from 1 up to which a constant diagonal is the variance of standardised series.
_STANDARDISED = 0.1

Scale = Literal["r", "fisher_z", "covariance", "contradiction", "unknown"]


@dataclass(frozen=True)
class Judgement:
    """What the values of a matrix are, by diagonal and range.

    Parameters
    ----------
    scale : {"r", "fisher_z", "covariance", "contradiction", "unknown"}
        ``contradiction``: neither r nor Fisher z. ``unknown``: r, Fisher z or anything else.
    reason : str
        What in the matrix says so.
    """

    scale: Scale
    reason: str


def judge_units(matrix: Floats) -> Judgement:
    """Judge from diagonal and range whether a matrix holds r, Fisher z or covariances.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (region, region)
        NaN: missing. A diagonal of NaN, 0 or another constant without meaning tells nothing.

    Returns
    -------
    Judgement
        r: a diagonal of 1 and no larger value. Fisher z: a diagonal that is infinite or the Fisher
        z of a number just below 1, or values above 1 on an uninformative diagonal, none of which
        exceeds 4.95 (r = 0.9999). Covariance: a diagonal of variances.

    Examples
    --------
    >>> judge_units(np.array([[1, 0.2], [0.2, 1]])).scale
    'r'
    >>> judge_units(np.array([[7.2543, 0.2], [0.2, 7.2543]])).scale
    'fisher_z'
    >>> judge_units(np.array([[2.0, 1.2], [1.2, 3.1]])).scale
    'covariance'
    """
    diagonal = np.diag(matrix).astype(np.float64)
    known = diagonal[~np.isnan(diagonal)]
    off = np.abs(matrix[~np.eye(len(matrix), dtype=bool)])
    largest = float(np.max(off[np.isfinite(off)], initial=0.0))
    beyond = f"a value off the diagonal is {largest:.4g}"
    if known.size and (np.abs(known - 1) < DIAGONAL_TOLERANCE).all():
        if largest <= 1 + _ROUNDING:
            return Judgement(R, "the diagonal is 1 and no value exceeds 1")
        return Judgement("contradiction", f"the diagonal is 1, as in correlations, but {beyond}")
    if _is_z_diagonal(known, largest):
        shown = "infinite" if np.isinf(known).any() else f"{float(known.max()):.3g}"
        return Judgement(FISHER_Z, f"the diagonal is {shown}, the Fisher z of 1")
    if _is_covariance(matrix, diagonal):
        low, high = float(known.min()), float(known.max())
        shown = f"{low:.4g}" if high - low < 1e-6 * high else f"{low:.3g} to {high:.3g}"
        return Judgement("covariance", f"the diagonal holds variances ({shown})")
    if largest > _MAX_Z:
        return Judgement("contradiction", f"{beyond}, more than any Fisher z (r = 0.9999: 4.95)")
    constant = not known.size or float(np.ptp(known)) < DIAGONAL_TOLERANCE
    if largest > 1 + _ROUNDING and constant:
        return Judgement(FISHER_Z, f"{beyond}, and the diagonal tells nothing")
    word = "varies" if not constant else "is missing" if not known.size else f"is {known[0]:.3g}"
    return Judgement(
        "unknown", f"the diagonal {word}, and the largest value off it is {largest:.3g}"
    )


def _is_z_diagonal(known: Floats, largest: float) -> bool:
    """Whether a diagonal is the Fisher z of 1, or of the number below 1 at which it was cut."""
    if not known.size or largest > _MAX_Z or (known < _MIN_Z_DIAGONAL).any():
        return False
    if np.isinf(known).any():
        return True
    if float(np.ptp(known)) < DIAGONAL_TOLERANCE:
        return bool(known[0] > largest)
    return any(bool(((known > low) & (known < high)).all()) for low, high in _ALMOST_ONE)


def _is_covariance(matrix: Floats, diagonal: Floats) -> bool:
    """Whether a diagonal holds variances: positive, and bounds of the values off it."""
    known = np.isfinite(diagonal)
    variances = diagonal[known]
    if len(variances) < 2 or not (variances > 0).all():
        return False
    constant = float(np.ptp(variances)) < DIAGONAL_TOLERANCE * float(variances.max())
    if constant and abs(float(variances[0]) - 1) > _STANDARDISED:
        return False  # a constant may be a filling
    bound = np.sqrt(np.outer(variances, variances))
    block = np.abs(np.nan_to_num(matrix[np.ix_(known, known)]))
    return bool((block <= bound * (1 + 1e-4)).all())


def resolve_units(matrix: Floats, stated: str) -> tuple[str, str | None]:
    """Resolve the units of a matrix from what is stated and what its values show.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (region, region)
        Functional connectivity; NaN: missing.
    stated : str
        ``r``, ``fisher_z``, ``z`` (z-statistics) or empty.

    Returns
    -------
    units : str
        ``r``, ``fisher_z`` or ``z``.
    problem : str or None
        What contradicts them and what to do.

    Examples
    --------
    >>> resolve_units(np.array([[1, 0.2], [0.2, 1]]), "")
    ('r', None)
    >>> resolve_units(np.array([[1, 2.5], [2.5, 1]]), "")[1][:40]
    'the diagonal is 1, as in correlations, b'
    """
    found = judge_units(matrix)
    if stated == Z_STATISTIC:
        return stated, _contradiction(found, stated) if found.scale == R else None
    if found.scale == "contradiction":
        return stated or R, (
            f"{found.reason}: neither r nor Fisher z. Recompute the matrix; for z-statistics "
            "(FSLNets), give units='z' (--units z)."
        )
    if found.scale == "covariance" and not (stated == R and _is_almost_r(matrix)):
        return stated or R, (
            f"these are covariances, not correlations: {found.reason}. Convert them with "
            "units='covariance' (--units covariance; 'precision' for inverse covariances), or give "
            "correlations or the time series."
        )
    if found.scale in ("unknown", "covariance"):
        if stated:
            largest = _largest(matrix)
            over = stated == R and largest > 1 + _ROUNDING
            return stated, (
                f"a value off the diagonal is {largest:.4g}, but units are r: correct units or "
                "recompute the matrix."
                if over
                else None
            )
        return R, (
            f"cannot determine whether the values are r or Fisher z ({found.reason}): give "
            "units='r' or units='fisher_z' (--units)."
        )
    if stated and stated != found.scale:
        return stated, _contradiction(found, stated)
    return stated or found.scale, None


_WORDS = {R: "correlations (r)", FISHER_Z: "Fisher z", Z_STATISTIC: "z-statistics"}


def _contradiction(found: Judgement, stated: str) -> str:
    return (
        f"diagonal and range are those of {_WORDS[found.scale]}, expected {_WORDS[stated]} "
        f"({found.reason}): correct units or recompute the matrix."
    )


def _is_almost_r(matrix: Floats) -> bool:
    """Whether a matrix that is stated to hold correlations does so but for rounding."""
    diagonal = np.diag(matrix)
    known = diagonal[~np.isnan(diagonal)]
    return bool((np.abs(known - 1) < _STANDARDISED / 5).all()) and _largest(matrix) <= 1


def _largest(matrix: Floats) -> float:
    off = np.abs(matrix[~np.eye(len(matrix), dtype=bool)])
    return float(np.max(off[np.isfinite(off)], initial=0.0))
