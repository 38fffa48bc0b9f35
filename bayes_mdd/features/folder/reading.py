"""Reading of a cohort folder as a feature set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import xarray as xr

from bayes_mdd.cohort.participants import read_participants
from bayes_mdd.errors import DataContractError
from bayes_mdd.features.additions import add_rows
from bayes_mdd.features.assemble import FUNCTIONAL, edge_features, regional_features
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.folder.layout import TIMESERIES, Layout, find_layout
from bayes_mdd.features.folder.requested_parts import ReadRequest, add_parts
from bayes_mdd.features.folder.sources import ReadValues, read_values
from bayes_mdd.features.folder.study import read_study
from bayes_mdd.features.matrices import FISHER_Z
from bayes_mdd.features.provenance import inputs_digest, provenance_text
from bayes_mdd.features.regions import check_regions, read_regions


class HasFolder(Protocol):
    """The parts of a `Cohort` that are needed to read its features."""

    @property
    def folder(self) -> Path | None:
        """The cohort folder."""

    @property
    def participants(self) -> pd.DataFrame:
        """Participants, indexed by ``participant_id``."""


def read_features(
    folder: str | Path,
    *,
    kind: str | None = None,
    estimator: str | None = None,
    session: str | None = None,
    halves: bool | None = None,
    pieces: int | None = None,
    other_session: str | None = None,
    controls: Sequence[str] | None = None,
) -> xr.Dataset:
    """Read the features of a cohort folder.

    Parameters
    ----------
    folder : str or Path
        A cohort folder: ``participants.tsv`` and ``features/`` with ``features.json``,
        ``regions.tsv`` and either one file for all participants (``features.tsv``, ``.csv``,
        ``.npz``), one matrix per participant (``sub-XX_relmat.tsv``, ``.csv``, ``.npy``,
        ``.npz``) or one time series per participant (``sub-XX_timeseries.tsv``, ``.npy``).
    kind : {"correlation", "partial correlation", "tangent"}, optional
        Measure to compute from time series. Default: ``measure`` in ``features.json``, else
        correlation. Matrices and tables are not recomputed.
    estimator : {"empirical", "ledoit-wolf"}, optional
        Covariance estimator for time series. Default: as stated in ``features.json``, else
        empirical.
    session : str, optional
        Session to read, with or without ``ses-``. Default: as stated in ``features.json``.
    halves : bool, optional
        Add ``half_difference`` (see `check_features`): measured from time series, or read from
        files of halves (see Notes). Default: as stated in ``features.json``, else if there are such
        files.
    pieces : int, optional
        Add ``pieces``, so many per scan: measured from time series, or read from
        ``sub-XX_pieces.npy``. 0 for none. Default: as stated in ``features.json``, else if there
        are such files.
    other_session : str, optional
        Add ``session_difference``: half the difference between the session that is read and this
        one, for the participants who have both. Default: as stated in ``features.json``, else from
        ``session_difference.npz`` if it is there.
    controls : sequence of str, optional
        The diagnoses that mark healthy controls, in place of the known words; empty if there are
        none (see `bayes_mdd.cohort.read_participants`).

    Returns
    -------
    xarray.Dataset
        A feature set that meets the contract (`check_features`), with subjects in the order of
        ``participants.tsv``. Patients without an arm may lack features; they are listed in the
        attribute ``provenance``. Correlations (units ``r``) are returned as Fisher z.

    Raises
    ------
    SpecError
        If `kind` or `estimator` is unknown, or given although nothing is computed; if `pieces` does
        not fit the measure, or `other_session` is the session itself.
    DataContractError
        If files are missing, cannot be read, fail a check or do not match the participants.

    Notes
    -----
    Halves of scans that other tools measured are read from files in the layout of the features:
    ``sub-XX_half-1_relmat.tsv`` and ``sub-XX_half-2_relmat.tsv`` (or ``.csv``, ``.npy``, ``.npz``),
    or ``features_half-1.tsv`` and ``features_half-2.tsv``; units are those of the features.
    `write_features` writes ``half_difference.npz`` and ``session_difference.npz`` (arrays
    ``subject``, ``feature``, ``values``). ``sub-XX_pieces.npy`` has the shape (piece, pair), in the
    order of ``numpy.triu_indices`` of the regions; ``features.json`` states
    ``"order": "regions.tsv"``.
    """
    folder = Path(folder)
    request = ReadRequest(kind, estimator, session, halves, pieces, other_session)
    return _read(folder, read_participants(folder, controls=controls), request)


def connectivity_features(
    cohort: HasFolder | str | Path,
    *,
    atlas: pd.DataFrame | str | Path | None = None,
    kind: str | None = None,
    estimator: str | None = None,
    session: str | None = None,
    halves: bool | None = None,
    pieces: int | None = None,
) -> xr.Dataset:
    """Compute connectivity from the time series of a cohort.

    Parameters
    ----------
    cohort : Cohort, str or Path
        A cohort that was read from a folder, or the folder. Its ``features/`` contains
        ``sub-XX_timeseries.tsv`` or ``.npy``; matrices in the same folder are ignored.
    atlas : pandas.DataFrame, str or Path, optional
        Region table, or its file. Default: ``features/regions.tsv``.
    kind, estimator, session : str, optional
        See `read_features`.
    halves : bool, optional
        See `read_features`.
    pieces : int, optional
        See `read_features`.

    Returns
    -------
    xarray.Dataset
        A feature set of edges.

    Raises
    ------
    SpecError
        If `kind` or `estimator` is unknown.
    DataContractError
        See `read_features`; also if the cohort has no folder.
    """
    if isinstance(cohort, (str, os.PathLike)):
        folder = Path(cohort)
        participants = read_participants(folder)
    else:
        if cohort.folder is None:
            raise DataContractError(
                "cohort",
                [
                    "the cohort has no folder to read time series from: pass the arrays to "
                    "connectivity_from_timeseries."
                ],
            )
        folder, participants = cohort.folder, cohort.participants
    request = ReadRequest(kind, estimator, session, halves, pieces)
    return _read(folder, participants, request, source=TIMESERIES, atlas=atlas)


def _read(
    folder: Path,
    participants: pd.DataFrame,
    request: ReadRequest,
    *,
    source: str | None = None,
    atlas: pd.DataFrame | str | Path | None = None,
) -> xr.Dataset:
    layout = find_layout(folder, source=source, session=request.session)
    request = request.complete(layout.facts)
    regions = _regions(layout, atlas)
    # Folders written by `write_features` list the participants without features.
    without = {str(s) for s in layout.facts.get("without_features", ())}
    expected = participants.loc[[str(s) not in without for s in participants.index]]
    values = read_values(
        layout,
        regions,
        expected,
        request.kind,
        request.estimator,
        halves=bool(request.halves),
        pieces=request.pieces,
    )
    values, more = add_parts(folder, layout, values, regions, participants, request)
    inputs = [*layout.files, *more, layout.description, folder / "participants.tsv"]
    inputs += [layout.regions] if atlas is None else []
    features = add_rows(_build(layout, values, regions, participants, inputs, folder), values.parts)
    check_features(features)
    return features


def _build(
    layout: Layout,
    read: ReadValues,
    regions: pd.DataFrame,
    participants: pd.DataFrame,
    inputs: Sequence[Path],
    folder: Path,
) -> xr.Dataset:
    found = set(read.subjects)
    without = [str(p) for p in participants.index if str(p) not in found]
    common: dict[str, Any] = {
        "participants": participants,
        "units": read.units,
        "measure": read.facts.get("measure"),
        "provenance": provenance_text(
            source=layout.source,
            fisher_z=read.units == FISHER_Z,
            session=layout.session,
            sha256=inputs_digest([p for p in inputs if p.exists()], folder),
            n_files=len(layout.files),
            without_features=without or None,
            participants_notes=participants.attrs.get("notes") or None,
            controls=participants.attrs.get("controls"),
            other_session=read.other_session,
            description=layout.facts.get("description"),
            made_from=layout.facts.get("provenance"),
            study=read_study(folder) or None,
            **read.facts,
        ),
    }
    estimand = {k: v for k in ("estimand",) if (v := layout.facts.get(k)) is not None}
    if read.rows is not None:
        kind = layout.facts.get("kind", "regional")
        return regional_features(
            read.values, read.subjects, regions, read.rows, kind=kind, **common
        ).assign_attrs(estimand)
    kind = layout.facts.get("kind", FUNCTIONAL)
    return edge_features(
        read.values, read.subjects, regions, kind=kind, edges=read.edges, **common
    ).assign_attrs(estimand)


def _regions(layout: Layout, atlas: pd.DataFrame | str | Path | None) -> pd.DataFrame:
    if atlas is None:
        return read_regions(layout.regions)
    return (
        check_regions(atlas, what="atlas")
        if isinstance(atlas, pd.DataFrame)
        else read_regions(atlas)
    )
