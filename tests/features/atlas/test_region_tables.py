"""Region tables of other tools: names, labels, networks, and regions without a network."""

from __future__ import annotations

import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import read_atlas
from bayes_mdd.features.atlas.region_tables import standardise_regions
from bayes_mdd.features.networks import fill_networks

CASE = (
    "index\tlabel\tnetwork_label\tnetwork_label_17network\tatlas_name\n"
    "1\tLH_Vis_1\tVis\tVisCent\t4S\n"
    "2\tLH_Vis_2\tVis\tVisPeri\t4S\n"
    "3\tRH-Thalamus\tn/a\tn/a\t4S\n"
    "4\tCerebellar_Region1\t\t\t4S\n"
    "5\tElsewhere\tNone\tn/a\t4S\n"
)


def write(folder, text, name="atlas-4S156Parcels_dseg.tsv"):
    path = folder / name
    path.write_text(text)
    return path


def test_the_table_of_xcpd(tmp_path):
    got = read_atlas(write(tmp_path, CASE))
    assert got["region"].tolist()[:3] == ["LH_Vis_1", "LH_Vis_2", "RH-Thalamus"]
    assert got["network"].tolist() == ["Vis", "Vis", "Subcortex", "Cerebellum", "unassigned"]
    assert got["label"].tolist() == [1, 2, 3, 4, 5]
    assert got["network_from"].tolist() == ["atlas", "atlas", "group", "group", "group"]
    assert got["circuit"].tolist() == ["VIS", "VIS", "OTH", "OTH", "OTH"]


def test_a_column_of_networks_is_chosen(tmp_path):
    path = write(tmp_path, CASE)
    got = read_atlas(path, networks="network_label_17network")
    assert got["network"].tolist()[:3] == ["VisCent", "VisPeri", "Subcortex"]
    with pytest.raises(SpecError, match=r"'network_label_7'.*Did you mean 'network_label'"):
        read_atlas(path, networks="network_label_7")
    assert read_atlas(path, networks="circuit")["network"].tolist()[0] == "VIS"
    assert set(read_atlas("seitzman300", networks="anatomy")["network"]) >= {"amygdala"}


def test_parts_of_a_composed_atlas_are_groups(tmp_path):
    text = (
        "index\tlabel\tlabel_7network\tnetwork_label\tatlas_name\n"
        "1\tLH_Vis_1\t7Networks_LH_Vis_1\tVis\tSchaefer\n"
        "2\tLH-Pu\tn/a\tn/a\tCIT168Subcortical\n"
        "3\tLH-VLP\tn/a\tn/a\tThalamusHCP\n"
    )
    got = read_atlas(write(tmp_path, text))
    assert got["network"].tolist() == ["Vis", "CIT168Subcortical", "ThalamusHCP"]


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        # BIDS, with the background
        ("index\tname\tcolor\n0\tBackground\t#000\n4\ta\t#fff\n7\tb\t#eee\n", ["all", "all"]),
        ("index\tname\tnetwork_label\n4\ta\tDMN\n7\tb\tCCN\n", ["DMN", "CCN"]),
        ("index\tlabel\tcommunity\n4\ta\tDefault\n7\tb\tVis\n", ["Default", "Vis"]),
        ("label\tname\tnetwork_name\n4\ta\tDMN\n7\tb\tCCN\n", ["DMN", "CCN"]),
        ("ROI Label\tROI Name\tnetwork\n4\ta\tDMN\n7\tb\tCCN\n", ["DMN", "CCN"]),
        # numbered networks: 0 is none
        ("index\tname\tYeo_7network\n4\ta\t3\n7\tb\t0\n", ["3", "unassigned"]),
        ("index\tlabel\n4\tLH_Vis_1\n7\tRH_Cont_Par_1\n", ["Vis", "Cont"]),
    ],
)
def test_columns_of_other_tools(tmp_path, text, networks):
    got = read_atlas(write(tmp_path, text))
    assert got["network"].tolist() == networks
    assert got["label"].tolist() == [4, 7]


def test_a_comma_separated_table_with_coordinates(tmp_path):
    text = "index,name,R,A,S,network\n1,a_L,-20,0,0,X\n2,b_R,20,1,2,Y\n"
    got = read_atlas(write(tmp_path, text, "atlas.csv"))
    assert got[["x", "y", "z"]].to_numpy().tolist() == [[-20, 0, 0], [20, 1, 2]]


def test_several_columns_need_a_choice(tmp_path):
    path = write(tmp_path, "index\tname\tYeo_7network\tYeo_17network\n1\ta\t1\t2\n2\tb\t1\t3\n")
    with pytest.raises(SpecError, match=r"networks= .--networks., 'Yeo_7network' or 'Yeo_17"):
        read_atlas(path)
    assert read_atlas(path, networks="Yeo_17network")["network"].tolist() == ["2", "3"]


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(DataContractError, match=r"no column with the names of regions.*area"):
        read_atlas(write(tmp_path, "index\tarea\n1\ta\n2\tb\n"))
    with pytest.raises(DataContractError, match="region names must be unique; repeated: a"):
        read_atlas(write(tmp_path, "index\tname\n1\ta\n2\ta\n"))


def test_our_own_layout_is_unchanged():
    table = pd.DataFrame(
        {
            "index": ["0", "1"],
            "region": ["7Networks_LH_Vis_1", "b"],
            "network": ["Vis", "Sub"],
            "hemisphere": ["L", "R"],
            "mine": ["p", "q"],
        }
    )
    got = standardise_regions(table)
    assert "label" not in got
    assert got["network"].tolist() == ["Vis", "Sub"]
    assert got["mine"].tolist() == ["p", "q"]
    assert "network_from" not in got


def test_names_without_any_network_are_one_block():
    got = fill_networks(["Left-Thalamus", "ctx_1"], [None, None])
    assert got.names == ("all", "all")
    assert got.facts == {"networks": "none given: all regions are one network"}
    assert got.notes == []
