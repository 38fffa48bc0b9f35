"""Structural connectivity features from tractography matrices."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import EDGE_SEPARATOR
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features.assemble import edge_features
from bayes_mdd.features.blocks import Index, edge_index
from bayes_mdd.features.loading import Floats, UnreadableFileError, order_problem
from bayes_mdd.features.matrices import symmetry_problem
from bayes_mdd.features.measures.subjects import (
    Missing,
    UnusableDataError,
    check_missing,
    measure_subjects,
)
from bayes_mdd.features.provenance import left_out_text, provenance_text
from bayes_mdd.features.regions import check_regions

Weight = Literal["count", "length", "fa"]
Transform = Literal["log", "root", "none"]
UNITS = {"count": "streamlines", "length": "mm", "fa": "FA"}


def structural_features(
    matrices: Mapping[str, Any] | npt.NDArray[Any],
    regions: pd.DataFrame,
    kind: Weight = "count",
    transform: Transform | None = None,
    *,
    max_absent: float | None = None,
    participants: pd.DataFrame | None = None,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Compute features from structural connectomes.

    Parameters
    ----------
    matrices : mapping of str to array or DataFrame, or array
        A symmetric (region, region) matrix per subject, or a function that reads it; or one array
        (subject, region, region). Row and column names of a DataFrame must follow `regions`. 0
        means "no streamline"; the diagonal is ignored.
    regions : pandas.DataFrame
        Region table: ``region``, ``network``, optional ``x``, ``y``, ``z``, ...
    kind : {"count", "length", "fa"}, default "count"
        Number of streamlines (or the sum of their weights), their mean length, or mean FA along
        them.
    transform : {"log", "root", "none"}, optional
        ``log`` is log(1 + x), ``root`` the square root; both reduce the skewness of counts.
        Default: log for counts, none for length and FA.
    max_absent : float, optional
        Edges that are absent in more than this fraction of subjects are excluded. Default: 0.5 for
        counts, 0 for length and FA, which are undefined for absent edges (a length of 0 mm is
        missing, not short).
    participants : pandas.DataFrame, optional
        Indexed by ``participant_id``; its columns become coordinates of the subjects. If
        `matrices` is an array, its rows are these participants.
    missing : {"refuse", "drop-regions", "drop-subjects"}, default "refuse"
        Treatment of regions without any streamline in some subjects, often because a label was
        lost. See `connectivity_from_timeseries`.
    n_jobs : int, optional
        See `connectivity_from_timeseries`.

    Returns
    -------
    xarray.Dataset
        Feature set of edges. The attribute ``left_out`` lists the excluded edges and, depending on
        `missing`, regions or subjects. Counts remain zero-inflated: standardise them with
        ``reference_to_controls(..., robust=True)``.

    Raises
    ------
    SpecError
        If an option is unknown, or `max_absent` is above 0 for length or FA.
    DataContractError
        If a matrix is not square, is not symmetric (e.g. has one triangle only), has another size
        or order, or has negative or infinite values; or if no edge remains. The error lists all
        problems of all subjects.

    Examples
    --------
    >>> table = pd.DataFrame({"region": ["a", "b", "c"], "network": ["N", "N", "M"]})
    >>> one = np.array([[0, 9, 0], [9, 0, 4], [0, 4, 0]])
    >>> edges = structural_features(np.stack([one] * 3), table, "count", "root")
    >>> edges["feature"].values.tolist(), edges["y"].values[0].tolist()
    (['a--b', 'b--c'], [3.0, 2.0])
    """
    transform, limit = _resolve_options(kind, transform, max_absent)
    missing = check_missing(missing)
    table = check_regions(regions)
    names = tuple(map(str, table["region"]))
    measured = measure_subjects(
        _by_subject(matrices, participants),
        names,
        partial(_edges_of, names=names),
        what="structural matrices",
        label=kind,
        missing=missing,
        n_jobs=n_jobs,
    )
    values = np.stack(measured.values)
    kept = table.iloc[measured.kept].reset_index(drop=True)
    first, second = edge_index(len(kept))
    absent = (values == 0).mean(axis=0)
    rare = absent > limit
    if rare.all():
        raise DataContractError(
            "structural matrices",
            [
                f"all edges are absent in more than {100 * limit:.0f} % of participants: increase "
                "max_absent."
            ],
        )
    kept_names = kept["region"].to_numpy(str)
    left_out = dict(measured.left_out)
    if rare.any():
        left_out[f"edges absent in more than {100 * limit:.0f} % of subjects"] = [
            f"{kept_names[a]}{EDGE_SEPARATOR}{kept_names[b]}"
            for a, b in zip(first[rare], second[rare], strict=True)
        ]
    out = edge_features(
        _transformed(values[:, ~rare], transform),
        measured.subjects,
        kept,
        participants=participants,
        kind=f"structural_{kind}",
        units={"log": f"log(1 + {UNITS[kind]})", "root": f"sqrt({UNITS[kind]})"}.get(
            transform, UNITS[kind]
        ),
        provenance=provenance_text(
            source="structural matrices",
            measure=kind,
            transform=transform,
            max_absent=limit,
            n_edges_left_out=int(rare.sum()),
        ),
        edges=(first[~rare], second[~rare]),
    )
    return out.assign_attrs(left_out_text(missing, left_out))


def _transformed(values: Floats, transform: Transform) -> Floats:
    if transform == "log":
        return np.log1p(values)
    return np.sqrt(values) if transform == "root" else values


def _resolve_options(
    kind: str, transform: str | None, max_absent: float | None
) -> tuple[Transform, float]:
    """Check the options and replace None by the defaults of the kind."""
    for name, value, choices in (
        ("kind", kind, get_args(Weight)),
        ("transform", transform, (None, *get_args(Transform))),
    ):
        if value not in choices:
            listed = ", ".join(str(c) for c in choices if c)
            raise SpecError(f"{name} must be one of {listed}; got {value!r}.")
    limit = (0.5 if kind == "count" else 0.0) if max_absent is None else max_absent
    if not 0 <= limit < 1:
        raise SpecError(f"max_absent must be at least 0 and below 1; got {max_absent}.")
    if kind != "count" and limit > 0:
        raise SpecError(
            f"max_absent must be 0 for kind={kind!r}: an edge without streamlines has no {kind}, "
            "and values are never imputed. Omit max_absent."
        )
    default: Transform = "log" if kind == "count" else "none"
    chosen: Transform = default if transform is None else transform  # type: ignore[assignment]
    return chosen, limit


def _by_subject(
    matrices: Mapping[str, Any] | npt.NDArray[Any], participants: pd.DataFrame | None
) -> dict[str, Any]:
    if isinstance(matrices, Mapping):
        return {str(k): v for k, v in matrices.items()}
    stack = np.asarray(matrices)
    if stack.ndim != 3 or (participants is not None and len(participants) != len(stack)):
        expected = "(subject, region, region)" + (
            "" if participants is None else f" with {len(participants)} subjects"
        )
        raise DataContractError(
            "structural matrices", [f"the array has shape {stack.shape}: expected {expected}."]
        )
    ids = (
        [f"sub-{i + 1:03d}" for i in range(len(stack))]
        if participants is None
        else map(str, participants.index)
    )
    return dict(zip(ids, stack, strict=True))


def _edges_of(subject_data: Any, kept: Index | None, *, names: tuple[str, ...]) -> Floats:
    if callable(subject_data):
        try:
            subject_data = subject_data()
        except UnreadableFileError as error:
            raise UnusableDataError([str(error)]) from error
    matrix = np.array(subject_data, dtype=np.float64)
    labels = (
        [tuple(map(str, axis)) for axis in subject_data.axes]
        if isinstance(subject_data, pd.DataFrame)
        else []
    )
    problem = _problem(matrix, labels, names)
    if problem is not None:
        raise UnusableDataError([problem])
    np.fill_diagonal(matrix, 0.0)
    if kept is None:
        silent = ~matrix.any(axis=0)
        if silent.any():
            raise UnusableDataError([], [names[i] for i in np.flatnonzero(silent)])
    else:
        matrix = matrix[np.ix_(kept, kept)]
    edges: Floats = matrix[edge_index(len(matrix))]
    return edges


def _problem(matrix: Floats, labels: list[tuple[str, ...]], names: tuple[str, ...]) -> str | None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        shape = " x ".join(map(str, matrix.shape))
        return f"the matrix is {shape}: expected a square matrix, regions by regions."
    for axis in labels:
        if (problem := order_problem(axis, names)) is not None:
            return problem
    if len(matrix) != len(names):
        return (
            f"the matrix is {len(matrix)} x {len(matrix)}, but regions.tsv has {len(names)} "
            "regions: MRtrix and QSIRecon write smaller matrices if the last labels are missing in "
            "the image; write the matrix with all labels."
        )
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    if not np.isfinite(off).all():
        return f"{int((~np.isfinite(off)).sum())} missing or infinite value(s) off the diagonal."
    if (off < 0).any():
        return f"{int((off < 0).sum())} negative value(s): counts, lengths and FA must be >= 0."
    if not off.any():
        return "all values off the diagonal are 0: exclude the participant."
    return symmetry_problem(matrix, names)
