"""Feature tables: one file with the features of all participants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import read_features
from bayes_mdd.features.blocks import edge_labels


@pytest.fixture
def table_of(make_folder, region_table):
    """Return a function that writes the feature table of a cohort folder."""
    folder = make_folder(source="nothing")
    labels = edge_labels(region_table)

    def write(form="tsv", values=None, ids=None, names=None):
        values = folder.edges() if values is None else values
        ids = folder.subjects if ids is None else ids
        names = labels if names is None else np.asarray(names)
        path = folder.features / f"features.{form}"
        if form == "npz":
            np.savez(path, subject=np.array(ids), feature=names, values=values.astype(np.float32))
        else:
            table = pd.DataFrame(values, index=ids, columns=names)
            sep = "," if form == "csv" else "\t"
            table.to_csv(path, sep=sep, index_label="participant_id", na_rep="n/a")
        return folder

    return write


def refused(folder) -> str:
    with pytest.raises(DataContractError) as caught:
        read_features(folder.root)
    return str(caught.value)


@pytest.mark.parametrize(("form", "precision"), [("tsv", 1e-12), ("csv", 1e-12), ("npz", 1e-6)])
def test_all_formats_give_the_same_edges(table_of, form, precision):
    folder = table_of(form)
    got = read_features(folder.root)
    assert got["y"].dtype == np.float64
    np.testing.assert_allclose(got["y"].values, np.arctanh(folder.edges()), rtol=precision)


def test_rows_and_columns_are_sorted_by_name(table_of, region_table):
    labels = edge_labels(region_table)
    reversed_labels = [f"{b}--{a}" for a, b in (label.split("--") for label in labels)]
    folder = table_of()
    expected = read_features(folder.root)
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(6), rng.permutation(10)
    table_of(
        values=folder.edges()[np.ix_(rows, columns)],
        ids=[folder.subjects[i] for i in rows],
        names=np.array(reversed_labels)[columns],
    )
    got = read_features(folder.root)
    np.testing.assert_array_equal(got["y"], expected["y"])
    assert got["feature"].values.tolist() == labels.tolist()


def test_table_with_some_edges_only(table_of):
    folder = table_of(values=np.arange(12.0).reshape(6, 2) / 20, names=["R4--R5", "R1--R2"])
    got = read_features(folder.root)
    assert got["feature"].values.tolist() == ["R1--R2", "R4--R5"]
    assert got["block"].values.tolist() == ["DMN-CCN", "CCN-Reward"]
    np.testing.assert_allclose(np.tanh(got["y"][:, 0]), np.arange(1, 12, 2) / 20)


def test_table_of_regional_features(table_of):
    values = np.random.default_rng(2).uniform(1, 3, size=(6, 3))
    folder = table_of(values=values, names=["R4", "R1", "R3"])
    folder.facts(kind="reho", measure="reho", units="Kendall's W")
    got = read_features(folder.root)
    assert got["feature"].values.tolist() == ["R1", "R3", "R4"]
    assert got["block"].values.tolist() == ["DMN", "DMN", "Reward"]
    assert got["mni_x"].values.tolist() == [1.0, 3.0, 4.0]
    np.testing.assert_array_equal(got["y"], values[:, [1, 2, 0]])
    assert got.attrs["units"] == "Kendall's W"


def test_region_names_may_contain_the_separator(table_of, region_table):
    folder = table_of(values=np.arange(6.0)[:, None] / 20, names=["R1--left--R2"])
    region_table.loc[0, "region"] = "R1--left"
    region_table.to_csv(folder.features / "regions.tsv", sep="\t", index=False)
    got = read_features(folder.root)
    assert (got["region_a"].item(), got["region_b"].item()) == ("R1--left", "R2")


def test_ids_keep_leading_zeros(table_of):
    folder = table_of(ids=["01", "02", "03", "04", "05", "06"])
    assert read_features(folder.root)["subject"].values[0] == "sub-01"


def test_all_mismatches_are_reported_in_one_error(table_of):
    folder = table_of(
        values=np.zeros((6, 3)),
        ids=["sub-01", "sub-01", "sub-03", "sub-04", "sub-05", "sub-77"],
        names=["R1--R2", "R1--R9", "R3"],
    )
    text = refused(folder)
    assert "4 problem(s)" in text
    assert "1 id(s) are not in participants.tsv: sub-77" in text
    assert "sub-01 occur(s) more than once" in text
    assert "have no feature row: sub-02, sub-06" in text
    assert "2 of 3 feature name(s) do not match regions.tsv: R1--R9, R3" in text


def test_an_edge_in_both_directions_is_refused(table_of):
    folder = table_of(values=np.zeros((6, 2)), names=["R1--R2", "R2--R1"])
    text = refused(folder)
    assert "1 feature(s) occur more than once (for edges, also as B--A): R2--R1" in text


def test_an_edge_of_a_region_with_itself_is_refused(table_of):
    assert "R1--R1" in refused(table_of(values=np.zeros((6, 1)), names=["R1--R1"]))


def test_missing_cells_are_reported_and_not_imputed(table_of):
    folder = table_of()
    values = folder.edges()
    values[2, 4] = np.nan
    table_of(values=values)
    text = refused(folder)
    assert "1 missing or infinite value(s): subjects sub-03; features R2--R3" in text


def test_r_of_one_is_refused_before_fisher_z(table_of):
    folder = table_of()
    values = folder.edges()
    values[2, 4] = -1.0
    table_of(values=values)
    text = refused(folder)
    assert "|r| is 1 or more in 1 value(s): participants sub-03; features R2--R3" in text


def test_two_tables_are_refused(table_of):
    table_of()
    assert "features.npz and features.tsv both contain" in refused(table_of("npz"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "subject\tR1--R2\nsub-01\t0.1\n",
            "starts with column 'subject': expected 'participant_id'",
        ),
        ("participant_id\tR1--R2\nsub-01\t0.1\t0.2\n", "line 2 has 3 cells, but the header has 2"),
        ("participant_id\tR1--R2\n", "has no rows"),
        (
            "participant_id\tR1--R2\nsub-01\t\n",
            "other text where a number was expected: line 2 R1--R2",
        ),
    ],
)
def test_damaged_tables_are_reported(table_of, content, message):
    folder = table_of()
    (folder.features / "features.tsv").write_text(content)
    assert message in refused(folder)


def test_an_archive_of_the_wrong_shape_is_reported(table_of):
    folder = table_of("npz")
    np.savez(
        folder.features / "features.npz",
        subject=np.array(folder.subjects),
        feature=np.array(["R1--R2"]),
        values=np.zeros((5, 1)),
    )
    assert "expected numbers, (6 subjects, 1 features)" in refused(folder)
