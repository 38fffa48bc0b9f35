"""Reading of matrices: values, matching of subjects, and errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import read_features


def refused(folder, **options) -> str:
    with pytest.raises(DataContractError) as caught:
        read_features(folder.root, **options)
    return str(caught.value)


@pytest.mark.parametrize("form", ["tsv", "csv", "npy", "npz"])
def test_all_formats_give_the_same_edges(make_folder, form):
    folder = make_folder(form)
    got = read_features(folder.root)
    np.testing.assert_allclose(got["y"].values, np.arctanh(folder.edges()), rtol=1e-12)
    assert got.attrs["units"] == "fisher_z"
    assert got["feature"].values[1] == "R1--R3"
    assert got["block"].values.tolist()[:3] == ["DMN-CCN", "DMN-DMN", "DMN-Reward"]


def test_columns_become_coordinates_and_an_arm_named_none_is_kept(make_folder):
    folder = make_folder()
    got = read_features(folder.root)
    assert got["arm"].values.tolist() == ["n/a", "n/a", "None", "None", "SSRI", "SSRI"]
    assert got["diagnosis"].values.tolist() == ["HC"] * 2 + ["MDD"] * 4
    np.testing.assert_array_equal(got["age"], [20, 30, 40, np.nan, 60, 70])
    assert got["region_label"].values.tolist() == [11, 12, 13, 14, 15]
    assert got["region_x"].dtype == float


def test_feature_sets_can_be_stored_as_netcdf(make_folder, tmp_path):
    got = read_features(make_folder().root)
    got.to_netcdf(tmp_path / "f.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "f.nc", engine="h5netcdf"), got)


def test_provenance_states_the_source_and_changes_with_the_input(make_folder):
    folder = make_folder()
    facts = json.loads(read_features(folder.root).attrs["provenance"])
    assert (facts["source"], facts["n_files"], facts["measure"]) == ("matrices", 6, "correlation")
    assert len(facts["sha256"]) == 64
    matrix = folder.matrices["sub-03"].copy()
    matrix[0, 1] = matrix[1, 0] = 0.123
    folder.write_matrix("sub-03", matrix)
    again = json.loads(read_features(folder.root).attrs["provenance"])
    assert again["sha256"] != facts["sha256"]


def test_ids_match_with_or_without_sub(make_folder):
    folder = make_folder()
    folder.subjects = [p.removeprefix("sub-") for p in folder.subjects]
    folder.write_participants(arm=["A", "A", "A", "B", "B", "B"])
    assert read_features(folder.root)["subject"].values.tolist() == [
        f"{i:02d}" for i in range(1, 7)
    ]


def test_fisher_z_matrices_are_not_transformed(make_folder):
    folder = make_folder(units="fisher_z")
    got = read_features(folder.root)
    np.testing.assert_allclose(got["y"].values, folder.edges(), rtol=1e-12)


def test_other_measures_are_not_transformed_and_may_have_any_diagonal(make_folder):
    folder = make_folder()
    folder.facts(units="streamlines", measure="count", kind="structural_connectivity")
    for subject, matrix in folder.matrices.items():
        folder.write_matrix(subject, np.round(1000 * np.abs(matrix)))
    got = read_features(folder.root)
    assert got["y"].values.max() > 10
    assert got.attrs["units"] == "streamlines"
    assert set(got["kind"].values) == {"structural_connectivity"}


# --- subjects --------------------------------------------------------------------------------


def test_files_and_subjects_that_do_not_match_are_reported(make_folder):
    folder = make_folder()
    folder.write_matrix("sub-99", folder.matrices["sub-01"])
    for subject in ("sub-02", "sub-05"):
        (folder.features / f"{subject}_task-rest_relmat.tsv").unlink()
    text = refused(folder)
    assert "1 file(s) match no participant of participants.tsv: sub-99_task-rest_relmat.tsv" in text
    assert "2 participant(s) with an arm, or controls, have no feature file: sub-02, sub-05" in text


def test_patients_without_an_arm_may_lack_a_file_and_are_listed(make_folder):
    folder = make_folder()
    folder.write_participants(diagnosis=["HC"] * 2 + ["MDD"] * 4, arm=["n/a"] * 3 + ["A", "B", "B"])
    (folder.features / "sub-03_task-rest_relmat.tsv").unlink()
    got = read_features(folder.root)
    assert got.sizes["subject"] == 5
    assert json.loads(got.attrs["provenance"])["without_features"] == ["sub-03"]


def test_two_files_of_one_subject_are_refused(make_folder):
    folder = make_folder()
    whole = folder.features / "sub-04_task-rest_relmat.tsv"
    short = folder.features / "sub-04_task-rest_desc-100volumes_relmat.tsv"
    short.write_bytes(whole.read_bytes())
    text = refused(folder)
    assert f"sub-04 has 2 files, {short.name} and {whole.name}" in text


def test_sub_1_does_not_match_sub_10(make_folder):
    folder = make_folder()
    folder.subjects = ["sub-1", "sub-10", "sub-2", "sub-20", "sub-3", "sub-30"]
    folder.write_participants(arm=["A", "A", "A", "B", "B", "B"])
    for path in folder.features.glob("sub-0*"):
        path.unlink()
    for subject, matrix in zip(folder.subjects, folder.matrices.values(), strict=True):
        folder.write_matrix(subject, matrix)
    got = read_features(folder.root)
    np.testing.assert_allclose(got["y"].values, np.arctanh(folder.edges()))


def test_repeated_participants_are_refused(make_folder):
    folder = make_folder()
    folder.subjects[1] = "sub-01"
    folder.write_participants(arm=["A"] * 6)
    assert "sub-01" in refused(folder)


def test_sessions_are_selected_by_file_name(make_folder):
    folder = make_folder()
    for path in list(folder.features.glob("sub-*")):
        path.rename(path.with_name(path.name.replace("_task", "_ses-1_task")))
    for subject, matrix in folder.matrices.items():
        folder.write_matrix(f"{subject}_ses-2", matrix / 2 + np.eye(5) / 2)
    assert "sub-01 has 2 files" in refused(folder)
    assert "no file of session '3': found ses-1, ses-2" in refused(folder, session="ses-3")
    first = read_features(folder.root, session="1")
    second = read_features(folder.root, session="ses-2")
    np.testing.assert_allclose(np.tanh(first["y"]), 2 * np.tanh(second["y"]))
    folder.facts(session="ses-2")
    np.testing.assert_array_equal(read_features(folder.root)["y"], second["y"])


# --- values ----------------------------------------------------------------------------------


def swap_names(folder):
    order = [1, 0, 2, 3, 4]
    names = [f"R{i + 1}" for i in order]
    folder.write_matrix("sub-02", folder.matrices["sub-02"][np.ix_(order, order)], names=names)


def lose_region(folder):
    folder.write_matrix("sub-02", folder.matrices["sub-02"][:4, :4], names=["R1", "R2", "R3", "R4"])


def other_atlas(folder):
    folder.write_matrix("sub-02", folder.matrices["sub-02"], names=["R1", "R2", "R3", "R4", "V1"])


def wide(folder):
    np.savez(
        folder.features / "sub-02_task-rest_relmat.npz",
        matrix=np.ones((4, 5)),
        region=np.array(["R1"]),
    )
    (folder.features / "sub-02_task-rest_relmat.tsv").unlink()


def changed(**cells):
    def change(folder):
        matrix = folder.matrices["sub-02"].copy()
        for where, value in cells.items():
            matrix[int(where[1]), int(where[2])] = value
        folder.write_matrix("sub-02", matrix)

    return change


def filled_row(value, diagonal):
    def change(folder):
        for subject in ("sub-02", "sub-05"):
            matrix = folder.matrices[subject].copy()
            matrix[3], matrix[:, 3], matrix[3, 3] = value, value, diagonal
            folder.write_matrix(subject, matrix)

    return change


def triangle(folder):
    folder.write_matrix("sub-02", np.triu(folder.matrices["sub-02"]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            swap_names,
            "order of regions differs from regions.tsv: position 1 is 'R2', but 'R1' in regions",
        ),
        (lose_region, "has 4 regions, regions.tsv has 5; lacks R5"),
        (other_atlas, "lacks R5; has V1, which regions.tsv does not list"),
        (wide, "the matrix is 4 x 5: expected a square matrix"),
        (changed(c01=0.9), "not symmetric: M[a, b] and M[b, a] differ by up to"),
        (changed(c01=0.9), "(at R1--R2)"),
        (changed(c01=1.0, c10=1.0), "|r| = 1 at 1 edge(s), the first R1--R2"),
        (changed(c23=np.nan, c32=np.nan), "2 missing or infinite value(s), the first at R3--R4"),
        (changed(c23=np.inf, c32=np.inf), "2 missing or infinite value(s), the first at R3--R4"),
        (changed(c23=1.7, c32=1.7), "values off the diagonal exceed 1, as for Fisher z"),
        (changed(c22=7.25), "the diagonal is neither 1 nor 0"),
        (filled_row(np.nan, np.nan), "1 region(s) have no data"),
        (filled_row(0.0, 0.0), "'R4' in 2 (sub-02, sub-05)"),
        (filled_row(0.0, 1.0), "'R4' in 2 (sub-02, sub-05)"),
        (triangle, "only the upper triangle is filled"),
    ],
)
def test_invalid_matrices_are_refused(make_folder, damage, message):
    folder = make_folder()
    damage(folder)
    text = refused(folder)
    assert message in text
    assert "sub-02" in text


def test_regions_are_never_matched_by_position(make_folder):
    # Same size and names, another order: matching by position would give wrong edges silently.
    folder = make_folder("npz")
    names = ["R5", "R4", "R3", "R2", "R1"]
    folder.write_matrix("sub-06", folder.matrices["sub-06"], "npz", names)
    assert "sub-06: the order of regions differs from regions.tsv" in refused(folder)


def test_r_stated_as_fisher_z_is_reported_once_for_all_subjects(make_folder):
    folder = make_folder()
    folder.facts(units="fisher_z")
    text = refused(folder)
    assert "1 problem(s)" in text
    assert "sub-01, sub-02, sub-03, sub-04, sub-05 and 1 more: the diagonal is 1" in text


def test_fisher_z_stated_as_r_is_refused(make_folder):
    folder = make_folder(units="fisher_z")
    folder.facts(units="r")
    assert "the diagonal is neither 1 nor 0" in refused(folder)


def test_correlation_matrices_may_have_a_zero_diagonal(make_folder):
    folder = make_folder()
    for subject, matrix in folder.matrices.items():
        folder.write_matrix(subject, matrix - np.eye(5))
    np.testing.assert_allclose(read_features(folder.root)["y"], np.arctanh(folder.edges()))


def test_a_constant_edge_is_refused(make_folder):
    folder = make_folder()
    for subject, matrix in folder.matrices.items():
        matrix[0, 2] = matrix[2, 0] = 0.25
        folder.write_matrix(subject, matrix)
    assert "1 feature(s) have the same value in all 6 subjects: R1--R3" in refused(folder)


def test_npy_needs_a_stated_order_and_the_right_size(make_folder):
    folder = make_folder("npy")
    folder.write_matrix("sub-02", np.eye(4), "npy")
    assert "the matrix is 4 x 4, but regions.tsv has 5 regions" in refused(folder)
    folder.facts(order=None)
    assert '"order": "regions.tsv"' in refused(folder)


# --- files -----------------------------------------------------------------------------------


def cut(form):
    def damage(folder):
        path = folder.features / f"sub-02_task-rest_relmat.{form}"
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * 0.6)])

    return damage


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("tsv", "truncated"),
        ("csv", "truncated"),
        ("npy", "cannot be read as a .npy array"),
        ("npz", "cannot be read as an .npz archive"),
    ],
)
def test_truncated_files_are_reported(make_folder, form, message):
    folder = make_folder(form)
    cut(form)(folder)
    text = refused(folder)
    assert message in text
    assert "sub-02: " in text


@pytest.mark.parametrize("form", ["tsv", "npy", "npz"])
def test_empty_files_are_reported(make_folder, form):
    folder = make_folder(form)
    (folder.features / f"sub-02_task-rest_relmat.{form}").write_bytes(b"")
    assert f"sub-02: sub-02_task-rest_relmat.{form} is empty" in refused(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "Node\tR1\tR2\nR1\t1\tNA\nR2\tNA\t1\n",
            "other text where a number was expected: line 2 R2 ('NA'), line 3 R1 ('NA').",
        ),
        ("1.0 0.2\n0.2 1.0\n", "has no columns separated by tabs"),
        ("1.0\t0.2\n0.2\t1.0\n", "has numbers where column names were expected"),
        ("Node\tR1\tR1\nR1\t1\t0\nR1\t0\t1\n", "repeats the column name(s) R1"),
        ("Node\tR1\tR2\nR2\t1\t0\nR1\t0\t1\n", "the names of rows and columns differ"),
        ("Node\tR1\tR2\t\nR1\t1\t0\t\nR2\t0\t1\t\n", "a column without a name"),
        (b"\xff\xfe\x00bad", "cannot be read as text"),
    ],
)
def test_text_files_that_are_not_matrices_are_reported(make_folder, content, message):
    folder = make_folder()
    path = folder.features / "sub-02_task-rest_relmat.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in refused(folder)


def test_npz_without_region_names_is_refused(make_folder):
    folder = make_folder("npz")
    np.savez(folder.features / "sub-02_task-rest_relmat.npz", matrix=np.eye(5))
    assert "lacks region: expected the arrays matrix, region; found matrix" in refused(folder)


def test_pickled_objects_are_never_loaded(make_folder):
    folder = make_folder("npy")
    np.save(folder.features / "sub-02_task-rest_relmat.npy", np.array([{}], dtype=object))
    assert "contains objects" in refused(folder)


def test_annexed_files_are_reported(make_folder):
    folder = make_folder()
    path = folder.features / "sub-02_task-rest_relmat.tsv"
    path.unlink()
    path.symlink_to(folder.root / "annex" / "content")
    assert "run 'datalad get'" in refused(folder)


def test_hidden_files_of_macos_are_ignored(make_folder):
    folder = make_folder()
    (folder.features / "._sub-02_task-rest_relmat.tsv").write_bytes(b"\x00\x01")
    assert read_features(folder.root).sizes["subject"] == 6


def test_byte_order_mark_and_crlf_are_accepted(make_folder):
    folder = make_folder()
    path = folder.features / "sub-02_task-rest_relmat.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    np.testing.assert_allclose(read_features(folder.root)["y"], np.arctanh(folder.edges()))


# --- folder ----------------------------------------------------------------------------------


def test_missing_feature_files_are_reported(make_folder):
    folder = make_folder(source="nothing")
    text = refused(folder)
    assert "there are no feature files: expected features.tsv" in text
    assert "found features.json, regions.tsv" in text


def test_missing_sidecars_are_reported(make_folder):
    folder = make_folder()
    (folder.features / "features.json").unlink()
    (folder.features / "regions.tsv").unlink()
    text = refused(folder)
    assert "features.json is missing" in text
    assert "regions.tsv is missing" in text


def test_missing_features_folder_is_reported(make_folder):
    folder = make_folder()
    for path in folder.features.iterdir():
        path.unlink()
    folder.features.rmdir()
    assert "there is no folder features/" in refused(folder)


def test_several_kinds_of_files_need_a_stated_source(make_folder):
    folder = make_folder()
    for subject, series in folder.series.items():
        folder.write_series(subject, series)
    assert "there are several kinds of feature files" in refused(folder)
    folder.facts(source="timeseries")
    from_series = read_features(folder.root)
    folder.facts(source="matrices")
    np.testing.assert_allclose(from_series["y"], read_features(folder.root)["y"], atol=1e-10)


def test_units_must_be_stated(make_folder):
    folder = make_folder()
    folder.facts(units=None)
    assert "states no units" in refused(folder)


def test_other_measures_cannot_be_computed_from_matrices(make_folder):
    folder = make_folder()
    message = (
        r"kind='partial correlation' cannot be computed from matrices \(features.json states "
        r"correlation\); it needs time series. Omit kind."
    )
    with pytest.raises(SpecError, match=message):
        read_features(folder.root, kind="partial correlation")
    assert read_features(folder.root, kind="correlation").sizes["feature"] == 10


def test_columns_with_reserved_names_are_refused(make_folder):
    folder = make_folder()
    folder.write_participants(arm=["A"] * 6, block=["1"] * 6)
    assert "column name(s) block of participants.tsv are reserved" in refused(folder)


def test_a_simulated_cohort_can_be_read(small_cohort):
    got = read_features(small_cohort)
    assert (got.sizes["subject"], got.sizes["feature"]) == (34, 91)
    assert (got["diagnosis"] == "HC").sum() == 10
    assert set(got["arm"].values) == {"SSRI", "SNRI", "n/a"}
