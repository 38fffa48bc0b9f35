"""Cohorts that are changed, and their fits."""

from __future__ import annotations

import pytest
import xarray as xr
from invariance.changes import Inputs

import bayes_mdd as bm


@pytest.fixture(scope="session")
def edges() -> Inputs:
    """Edges with heavy tails, in units that are not known."""
    cohort = bm.simulate_cohort(
        3,
        n_regions=14,
        n_subjects={"SSRI": 20, "SNRI": 17},
        n_controls=22,
        source="edges",
        n_shared=2,
        loading_scale=0.8,
        noise_df=5,
    )
    return Inputs(cohort.features.assign_attrs(units="arbitrary"), cohort.symptoms)


@pytest.fixture(scope="session")
def series() -> Inputs:
    """Correlations of time series with halves and pieces: errors are dependent, and whitened."""
    cohort = bm.simulate_cohort(
        8,
        source="series",
        n_regions=21,
        n_subjects={"SSRI": 22, "SNRI": 20},
        n_controls=24,
        n_shared=1,
        n_specific={"SSRI": 1, "SNRI": 1},
        loading_scale=2.0,
        n_volumes=160,
    )
    return Inputs(cohort.features, cohort.symptoms)


@pytest.fixture(scope="session")
def edges_fit(edges: Inputs) -> xr.DataTree:
    """The fit of `edges`."""
    return edges.fit()


@pytest.fixture(scope="session")
def series_fit(series: Inputs) -> xr.DataTree:
    """The fit of `series`, of whitened edges."""
    idata = series.fit()
    assert "whitening" in idata.children
    return idata
