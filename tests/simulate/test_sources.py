"""Simulated cohorts written as files of other programs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import SpecError
from bayes_mdd.simulate import simulate_cohort, write_sources

FC = "functional_connectivity"


@pytest.fixture(scope="module")
def cohort():
    return simulate_cohort(
        4, n_subjects={"SSRI": 3, "SNRI": 3}, n_controls=3, n_regions=14, n_volumes=120
    )


def test_spreadsheets_are_converted(cohort, tmp_path):
    study = write_sources(cohort, tmp_path / "study")
    table = pd.read_csv(study / "clinical.csv", dtype=str)
    assert table.columns.tolist() == [
        "Code", "Group", "Drug", "Age", "Gender", "Scanner", "FD", "HAMD",
    ]  # fmt: skip
    assert table.loc[table["Group"] == "control", ["Drug", "HAMD"]].isna().all(axis=None)
    new = {"Code": "participant_id", "Group": "diagnosis", "Drug": "arm", "FD": "mean_fd"}
    table.rename(columns=new).to_csv(study / "participants.csv", index=False)
    read = bm.read_derivatives(
        study / "matrices", participants=study / "participants.csv", regions=study / "regions.csv"
    )
    wanted = cohort.features["y"]
    wanted = wanted.assign_coords(subject=[f"P{s[4:]}" for s in wanted["subject"].values])
    np.testing.assert_allclose(read["y"], wanted.sel(subject=read["subject"].values), atol=1e-4)
    assert (read["diagnosis"].values == "HC").sum() == 3


def test_output_of_xcpd_is_converted(cohort, tmp_path):
    folder = write_sources(cohort, tmp_path / "xcp_d", "xcpd")
    read = bm.read_derivatives(folder, kind=FC, format="xcpd_relmat")
    wanted = cohort.features.sel(subject=read["subject"].values)
    np.testing.assert_allclose(read["y"], wanted["y"], atol=1e-3)
    np.testing.assert_allclose(read["mean_fd"], wanted["mean_fd"])
    series = list(folder.glob("sub-*/func/*_timeseries.tsv"))
    assert len(series) == read.sizes["subject"]


def test_layouts_that_are_refused(tmp_path):
    edges = simulate_cohort(
        1, n_subjects={"A": 2, "B": 2}, n_controls=0, n_regions=8, source="edges"
    )
    with pytest.raises(SpecError, match="needs time series"):
        write_sources(edges, tmp_path / "x", "xcpd")
    with pytest.raises(SpecError, match="layout must be one of csv, xcpd"):
        write_sources(edges, tmp_path / "x", "conn")
    assert not (tmp_path / "x").exists()
