"""Halves and pieces of scans in cohort folders, and the other session."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import (
    change_features,
    check_features,
    connectivity_features,
    connectivity_from_timeseries,
    read_features,
    reference_to_controls,
    write_features,
)
from bayes_mdd.features.measures.scan_parts import scan_pieces

UPPER = np.triu_indices(5, 1)


def facts(features) -> dict:
    return json.loads(features.attrs["provenance"])


def problems_of(*args, **options) -> str:
    with pytest.raises(DataContractError) as caught:
        read_features(*args, **options)
    return str(caught.value)


def halves_of(series) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.corrcoef(series[i : i + 30], rowvar=False) for i in (0, 30))


def write_halves(folder, form="tsv", subjects=None):
    """Write matrices of both halves; return half the difference in Fisher z by subject."""
    expected = {}
    for subject in subjects or folder.subjects:
        halves = halves_of(folder.series[subject])
        for i, matrix in enumerate(halves, 1):
            folder.write_matrix(f"{subject}_half-{i}", matrix, form)
        z = [np.arctanh(h[UPPER]) for h in halves]
        expected[subject] = (z[0] - z[1]) / 2
    return expected


def write_pieces(folder, n=4, subjects=None):
    for subject in subjects or folder.subjects:
        np.save(
            folder.features / f"{subject}_task-rest_pieces.npy",
            scan_pieces(folder.series[subject], n),
        )
    folder.facts(order="regions.tsv")


# ---- time series ------------------------------------------------------------------------------


def test_halves_and_pieces_of_series_are_measured_on_request(make_folder, region_table):
    folder = make_folder(source="timeseries")
    plain = read_features(folder.root)
    assert list(plain.data_vars) == ["y"]
    got = read_features(folder.root, halves=True, pieces=4)
    expected = connectivity_from_timeseries(folder.series, region_table, halves=True, pieces=4)
    for name in ("y", "half_difference", "pieces"):
        np.testing.assert_allclose(got[name], expected[name], atol=1e-6)
    xr.testing.assert_identical(got.drop_vars(["half_difference", "pieces"]), plain)
    again = connectivity_features(folder.root, halves=True, pieces=4)
    xr.testing.assert_identical(again, got)


def test_the_sidecar_can_request_them(make_folder):
    folder = make_folder(source="timeseries")
    folder.facts(halves=True, pieces=4)
    got = read_features(folder.root)
    assert got["pieces"].sizes["piece"] == 4
    assert "half_difference" in got
    assert list(read_features(folder.root, halves=False, pieces=0).data_vars) == ["y"]


def test_wrong_values_in_the_sidecar_are_refused(make_folder):
    folder = make_folder(source="timeseries")
    folder.facts(halves="yes", pieces=-1)
    text = problems_of(folder.root)
    assert "halves in features.json must be true or false, got 'yes'" in text
    assert "pieces in features.json must be a whole number, got -1" in text


def test_pieces_need_the_empirical_correlation(make_folder):
    folder = make_folder(source="timeseries")
    with pytest.raises(SpecError, match="Omit pieces"):
        read_features(folder.root, kind="tangent", pieces=4)


# ---- files of other tools ---------------------------------------------------------------------


@pytest.mark.parametrize("form", ["tsv", "csv", "npy", "npz"])
def test_matrices_of_halves_are_read(make_folder, form):
    folder = make_folder(form)
    plain = read_features(folder.root)
    expected = write_halves(folder, form)
    got = read_features(folder.root)
    np.testing.assert_allclose(got["half_difference"], list(expected.values()), atol=1e-12)
    np.testing.assert_array_equal(got["y"], plain["y"])
    assert check_features(got) is None
    assert facts(got)["sha256"] != facts(plain)["sha256"]
    assert facts(got)["n_files"] == 6
    xr.testing.assert_identical(read_features(folder.root, halves=True), got)
    xr.testing.assert_identical(read_features(folder.root, halves=False), plain)


def test_subjects_without_halves_have_nan_and_are_listed(make_folder):
    folder = make_folder()
    write_halves(folder, subjects=folder.subjects[:4])
    write_pieces(folder, subjects=folder.subjects[1:])
    got = read_features(folder.root)
    halves = np.isfinite(got["half_difference"].values).all(axis=1)
    assert halves.tolist() == [True] * 4 + [False] * 2
    pieces = np.isfinite(got["pieces"].values).all(axis=(1, 2))
    assert pieces.tolist() == [False] + [True] * 5
    assert facts(got)["without_half_difference"] == {"no file": ["sub-05", "sub-06"]}
    assert facts(got)["without_pieces"] == {"no file": ["sub-01"]}


def test_tables_of_halves_are_read(make_folder):
    folder = make_folder(source="none")
    labels = [f"R{i + 1}--R{j + 1}" for i, j in zip(*UPPER, strict=True)]
    for name, part in (("", 2), ("_half-1", 0), ("_half-2", 1)):
        values = [
            (*halves_of(folder.series[s]), folder.matrices[s])[part][UPPER] for s in folder.subjects
        ]
        table = pd.DataFrame(values, columns=labels, index=folder.subjects)
        # The order of columns does not matter.
        table = table[labels[::-1]] if part == 1 else table
        table.to_csv(
            folder.features / f"features{name}.tsv", sep="\t", index_label="participant_id"
        )
    got = read_features(folder.root)
    z = [[np.arctanh(h[UPPER]) for h in halves_of(folder.series[s])] for s in folder.subjects]
    expected = [(first - second) / 2 for first, second in z]
    np.testing.assert_allclose(got["half_difference"], expected, atol=1e-12)


def test_pieces_are_read_and_checked(make_folder):
    folder = make_folder()
    write_pieces(folder)
    got = read_features(folder.root)
    assert got["pieces"].dtype == np.float32
    np.testing.assert_array_equal(got["pieces"][2], scan_pieces(folder.series["sub-03"], 4))
    assert read_features(folder.root, pieces=4).identical(got)
    assert "pieces" not in read_features(folder.root, pieces=0)
    assert "pieces=8, but the files hold 4 pieces" in problems_of(folder.root, pieces=8)
    good = scan_pieces(folder.series["sub-01"], 4)
    for subject, wrong in (
        ("sub-01", good[:, :-1]),
        ("sub-02", good * 2),
        ("sub-03", good[:1]),
        ("sub-04", np.where(good == good[0, 0], np.nan, good)),
        ("sub-05", good[:3] / good[:3].mean(axis=0)),
    ):
        np.save(folder.features / f"{subject}_task-rest_pieces.npy", wrong)
    text = problems_of(folder.root)
    for message in (
        "sub-01: the pieces are 4 x 14: expected (piece, 15 pairs), numpy.triu_indices(5)",
        "sub-02: the mean of the diagonal over pieces differs from 1 by up to 1",
        "sub-03: there is one piece",
        "sub-04: the pieces have missing",
        "the number of pieces differs: 3 (sub-05, ...), 4 (sub-06, ...)",
    ):
        assert message in text
    folder.facts(order=None)
    assert 'state "order": "regions.tsv"' in problems_of(folder.root)


def test_incomplete_halves_are_refused(make_folder):
    folder = make_folder()
    write_halves(folder, subjects=folder.subjects[:3])
    (folder.features / "sub-02_half-2_task-rest_relmat.tsv").unlink()
    assert "sub-02 have one half only" in problems_of(folder.root)
    for path in folder.features.glob("*half-2*"):
        path.unlink()
    assert "hold half 1 only: expected both halves" in problems_of(folder.root)


def test_halves_of_unknown_participants_are_refused(make_folder):
    folder = make_folder()
    write_halves(folder)
    folder.write_matrix("sub-99_half-1", np.eye(5))
    assert "1 file(s) match no participant" in problems_of(folder.root)


def test_requested_parts_that_are_not_there_are_refused(make_folder):
    folder = make_folder()
    text = problems_of(folder.root, halves=True, pieces=8)
    assert "expected sub-XX_half-1_relmat.tsv" in text
    assert "expected sub-XX_pieces.npy" in text


def test_two_forms_of_halves_are_refused(make_folder):
    folder = make_folder()
    write_halves(folder)
    np.savez(
        folder.features / "half_difference.npz",
        subject=np.array(["sub-01"]),
        feature=np.array(["R1--R2"]),
        values=np.zeros((1, 1)),
    )
    assert "keep one form" in problems_of(folder.root)
    for path in folder.features.glob("*_half-*"):
        path.unlink()
    assert "holds differences of correlations (r)" in problems_of(folder.root)
    folder = folder.features / "features.json"
    folder.write_text(folder.read_text().replace('"r"', '"other"'))
    assert "the features differ from those of the whole scans" in problems_of(folder.parents[1])


def test_a_folder_of_first_halves_only_is_read_as_before(make_folder):
    folder = make_folder(source="none")
    for subject in folder.subjects:
        folder.write_matrix(f"{subject}_half-1", folder.matrices[subject])
    got = read_features(folder.root)
    assert list(got.data_vars) == ["y"]


# ---- sessions ---------------------------------------------------------------------------------


@pytest.fixture
def two_sessions(make_folder):
    folder = make_folder(source="none")
    rng = np.random.default_rng(1)
    second = {}
    for i, subject in enumerate(folder.subjects):
        folder.write_matrix(f"{subject}_ses-1", folder.matrices[subject])
        if i != 2:
            second[subject] = np.corrcoef(rng.normal(size=(60, 5)), rowvar=False)
            folder.write_matrix(f"{subject}_ses-2", second[subject])
    return folder, second


def test_the_other_session_is_subtracted(two_sessions):
    folder, second = two_sessions
    plain = read_features(folder.root, session="1")
    got = read_features(folder.root, session="1", other_session="ses-2")
    for i, subject in enumerate(folder.subjects):
        row = got["session_difference"].values[i]
        if subject in second:
            z = (np.arctanh(m[UPPER]) for m in (folder.matrices[subject], second[subject]))
            np.testing.assert_allclose(row, next(z) / 2 - next(z) / 2, atol=1e-12)
        else:
            assert np.isnan(row).all()
    np.testing.assert_array_equal(got["y"], plain["y"])
    assert facts(got)["other_session"] == "2"
    assert facts(got)["sha256"] != facts(plain)["sha256"]
    assert check_features(reference_to_controls(got.drop_vars("diagnosis"))) is None
    folder.facts(other_session="2")
    xr.testing.assert_identical(
        read_features(folder.root, session="1")["session_difference"], got["session_difference"]
    )


def test_wrong_other_sessions_are_refused(two_sessions):
    folder, _ = two_sessions
    with pytest.raises(SpecError, match="is the session that is read"):
        read_features(folder.root, session="1", other_session="1")
    assert "no file of session '3'" in problems_of(folder.root, session="1", other_session="3")


def test_parts_are_those_of_the_session(two_sessions):
    folder, _ = two_sessions
    halves = halves_of(folder.series["sub-01"])
    for i, matrix in enumerate(halves, 1):
        folder.write_matrix(f"sub-01_ses-1_half-{i}", matrix)
        folder.write_matrix(f"sub-01_ses-2_half-{i}", matrix[::-1, ::-1])
    got = read_features(folder.root, session="1")
    z = [np.arctanh(h[UPPER]) for h in halves]
    np.testing.assert_allclose(got["half_difference"][0], (z[0] - z[1]) / 2, atol=1e-12)


# ---- writing ----------------------------------------------------------------------------------


@pytest.fixture
def measured(make_folder):
    folder = make_folder(source="timeseries")
    folder.write_series("sub-04", folder.series["sub-04"][:30])
    got = read_features(folder.root, halves=True, pieces=8)
    return folder, got.assign(session_difference=got["half_difference"] * 2)


def test_written_parts_are_read_as_they_were(measured, tmp_path):
    folder, features = measured
    out = tmp_path / "out"
    out.mkdir()
    (out / "participants.tsv").write_bytes((folder.root / "participants.tsv").read_bytes())
    written = {p.name for p in write_features(features, out).iterdir()}
    assert written == {
        *("features.json", "features.npz", "regions.tsv"),
        *("half_difference.npz", "session_difference.npz"),
        *(f"{s}_pieces.npy" for s in folder.subjects if s != "sub-04"),
    }
    again = read_features(out)
    assert set(again.data_vars) == set(features.data_vars)
    for name in features.data_vars:
        np.testing.assert_array_equal(again[name], features[name])
        assert again[name].dtype == features[name].dtype
    assert again.attrs["measure"] == "correlation"
    assert np.isnan(again["pieces"][3]).all()


def test_differences_of_correlations_cannot_be_written(measured, tmp_path):
    _, features = measured
    with pytest.raises(DataContractError, match="cannot be read back as Fisher z"):
        write_features(features.assign_attrs(units="r"), tmp_path / "out")


def test_halves_of_one_session_in_both_are_refused(measured):
    _, features = measured
    with pytest.raises(DataContractError) as caught:
        change_features(features.assign(y=features["y"] ** 2), features)
    (problem,) = caught.value.problems
    assert "half_difference of the change is 0 in all features of 5 subject(s), sub-01," in problem
    assert "Give each session the halves of its own scan" in problem


def test_a_change_is_read_as_a_change(measured, tmp_path):
    folder, features = measured
    out = tmp_path / "out"
    out.mkdir()
    (out / "participants.tsv").write_bytes((folder.root / "participants.tsv").read_bytes())
    late = {"y": features["y"] ** 2, "half_difference": features["half_difference"] / 2}
    write_features(change_features(features.assign(late), features), out)
    again = read_features(out)
    assert again.attrs["estimand"] == "change"
    # The mean of a change is no mean of the features.
    assert "raw_mean" not in reference_to_controls(again.drop_vars("diagnosis")).coords
