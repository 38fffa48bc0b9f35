"""Region tables, and the coordinates of edges derived from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import check_regions, read_regions
from bayes_mdd.features.blocks import edge_blocks, edge_coordinates, edge_index, edge_labels


def test_blocks_follow_the_first_appearance_of_networks(region_table):
    first, second = edge_index(5)
    blocks = edge_blocks(region_table, first, second)
    got = dict(zip(edge_labels(region_table), blocks, strict=True))
    assert got["R1--R2"] == "DMN-CCN"
    assert got["R2--R3"] == "DMN-CCN"  # CCN region first, still the same block
    assert got["R1--R3"] == "DMN-DMN"
    assert got["R4--R5"] == "CCN-Reward"
    assert len(got) == 10


def test_coordinates_agree_with_a_loop_over_pairs(region_table):
    coords = edge_coordinates(region_table, *edge_index(5), kind="fc")
    at = 0
    for i in range(5):
        for j in range(i + 1, 5):
            assert coords["region_a"][1][at] == region_table["region"][i]
            assert coords["network_b"][1][at] == region_table["network"][j]
            assert coords["feature"][1][at] == f"R{i + 1}--R{j + 1}"
            at += 1
    assert at == len(coords["block"][1])


def test_ambiguous_block_names_are_refused():
    table = pd.DataFrame({"region": list("abcd"), "network": ["A", "B-C", "A-B", "C"]})
    with pytest.raises(DataContractError, match="A-B-C"):
        edge_blocks(table, *edge_index(4))


def test_columns_of_a_region_table_are_converted(tmp_path, region_table):
    path = tmp_path / "regions.tsv"
    region_table.astype(object).assign(x=["1", "n/a", "3", "4", "5"]).to_csv(
        path, sep="\t", index=False
    )
    got = read_regions(path)
    assert got["label"].dtype == np.int64
    assert np.isnan(got["x"][1])
    assert got["region"].tolist() == ["R1", "R2", "R3", "R4", "R5"]


def test_all_problems_of_a_region_table_are_reported(region_table):
    broken = region_table.astype(object)
    broken.loc[1, "region"] = "R1"
    broken.loc[2, "network"] = None
    broken.loc[3, "x"] = "left"
    broken.loc[4, "label"] = 1.5
    with pytest.raises(DataContractError) as caught:
        check_regions(broken)
    text = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    assert "column network is empty or n/a in line(s) 4" in text
    assert "repeated: R1" in text
    assert "column x must contain numbers (mm); found other values for R4" in text
    assert "column label must contain whole numbers" in text


def test_missing_columns_are_reported(region_table):
    with pytest.raises(DataContractError, match=r"missing column\(s\) network"):
        check_regions(region_table.drop(columns="network"))
