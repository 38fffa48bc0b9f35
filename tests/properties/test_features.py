"""Feature sets: written and read back; names, blocks and order."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import check_features, connectivity_from_timeseries, read_features
from bayes_mdd.features.blocks import edge_blocks, edge_index, edge_labels
from bayes_mdd.features.file_names import parse_name
from bayes_mdd.features.folder.writing import write_features
from bayes_mdd.features.networks import is_network, network_of_name, structure_of_name
from bayes_mdd.files.checksum import input_checksum

NAMES = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters='"'),
                min_size=1, max_size=6)  # fmt: skip
NETWORKS = st.lists(st.sampled_from(["DMN", "CCN", "VIS"]), min_size=4, max_size=4)
SUBJECTS = [f"sub-{i}" for i in range(4)]


def measure(names, networks, seed=0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(len(names), len(names)))
    series = {s: rng.normal(size=(60, len(names))) @ mixing for s in SUBJECTS}
    regions = pd.DataFrame({"region": list(names), "network": list(networks)})
    return connectivity_from_timeseries(series, regions), series


@settings(max_examples=5)
@given(names=st.lists(NAMES, min_size=4, max_size=4, unique=True), networks=NETWORKS)
def test_features_survive_writing(tmp_path_factory, names, networks):
    try:
        features, _ = measure(names, networks)
    except DataContractError:
        # Names that no table can hold, or that make labels of edges ambiguous.
        assume(False)
    features = features.assign_coords(arm=("subject", [f"x{i % 2}" for i in range(4)]))
    folder = tmp_path_factory.mktemp("cohort")
    rows = [f"{s}\tx{i % 2}\n" for i, s in enumerate(SUBJECTS)]
    (folder / "participants.tsv").write_text("participant_id\tarm\n" + "".join(rows))
    write_features(features, folder)
    found = read_features(folder)
    np.testing.assert_array_equal(found["y"], features["y"])
    for name in ("subject", "feature", "block", "region", "region_network", "kind"):
        assert found[name].values.tolist() == features[name].values.tolist(), name
    assert found.attrs["units"] == features.attrs["units"]
    check_features(found)


@settings(max_examples=5)
@given(networks=NETWORKS, order=st.permutations(range(4)), seed=st.integers(0, 99))
def test_values_and_blocks_belong_to_regions_whatever_their_order(networks, order, seed):
    names = ["a", "b", "c", "d"]
    features, series = measure(names, networks, seed)
    turned = pd.DataFrame({"region": names, "network": networks}).iloc[list(order)]
    other = connectivity_from_timeseries(
        {s: x[:, list(order)] for s, x in series.items()}, turned.reset_index(drop=True)
    )

    def by_pair(data):
        pairs = [frozenset(str(f).split("--")) for f in data["feature"].values]
        blocks = [frozenset(str(b).split("-")) for b in data["block"].values]
        return {p: (b, v) for p, b, v in zip(pairs, blocks, data["y"].values.T, strict=True)}

    one, two = by_pair(features), by_pair(other)
    assert one.keys() == two.keys()
    for pair, (block, values) in one.items():
        assert two[pair][0] == block
        np.testing.assert_allclose(two[pair][1], values, atol=1e-10)


@given(networks=st.lists(st.sampled_from(["A", "B", "C-D", "E"]), min_size=2, max_size=9))
def test_pairs_of_networks_and_blocks_are_one_to_one(networks):
    names = [f"r{i}" for i in range(len(networks))]
    table = pd.DataFrame({"region": names, "network": networks})
    first, second = edge_index(len(names))
    blocks = edge_blocks(table, first, second)
    pairs = [frozenset((networks[a], networks[b])) for a, b in zip(first, second, strict=True)]
    assert len(set(zip(pairs, blocks, strict=True))) == len(set(pairs)) == len(set(blocks))
    assert len(set(edge_labels(table))) == len(blocks)
    np.testing.assert_array_equal(edge_blocks(table, second, first), blocks)


@settings(max_examples=5)
@given(at=st.integers(0, 23), change=st.sampled_from([1e-9, -1.0, 1e6]))
def test_the_checksum_of_inputs_notices_every_value(at, change):
    features, _ = measure("abcd", ["DMN"] * 4)
    before = input_checksum(features, None)
    assert input_checksum(features.copy(deep=True), None) == before
    other = features.copy(deep=True)
    other["y"].values.ravel()[at % other["y"].size] += change
    assert input_checksum(other, None) != before
    renamed = features.assign_coords(subject=[f"{s}x" for s in features["subject"].values])
    assert input_checksum(renamed, None) != before


@given(name=st.text(max_size=20))
def test_names_of_regions_and_files_never_fail(tmp_path, name):
    assert network_of_name(name) is None or network_of_name(name) in name
    assert structure_of_name(name) in (None, "Subcortex", "Cerebellum", "Brainstem")
    assert is_network(name) in (True, False)
    if name.strip("./") and not set(name) & set("/\x00"):
        found = parse_name(tmp_path / name, tmp_path)
        assert found.path.name == name
