"""From joined numbers to the checked feature set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.assemble import FUNCTIONAL, edge_features, regional_features
from bayes_mdd.features.blocks import edge_index
from bayes_mdd.features.contract import check_features, constant_features
from bayes_mdd.features.derivatives.join import Joined, join_regions
from bayes_mdd.features.derivatives.subjects import match_people
from bayes_mdd.features.derivatives.values import Reading
from bayes_mdd.features.loading import Floats, Grouped
from bayes_mdd.features.matrices import (
    DIAGONAL_TOLERANCE,
    FISHER_Z,
    R,
    one_problems,
    symmetry_problem,
)
from bayes_mdd.features.measures.connectivity import check_method, edges_from_series, units_of
from bayes_mdd.features.provenance import extend_provenance, inputs_digest, provenance_text
from bayes_mdd.specs.derivatives import DerivativesSpec

#: Fisher z of the largest correlation below 1 in single precision: wb_command's diagonal.
_CLIPPED_Z = 5.0


def build_features(
    reading: Reading,
    *,
    participants: pd.DataFrame | None,
    regions: pd.DataFrame | None,
    spec: DerivativesSpec,
    root: Path,
    facts: Mapping[str, Any],
) -> xr.Dataset:
    """Turn a reading into a checked feature set.

    Parameters
    ----------
    reading : Reading
        What a format gave.
    participants : pandas.DataFrame or None
        Indexed by ``participant_id``.
    regions : pandas.DataFrame or None
        Region table of the caller.
    spec : DerivativesSpec
        Settings.
    root : Path
        Names of files in the digest are relative to it.
    facts : mapping
        Further provenance.

    Returns
    -------
    xarray.Dataset
        Meets `check_features`.

    Raises
    ------
    DataContractError
        If people, regions or values do not meet the contract.
    """
    people, table, absent = match_people(
        reading.people, participants, drop_absent=spec.absent_subjects == "drop"
    )
    drop = spec.missing == "drop"
    joined = join_regions(reading, people, regions, drop=drop)
    values, units, measured = _values(reading, joined, spec)
    provenance = provenance_text(
        **facts,
        **reading.facts,
        **joined.facts,
        **measured,
        sha256=inputs_digest([f for f in reading.files if f.exists()], root),
        n_files=len(reading.files),
        without_features=absent or None,
        notes=list(reading.notes) or None,
    )
    common: dict[str, Any] = {
        "participants": _with_covariates(table, reading, people, participants is not None),
        "units": units,
        "provenance": provenance,
        "kind": reading.kind,
    }
    if reading.shape == "regional":
        rows = np.arange(len(joined.regions))
        features = regional_features(values, list(people), joined.regions, rows, **common)
    else:
        features = edge_features(values, list(people), joined.regions, **common)
    if drop:
        features = _without_gaps(features)
    check_features(features)
    return features


def _with_covariates(
    table: pd.DataFrame, reading: Reading, people: Mapping[str, Any], matched: bool
) -> pd.DataFrame:
    """Add facts that came with the files where participants.tsv does not have them."""
    new = {name: held for name, held in reading.covariates.items() if name not in table}
    if not new:
        return table
    # `people` is in the order of the table; facts have the ids of the files.
    columns = {}
    for name, held in new.items():
        by_owner = match_people(held, table, drop_absent=True)[0] if matched else held
        columns[name] = pd.Series(by_owner, dtype=np.float64).reindex(table.index)
    return table.assign(**columns)


def _values(
    reading: Reading, joined: Joined, spec: DerivativesSpec
) -> tuple[Floats, str, dict[str, Any]]:
    if reading.shape == "regional":
        return np.stack(list(joined.people.values())), reading.units, {}
    if reading.shape == "series":
        return _from_series(joined, spec)
    return _from_matrices(reading, joined)


def _from_series(joined: Joined, spec: DerivativesSpec) -> tuple[Floats, str, dict[str, Any]]:
    check_method(spec.measure, spec.estimator)
    short = Grouped()
    for who, series in joined.people.items():
        if len(series) < spec.min_volumes:
            short.add(
                who,
                f"{len(series)} volumes (after censoring), at least {spec.min_volumes} wanted: "
                "leave the person out, or lower min_volumes (DerivativesSpec).",
            )
    if short.who:
        raise DataContractError("time series", short.problems())
    edges = edges_from_series(
        joined.people,
        joined.regions,
        kind=spec.measure,
        estimator=spec.estimator,
        fisher_z=True,
    )
    facts = {"measure": spec.measure, "estimator": spec.estimator}
    return edges, units_of(spec.measure, True), facts


def _from_matrices(reading: Reading, joined: Joined) -> tuple[Floats, str, dict[str, Any]]:
    names = tuple(map(str, joined.regions["region"]))
    upper = edge_index(len(names))
    found, units = Grouped(), {}
    edges = np.empty((len(joined.people), len(upper[0])))
    for row, (who, square) in enumerate(joined.people.items()):
        problem = symmetry_problem(np.nan_to_num(square, posinf=0.0, neginf=0.0), names)
        if problem is not None:
            found.add(who, problem)
        if reading.kind == FUNCTIONAL:
            units[who], doubt = matrix_units(square, reading.units)
            for text in [doubt] if doubt else _ones(square, names, units[who]):
                found.add(who, text)
        edges[row] = square[upper]
    if found.who:
        raise DataContractError(reading.kind, found.problems())
    if reading.kind != FUNCTIONAL:
        return edges, reading.units, {}
    _refuse_mixed_units(units)
    if R in units.values():
        return np.arctanh(edges), FISHER_Z, {"read_units": R}
    return edges, FISHER_Z, {"read_units": FISHER_Z}


def _ones(square: Floats, names: tuple[str, ...], units: str) -> list[str]:
    return one_problems(np.nan_to_num(square), names) if units == R else []


def _refuse_mixed_units(units: Mapping[str, str]) -> None:
    if len(set(units.values())) < 2:
        return
    by = {u: [w for w, own in units.items() if own == u] for u in (R, FISHER_Z)}
    raise DataContractError(
        FUNCTIONAL,
        [
            f"the cohort mixes correlations (r: {some(by[R])}) and Fisher z "
            f"({some(by[FISHER_Z])}), by their diagonals: make all matrices the same way."
        ],
    )


def matrix_units(matrix: Floats, stated: str) -> tuple[str, str | None]:
    """Tell r from Fisher z by the diagonal and the range.

    Parameters
    ----------
    matrix : numpy.ndarray
        Regions by regions; a diagonal that is NaN or 0 says nothing.
    stated : str
        ``r``, ``fisher_z`` or empty.

    Returns
    -------
    tuple
        The units, and the problem or None.

    Examples
    --------
    >>> matrix_units(np.array([[1, 0.2], [0.2, 1]]), "")
    ('r', None)
    >>> matrix_units(np.array([[7.2543, 0.2], [0.2, 7.2543]]), "")
    ('fisher_z', None)
    """
    diagonal = np.diag(matrix)
    known = diagonal[~np.isnan(diagonal)]
    ones = bool(known.size) and bool((np.abs(known - 1) < DIAGONAL_TOLERANCE).all())
    clipped = bool(known.size) and bool((known > _CLIPPED_Z).all())
    off = np.abs(matrix[edge_index(len(matrix))])
    largest = float(np.max(off[np.isfinite(off)], initial=0.0))
    beyond = largest > 1 + 1e-6
    if ones and beyond:
        return R, (
            f"the diagonal is 1, as in correlations, but a value off it is {largest:.3g}: "
            "neither r nor Fisher z. Make the matrix again."
        )
    seen = R if ones else FISHER_Z if clipped or beyond else ""
    if stated and seen and seen != stated:
        word = {R: "correlations (r)", FISHER_Z: "Fisher z"}
        return stated, (
            f"diagonal and range are those of {word[seen]}, expected {word[stated]}: "
            "correct units or make the matrix again."
        )
    if not stated and not seen:
        return R, (
            "nothing tells whether these are r or Fisher z (the diagonal is neither 1 nor large, "
            "no value exceeds 1): say units='r' or units='fisher_z'."
        )
    return stated or seen, None


def _without_gaps(features: xr.Dataset) -> xr.Dataset:
    """Leave out features that somebody lacks or that do not vary, and list them."""
    y = features["y"].values
    lacking = ~np.isfinite(y).all(axis=0)
    constant = constant_features(y) & ~lacking
    if not (lacking | constant).any() or (lacking | constant).all():
        return features
    names = features[FEATURE].values
    kept = features.isel({FEATURE: ~(lacking | constant)})
    listed: dict[str, Sequence[str]] = {
        "features_missing_in_somebody": names[lacking].tolist(),
        "features_without_variation": names[constant].tolist(),
    }
    text = extend_provenance(features.attrs["provenance"], **{k: v for k, v in listed.items() if v})
    return kept.assign_attrs(provenance=text)
