"""What a functional matrix holds: correlations, covariances, precision, partial correlations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayes_mdd.errors import DataContractError
from bayes_mdd.features.assemble import FUNCTIONAL
from bayes_mdd.features.derivatives.file_names import FileName
from bayes_mdd.features.derivatives.interface import Reading, SubjectValues
from bayes_mdd.features.loading import GroupedProblems, UnreadableFileError
from bayes_mdd.features.matrices import R
from bayes_mdd.types import Array

COVARIANCE, PRECISION = "covariance", "precision"
CORRELATION, _PARTIAL, _TANGENT = "correlation", "partial correlation", "tangent"
#: Words in the entities desc and stat, and in the suffix; the first that is found counts.
_WORDS = (
    (_TANGENT, r"tangent"),
    (PRECISION, r"precision|inversecov"),
    (_PARTIAL, r"partial|(^|[^a-z])pcorr"),
    (COVARIANCE, r"covarianc|covmat|^cov$"),
    (CORRELATION, r"corr|pearson|spearman"),
)
#: Measures that are converted when `units` states them.
CONVERTED = {COVARIANCE: CORRELATION, PRECISION: _PARTIAL}
#: Largest excess over 1 of a converted correlation that counts as rounding error.
_ROUNDING = 1e-6


def stated_measure(name: FileName) -> str:
    """Find what a matrix holds according to its file name.

    Parameters
    ----------
    name : FileName
        The file.

    Returns
    -------
    str
        ``correlation``, ``covariance``, ``precision``, ``partial correlation``, ``tangent``, or
        empty if the name does not state it.
    """
    own = [name.entities.get(key, "") for key in ("desc", "stat")] + [name.suffix]
    if not name.tool and "sub" not in name.entities:
        own.append(name.stem)  # names without entities: S01_covariance
    for measure, pattern in _WORDS:
        if any(re.search(pattern, text.lower()) for text in own):
            return measure
    return ""


def convert_matrices(reading: Reading, files: Sequence[FileName], units: str | None) -> Reading:
    """Convert covariances and precision matrices to correlations if asked; otherwise refuse them.

    Parameters
    ----------
    reading : Reading
        Data of all subjects.
    files : sequence of FileName
        The files that were read.
    units : str or None
        Units stated by the caller: ``covariance`` or ``precision`` ask for the conversion.

    Returns
    -------
    Reading
        Unchanged unless the matrices were converted.

    Raises
    ------
    DataContractError
        If the file names state another measure than the caller, covariances are not converted, or
        the values are not those of covariances.
    """
    asked = units if units in CONVERTED else None
    if asked and reading.shape != "matrix":
        raise DataContractError(
            reading.kind,
            [
                f"units={units!r} is for matrices, but these files hold "
                f"{'time series' if reading.shape == 'series' else 'one value per region'}: omit "
                "units."
            ],
        )
    if reading.shape != "matrix" or (reading.kind != FUNCTIONAL and asked is None):
        return reading
    read = set(reading.files)
    measures = {m: n for n in files if n.path in read and (m := stated_measure(n))}
    if len(measures) > 1:
        listed = "; ".join(f"{m} ({n.path.name})" for m, n in measures.items())
        raise DataContractError(
            reading.kind,
            [f"the cohort mixes matrices of {listed}: choose one with entities={{'desc': ...}}."],
        )
    measure = next(iter(measures), "")
    _refuse_contradiction(reading.kind, measure, units, measures)
    if asked is not None:
        return _converted(reading, asked)
    if measure == _PARTIAL:
        return replace(reading, facts={**reading.facts, "measure": _PARTIAL})
    return reading


def _refuse_contradiction(
    kind: str, measure: str, units: str | None, examples: dict[str, FileName]
) -> None:
    """Refuse covariances that are not converted, and units that contradict the names."""
    if not measure or measure == units:
        return
    name = examples[measure].path.name
    if measure == _TANGENT:
        text = (
            f"{name} holds tangent space projections, which are neither correlations nor Fisher z: "
            "compute correlation matrices, or give the time series."
        )
    elif measure in CONVERTED and units is None:
        words = {COVARIANCE: "covariances", PRECISION: "inverse covariances (precision)"}
        text = (
            f"{name} holds {words[measure]}, not correlations: choose the correlation matrices, if "
            f"there are any (entities={{'desc': 'correlation'}}, --entity desc=correlation), or "
            f"convert these to {CONVERTED[measure]}s with units={measure!r} (--units {measure})."
        )
    elif measure in CONVERTED or units in CONVERTED:
        text = f"{name} states {measure}, but units={units!r}: correct units."
    else:
        return
    raise DataContractError(kind, [text])


def _converted(reading: Reading, measure: str) -> Reading:
    found, by_subject = GroupedProblems(), {}
    for subject, own in reading.by_subject.items():
        try:
            values = standardise_covariance(own.values, negate=measure == PRECISION)
            by_subject[subject] = SubjectValues(own.names, values)
        except UnreadableFileError as error:
            found.add(subject, str(error))
    if found.subjects:
        raise DataContractError(measure, found.problems())
    return replace(
        reading,
        kind=FUNCTIONAL,
        by_subject=by_subject,
        units=R,
        facts={**reading.facts, "measure": CONVERTED[measure], "converted_from": measure},
    )


def standardise_covariance(matrix: Array, *, negate: bool = False) -> Array:
    r"""Divide a covariance matrix by the standard deviations.

    .. math:: r_{ij} = \pm c_{ij} / \sqrt{c_{ii} c_{jj}}

    Parameters
    ----------
    matrix : ndarray, shape (region, region)
        Covariances, or inverse covariances.
    negate : bool
        Change the sign, which turns inverse covariances into partial correlations.

    Returns
    -------
    ndarray, shape (region, region)
        Correlations with a diagonal of 1; NaN for regions without variance.

    Raises
    ------
    UnreadableFileError
        If a variance is negative or a correlation exceeds 1.

    Examples
    --------
    >>> standardise_covariance(np.array([[4.0, 1.0], [1.0, 1.0]])).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    variance = np.diag(matrix).copy()
    if (variance < 0).any():
        raise UnreadableFileError("the diagonal has negative values: these are no covariances.")
    scale = np.sqrt(np.where(variance > 0, variance, np.nan))
    r: Array = (-1 if negate else 1) * matrix / np.outer(scale, scale)
    off = np.abs(r[~np.eye(len(r), dtype=bool)])
    largest = float(np.max(off[np.isfinite(off)], initial=0.0))
    if largest > 1 + _ROUNDING:
        raise UnreadableFileError(
            f"divided by the standard deviations, a value is {largest:.3g}, but correlations are "
            "at most 1: these are no covariances. Correct units."
        )
    np.fill_diagonal(r, np.where(np.isnan(scale), np.nan, 1.0))
    return r
