"""Structural connectivity: one matrix of streamlines a person to edges."""

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
from bayes_mdd.features.measures.subjects import Missing, UnusableDataError, measure_people
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
    """Turn structural connectomes into features.

    Parameters
    ----------
    matrices : mapping of str to array or DataFrame, or array
        A symmetric (region, region) matrix a person, a function that reads it, or one array
        (subject, region, region). Names of a DataFrame must follow `regions`. 0 is "no
        streamline"; the diagonal is not looked at.
    regions : pandas.DataFrame
        Region table: ``region``, ``network``, optional ``x``, ``y``, ``z``, ...
    kind : {"count", "length", "fa"}, default "count"
        Number of streamlines (or their sum of weights), their mean length, or mean FA along them.
    transform : {"log", "root", "none"}, optional
        ``log`` is log(1 + x), ``root`` the square root; both tame the skew of counts. Default log
        for counts, none for the others.
    max_absent : float, optional
        Edges absent in more than this share of people are left out. Default 0.5 for counts; 0 for
        length and FA, which an absent edge does not have (a length of 0 mm is missing, not short).
    participants : pandas.DataFrame, optional
        Indexed by ``participant_id``; names the rows of an array.
    missing : {"refuse", "drop-regions", "drop-people"}, default "refuse"
        What to do about regions without any streamline in some people (often a label that was
        lost).
    n_jobs : int, optional
        As in `connectivity_from_timeseries`.

    Returns
    -------
    xarray.Dataset
        Feature set of edges; the attribute ``left_out`` lists the edges that were left out, and
        regions or people where `missing` says so. Counts stay zero-inflated: standardise them with
        ``reference_to_controls(..., robust=True)``.

    Raises
    ------
    SpecError
        If an option is unknown, or `max_absent` is above 0 for length or FA.
    DataContractError
        If a matrix is not square, not symmetric (one triangle only), of another size or order,
        negative or not finite; all people in one error; or if no edge is left.

    Examples
    --------
    >>> table = pd.DataFrame({"region": ["a", "b", "c"], "network": ["N", "N", "M"]})
    >>> one = np.array([[0, 9, 0], [9, 0, 4], [0, 4, 0]])
    >>> edges = structural_features(np.stack([one] * 3), table, "count", "root")
    >>> edges["feature"].values.tolist(), edges["y"].values[0].tolist()
    (['a--b', 'b--c'], [3.0, 2.0])
    """
    transform, limit = _settle(kind, transform, max_absent)
    table = check_regions(regions)
    names = tuple(map(str, table["region"]))
    task = partial(_edges_of, names=names)
    measured = measure_people(
        _named(matrices, participants),
        names,
        task,
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
            [f"every edge is absent in more than {limit:.0%} of people: raise max_absent."],
        )
    own = kept["region"].to_numpy(str)
    left_out = dict(measured.left_out)
    if rare.any():
        left_out[f"edges absent in more than {limit:.0%} of people"] = [
            f"{own[a]}{EDGE_SEPARATOR}{own[b]}"
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


def _settle(kind: str, transform: str | None, max_absent: float | None) -> tuple[Transform, float]:
    for name, value, choices in (
        ("kind", kind, get_args(Weight)),
        ("transform", transform, (None, *get_args(Transform))),
    ):
        if value not in choices:
            listed = ", ".join(str(c) for c in choices if c)
            raise SpecError(f"{name} must be one of {listed}; got {value!r}.")
    limit = (0.5 if kind == "count" else 0.0) if max_absent is None else max_absent
    if not 0 <= limit < 1:
        raise SpecError(f"max_absent is a share from 0 to below 1; got {max_absent}.")
    if kind != "count" and limit > 0:
        raise SpecError(
            f"max_absent must be 0 for {kind}: an edge without streamlines has no {kind}, and "
            "nothing is filled in. Leave it at its default."
        )
    default: Transform = "log" if kind == "count" else "none"
    chosen: Transform = default if transform is None else transform  # type: ignore[assignment]
    return chosen, limit


def _named(
    matrices: Mapping[str, Any] | npt.NDArray[Any], participants: pd.DataFrame | None
) -> dict[str, Any]:
    if isinstance(matrices, Mapping):
        return {str(k): v for k, v in matrices.items()}
    stack = np.asarray(matrices)
    if stack.ndim != 3 or (participants is not None and len(participants) != len(stack)):
        wanted = "(subject, region, region)" + (
            "" if participants is None else f" with {len(participants)} subjects"
        )
        raise DataContractError(
            "structural matrices", [f"array has shape {stack.shape}: expected {wanted}."]
        )
    ids = (
        [f"sub-{i + 1:03d}" for i in range(len(stack))]
        if participants is None
        else map(str, participants.index)
    )
    return dict(zip(ids, stack, strict=True))


def _edges_of(one: Any, kept: Index | None, *, names: tuple[str, ...]) -> Floats:
    if callable(one):
        try:
            one = one()
        except UnreadableFileError as error:
            raise UnusableDataError([str(error)]) from error
    matrix = np.array(one, dtype=np.float64)
    own = [tuple(map(str, axis)) for axis in one.axes] if isinstance(one, pd.DataFrame) else []
    problem = _problem(matrix, own, names)
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


def _problem(matrix: Floats, own: list[tuple[str, ...]], names: tuple[str, ...]) -> str | None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        shape = " x ".join(map(str, matrix.shape))
        return f"the matrix is {shape}: expected a square one, regions by regions."
    for axis in own:
        if (problem := order_problem(axis, names)) is not None:
            return problem
    if len(matrix) != len(names):
        return (
            f"the matrix is {len(matrix)} x {len(matrix)}, regions.tsv has {len(names)} regions: "
            "MRtrix and QSIRecon write smaller matrices where the last labels are lost; write it "
            "with all labels."
        )
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    if not np.isfinite(off).all():
        return f"{int((~np.isfinite(off)).sum())} missing or infinite value(s) off the diagonal."
    if (off < 0).any():
        return f"{int((off < 0).sum())} negative value(s): no count, length or FA is below 0."
    if not off.any():
        return "every value off the diagonal is 0: this person has no connectome."
    return symmetry_problem(matrix, names)
