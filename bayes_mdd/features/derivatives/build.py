"""Build a checked feature set from the values of all subjects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.features.additions import add_rows
from bayes_mdd.features.assemble import FUNCTIONAL, edge_features, regional_features
from bayes_mdd.features.blocks import edge_index
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.derivatives.gaps import treat_gaps
from bayes_mdd.features.derivatives.hints import setting_hint
from bayes_mdd.features.derivatives.interface import Reading
from bayes_mdd.features.derivatives.join import JoinedRegions, join_regions
from bayes_mdd.features.derivatives.subjects import match_subjects
from bayes_mdd.features.loading import GroupedProblems
from bayes_mdd.features.matrices import perfect_correlation_problems, symmetry_problem
from bayes_mdd.features.matrix_units import FISHER_Z, Z_STATISTIC, R, resolve_units
from bayes_mdd.features.measures.edges import MeasuredEdges, measure_edges
from bayes_mdd.features.measures.methods import check_method, units_of
from bayes_mdd.features.measures.scan_parts import PartsRequest
from bayes_mdd.features.provenance import inputs_digest, provenance_text
from bayes_mdd.specs.derivatives import DerivativesSpec
from bayes_mdd.types import Array


def build_features(
    reading: Reading,
    *,
    participants: pd.DataFrame | None,
    regions: pd.DataFrame | None,
    spec: DerivativesSpec,
    root: Path,
    facts: Mapping[str, Any],
    parts: PartsRequest | None = None,
) -> xr.Dataset:
    """Build a checked feature set from what a format reader returned.

    Parameters
    ----------
    reading : Reading
        Values of all subjects.
    participants : pandas.DataFrame or None
        Indexed by ``participant_id``.
    regions : pandas.DataFrame or None
        Region table of the caller.
    spec : DerivativesSpec
        Settings.
    root : Path
        Folder to which file names in the checksum are relative.
    facts : mapping
        Further entries for ``provenance``.
    parts : PartsRequest, optional
        Parts of the scans to measure, where the values are time series.

    Returns
    -------
    xarray.Dataset
        Meets `check_features`.

    Raises
    ------
    DataContractError
        If subjects, regions or values do not meet the contract.
    """
    by_subject, table, absent = match_subjects(
        reading.by_subject,
        participants,
        drop_absent=spec.absent_subjects == "drop",
        id_hint=reading.id_hint,
    )
    joined = join_regions(reading, by_subject, regions, drop=spec.drops("missing_regions"))
    values, units, measure_facts, rows = _values(reading, joined, spec, parts)
    provenance = provenance_text(
        **facts,
        **reading.facts,
        **joined.facts,
        **measure_facts,
        sha256=inputs_digest([f for f in reading.files if f.exists()], root),
        n_files=len(reading.files),
        without_features=absent or None,
        notes=list(reading.notes) or None,
    )
    common: dict[str, Any] = {
        "participants": _with_covariates(table, reading, by_subject, participants is not None),
        "units": units,
        "measure": (dict(reading.facts) | measure_facts).get("measure"),
        "provenance": provenance,
        "kind": reading.kind,
    }
    if reading.shape == "regional":
        order = np.arange(len(joined.regions))
        features = regional_features(values, list(by_subject), joined.regions, order, **common)
    else:
        features = edge_features(values, list(by_subject), joined.regions, **common)
    features = add_rows(features, rows)
    features = treat_gaps(features, spec)
    check_features(features)
    return features


def _with_covariates(
    table: pd.DataFrame, reading: Reading, by_subject: Mapping[str, Any], matched: bool
) -> pd.DataFrame:
    """Add covariates found in the files that the participants table does not have."""
    new = {name: v for name, v in reading.covariates.items() if name not in table}
    if not new:
        return table
    # Covariates are indexed by the ids of the files, the table by `participant_id`.
    columns = {}
    for name, values in new.items():
        by_id = match_subjects(values, table, drop_absent=True)[0] if matched else values
        columns[name] = pd.Series(by_id, dtype=np.float64).reindex(table.index)
    return table.assign(**columns)


def _values(
    reading: Reading, joined: JoinedRegions, spec: DerivativesSpec, parts: PartsRequest | None
) -> tuple[Array, str, dict[str, Any], Mapping[str, Mapping[str, Any]]]:
    """Values, units, facts about the measure, and parts of the scans by subject."""
    if reading.shape == "regional":
        return np.stack(list(joined.by_subject.values())), reading.units, {}, {}
    if reading.shape == "series":
        measured = _measure_series(joined, spec, parts)
        facts = {"measure": spec.measure, "estimator": spec.estimator, **measured.facts}
        return measured.values, units_of(spec.measure, True), facts, measured.parts
    return *_from_matrices(reading, joined), {}


def _measure_series(
    joined: JoinedRegions, spec: DerivativesSpec, parts: PartsRequest | None
) -> MeasuredEdges:
    check_method(spec.measure, spec.estimator)
    short = GroupedProblems()
    for subject, series in joined.by_subject.items():
        if len(series) < spec.min_volumes:
            short.add(
                subject,
                f"{len(series)} volumes (after censoring), at least {spec.min_volumes} required: "
                "exclude the participant, or lower min_volumes, e.g. "
                f"{setting_hint('min_volumes', max(2, len(series)))}.",
            )
    if short.subjects:
        raise DataContractError("time series", short.problems())
    return measure_edges(
        joined.by_subject,
        joined.regions,
        kind=spec.measure,
        estimator=spec.estimator,
        fisher_z=True,
        parts=parts,
    )


def _from_matrices(reading: Reading, joined: JoinedRegions) -> tuple[Array, str, dict[str, Any]]:
    if reading.kind == FUNCTIONAL and reading.units not in ("", R, FISHER_Z, Z_STATISTIC):
        raise SpecError(
            "units of functional connectivity must be r, fisher_z, z (z-statistics), covariance or "
            f"precision; got {reading.units!r}."
        )
    names = tuple(map(str, joined.regions["region"]))
    upper = edge_index(len(names))
    found, units = GroupedProblems(), {}
    edges = np.empty((len(joined.by_subject), len(upper[0])))
    for row, (subject, square) in enumerate(joined.by_subject.items()):
        problem = symmetry_problem(np.nan_to_num(square, posinf=0.0, neginf=0.0), names)
        if problem is not None:
            found.add(subject, problem)
        if reading.kind == FUNCTIONAL:
            units[subject], problem = resolve_units(square, reading.units)
            unit_r = units[subject] == R
            ones = (
                perfect_correlation_problems(np.nan_to_num(square), names)
                if unit_r and not problem
                else []
            )
            for text in [problem] if problem else ones:
                found.add(subject, text)
        edges[row] = square[upper]
    if found.subjects:
        raise DataContractError(reading.kind, found.problems())
    if reading.kind != FUNCTIONAL:
        return edges, reading.units, {}
    _refuse_mixed_units(units)
    if R in units.values():
        return np.arctanh(edges), FISHER_Z, {"read_units": R}
    if Z_STATISTIC in units.values():
        return edges, "z-statistics (as read)", {"read_units": Z_STATISTIC}
    return edges, FISHER_Z, {"read_units": FISHER_Z}


def _refuse_mixed_units(units: Mapping[str, str]) -> None:
    if len(set(units.values())) < 2:
        return
    subjects = {u: [s for s, unit in units.items() if unit == u] for u in (R, FISHER_Z)}
    raise DataContractError(
        FUNCTIONAL,
        [
            f"the cohort mixes correlations (r: {some(subjects[R])}) and Fisher z "
            f"({some(subjects[FISHER_Z])}), judged by their diagonals and ranges: use one kind of "
            "matrices."
        ],
    )
