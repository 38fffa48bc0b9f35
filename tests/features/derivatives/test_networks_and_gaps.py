"""Networks of XCP-D's 4S atlases, and the three decisions about what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import SUBJECTS, correlations_of, write_square

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import read_arrays, read_derivatives
from bayes_mdd.specs import DerivativesSpec

NAMES = ("LH_Vis_1", "LH_Vis_2", "RH_Default_PFC_1", "LH-Thalamus", "RH-Thalamus", "Cerebellum_1")
NETWORKS = ("Vis", "Vis", "Default", "n/a", "n/a", "n/a")
SEVENTEEN = ("VisCent", "VisPeri", "DefaultA", "n/a", "n/a", "n/a")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for subject in SUBJECTS:
        path = tmp_path / "xcp_d" / subject / "func" / f"{subject}_task-rest_seg-4S6_relmat.tsv"
        write_square(path, correlations_of(subject, NAMES), NAMES)
    return tmp_path / "xcp_d"


def ship(folder: Path, names=NAMES) -> Path:
    """Write the table of the atlas, with a region that is not in the data."""
    path = folder / "atlases" / "atlas-4S6" / "atlas-4S6_dseg.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {
        "index": range(1, len(names) + 2),
        "label": [*names, "lost"],
        "network_label": [*NETWORKS[: len(names)], "Cont"],
        "network_label_17network": [*SEVENTEEN[: len(names)], "ContA"],
        "atlas_name": ["4S"] * (len(names) + 1),
    }
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    return path


def facts(features):
    return json.loads(features.attrs["provenance"])


def test_partly_known_networks_are_known(folder, participants):
    with pytest.warns(UserWarning, match="3 of 6 regions have no network and form blocks"):
        got = read_derivatives(folder, participants=participants)
    assert "Vis-Default" in got["block"].values
    assert "Vis-Subcortex" in got["block"].values
    assert facts(got)["regions_without_network"] == {
        "Subcortex": ["LH-Thalamus", "RH-Thalamus"],
        "Cerebellum": ["Cerebellum_1"],
    }


def test_the_table_of_the_atlas_in_the_folder_is_used(folder, participants):
    ship(folder)
    with pytest.warns(UserWarning, match="3 of 6 regions"):
        got = read_derivatives(folder, participants=participants)
    assert got["region_label"].values.tolist() == [1, 2, 3, 4, 5, 6]
    with pytest.warns(UserWarning, match="3 of 6 regions"):
        got = read_derivatives(
            folder, participants=participants, networks="network_label_17network"
        )
    assert got["network_a"].values[0] == "VisCent"
    with pytest.warns(UserWarning, match="3 of 6 regions"):
        got = read_derivatives(folder, participants=participants, networks="circuit")
    assert set(got["network_a"].values) <= {"VIS", "DMN", "OTH"}
    with pytest.raises(SpecError, match="columns with networks: network_label, network_label_17"):
        read_derivatives(folder, participants=participants, networks="yeo")


@pytest.mark.filterwarnings("ignore:.*regions have no network")
def test_the_table_as_regions(folder, participants, tmp_path):
    table = ship(tmp_path)
    complete = pd.read_csv(table, sep="\t", keep_default_na=False).iloc[:6]
    for regions in (complete, complete.assign(network_label=["a"] * 6)):
        got = read_arrays(folder, participants=participants, regions=regions)
        assert list(got.regions["region"]) == list(NAMES)
    with pytest.raises(DataContractError, match=r"(?s)'lost' in 4 .*missing_regions='drop'"):
        read_derivatives(folder, participants=participants, regions=table)


@pytest.mark.filterwarnings("ignore:.*regions have no network")
def test_a_table_that_lacks_regions_is_not_used(folder, participants):
    ship(folder, NAMES[:4])
    with pytest.warns(UserWarning, match=r"lacks 2 of 6 regions .* and was not used"):
        read_derivatives(folder, participants=participants)
    with pytest.raises(DataContractError, match=r"lacks 2 of 6 regions .*--regions"):
        read_derivatives(folder, participants=participants, networks="network_label")


def test_columns_and_circuits_need_a_table(folder, participants):
    with pytest.raises(SpecError, match="needs --regions"):
        read_derivatives(folder, participants=participants, networks="circuit")
    with pytest.raises(SpecError, match="is a column of a region table, but there is none"):
        read_derivatives(folder, participants=participants, networks="network_label")


# Three decisions about what is missing


def write(folder: Path, change) -> Path:
    names = ("a", "b", "c", "d")
    for k, subject in enumerate(SUBJECTS):
        matrix = correlations_of(subject, names)
        change(k, matrix)
        write_square(folder / f"{subject}_relmat.tsv", matrix, names)
    return folder


def no_region(k, matrix):
    if k == 1:
        matrix[2] = matrix[:, 2] = np.nan


def no_edge(k, matrix):
    if k == 1:
        matrix[0, 1] = matrix[1, 0] = np.nan


def no_variation(_, matrix):
    matrix[0, 3] = matrix[3, 0] = 0.5


GAPS = {
    "missing_regions": (no_region, r"'c' in 1 \(sub-02\).*missing_regions='drop'", 3),
    "missing_features": (no_edge, r"subjects sub-02; features a--b.*missing_features='drop'", 5),
    "constant_features": (no_variation, r"all participants.*a--d.*constant_features='drop'", 5),
}


@pytest.mark.parametrize("setting", GAPS)
def test_each_gap_has_its_setting(tmp_path, participants, setting):
    change, message, n_left = GAPS[setting]
    folder = write(tmp_path, change)
    others = DerivativesSpec(missing="drop", **{setting: "refuse"})
    for spec in (None, others):
        with pytest.raises(DataContractError, match=f"(?s){message}.*--set {setting}=drop"):
            read_derivatives(folder, participants=participants, spec=spec)
    for spec in (DerivativesSpec(**{setting: "drop"}), DerivativesSpec(missing="drop")):
        got = read_derivatives(folder, participants=participants, spec=spec)
        assert got.sizes["feature"] == n_left
        assert facts(got)["settings"]["missing"] == spec.missing


def test_regions_that_the_same_participants_lack_list_them_once(tmp_path, participants):
    def none_of_two(k, matrix):
        if k == 1:
            matrix[:2] = matrix[:, :2] = np.nan

    with pytest.raises(DataContractError) as caught:
        read_derivatives(write(tmp_path, none_of_two), participants=participants)
    assert str(caught.value).count("sub-02") == 1
    assert "'a' in 1 (sub-02), likewise 'b'" in str(caught.value)


def test_values_of_the_settings():
    with pytest.raises(SpecError, match=r"missing_regions must be one of \('refuse', 'drop'\)"):
        DerivativesSpec(missing_regions="keep")
    assert not DerivativesSpec().drops("missing_regions")
