"""Connectivity from time series, computed by nilearn after checks of the series."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayes_mdd.features.additions import add_rows
from bayes_mdd.features.assemble import edge_features
from bayes_mdd.features.measures.edges import measure_edges
from bayes_mdd.features.measures.methods import (
    Estimator,
    Measure,
    check_method,
    is_fisher_z,
    units_of,
)
from bayes_mdd.features.measures.scan_parts import check_parts
from bayes_mdd.features.measures.series import Series, named_series
from bayes_mdd.features.measures.subjects import Missing, check_missing
from bayes_mdd.features.provenance import left_out_text, provenance_text
from bayes_mdd.features.regions import check_regions


def connectivity_from_timeseries(
    series: Series,
    regions: pd.DataFrame,
    kind: Measure = "correlation",
    estimator: Estimator = "empirical",
    fisher_z: bool = True,
    *,
    participants: pd.DataFrame | None = None,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
    halves: bool = False,
    pieces: int | None = None,
) -> xr.Dataset:
    """Compute connectivity features of all subjects from regional time series.

    Parameters
    ----------
    series : mapping of str to array, or array
        A (time, region) array or DataFrame per subject, or one array (subject, time, region). The
        columns of a DataFrame are region names in the order of `regions`; arrays are assumed to
        have this order. A function without arguments that reads the array is accepted as well.
    regions : pandas.DataFrame
        Region table: ``region``, ``network``, optional ``x``, ``y``, ``z``, ...
    kind : {"correlation", "partial correlation", "tangent"}, default "correlation"
        Measure of connectivity. ``tangent`` is relative to the mean of all subjects passed;
        in prediction, do not include the subjects to be predicted.
    estimator : {"empirical", "ledoit-wolf"}, default "empirical"
        Covariance estimator: empirical (Pearson's r for ``correlation``) or with Ledoit-Wolf
        shrinkage, the default of nilearn.
    fisher_z : bool, default True
        Apply Fisher's z transform to (partial) correlations. Not used with ``tangent``.
    participants : pandas.DataFrame, optional
        Indexed by ``participant_id``; its columns become coordinates of the subjects. Without it,
        the result has no coordinate ``arm``. If `series` is an array, its rows are these
        participants.
    missing : {"refuse", "drop-regions", "drop-subjects"}, default "refuse"
        Treatment of regions without data (only n/a, or no variation) in some subjects: raise an
        error, exclude the regions for all subjects, or exclude the subjects. The attribute
        ``left_out`` lists what was excluded. "drop-people" is the former name of "drop-subjects".
    n_jobs : int, optional
        Number of subjects in parallel (threads). Default: as set by ``joblib.parallel_config``,
        else 1. Subjects are measured one after another, so that memory holds the edges and only a
        few series; ``tangent`` needs all series at once.
    halves : bool, default False
        Add ``half_difference``: (first half of the volumes - second half) / 2 of the same measure.
        With an odd number of volumes, the last one is in neither half. Subjects whose halves cannot
        be measured (fewer than 20 volumes a half) have NaN and are listed in ``provenance``.
    pieces : int, optional
        Add ``pieces``: products of the standardised series in so many equal consecutive pieces of
        the scan, for states that change within minutes; 8 is a good choice for 10 minutes. Only for
        the empirical correlation. The last volumes are left out if the number of volumes is not a
        multiple of it; a piece has at least 5 volumes. See `check_features`.

    Returns
    -------
    xarray.Dataset
        Feature set with edges in the order of ``numpy.triu_indices``. ``units`` is ``fisher_z``,
        ``r`` or ``tangent``; ``measure`` is `kind`; the estimator is in the attribute
        ``provenance``.

    Raises
    ------
    SpecError
        If `kind`, `estimator` or `missing` is unknown, or `pieces` does not fit them.
    DataContractError
        If a series has fewer than 20 volumes, another number or order of regions, missing values,
        a region without variation, or two regions with the same signal; or if no subject has a
        requested part of the scan. The error lists all problems.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"region": ["a", "b", "c"], "network": ["N", "N", "M"]})
    >>> edges = connectivity_from_timeseries({"sub-01": rng.normal(size=(50, 3))}, table)
    >>> edges["block"].values.tolist()
    ['N-N', 'N-M', 'N-M']
    """
    check_method(kind, estimator)
    parts = check_parts(halves, pieces, kind, estimator)
    missing = check_missing(missing)
    table = check_regions(regions)
    measured = measure_edges(
        named_series(series, participants),
        table,
        kind=kind,
        estimator=estimator,
        fisher_z=fisher_z,
        missing=missing,
        n_jobs=n_jobs,
        parts=parts,
    )
    out = edge_features(
        measured.values,
        measured.subjects,
        table.iloc[measured.kept].reset_index(drop=True),
        participants=participants,
        units=units_of(kind, fisher_z),
        measure=kind,
        provenance=provenance_text(
            source="timeseries",
            measure=kind,
            estimator=estimator,
            fisher_z=is_fisher_z(kind, fisher_z),
            **measured.facts,
        ),
    )
    out = add_rows(out, measured.parts)
    return out.assign_attrs(left_out_text(missing, measured.left_out))
