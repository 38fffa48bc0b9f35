"""Stacks and single matrices as .npy, .npz and .mat: axes, ids and names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import PARCELS, SUBJECTS, correlations_of, series_of
from scipy.io import savemat

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import read_derivatives

STACK = np.stack([correlations_of(s) for s in SUBJECTS])
UPPER = np.triu_indices(len(PARCELS), 1)
SERIES = np.stack([series_of(s) for s in SUBJECTS])


@pytest.fixture
def labelled() -> pd.DataFrame:
    return pd.DataFrame({"region": PARCELS, "network": list("ABCDE"), "label": range(1, 6)})


def save(folder, form: str, values: np.ndarray, **names):
    path = folder / f"stack.{form}"
    if form == "npy":
        np.save(path, values)
    elif form == "npz":
        np.savez(path, fc=values, **names)
    else:
        held = {k: np.array(v, dtype=object) for k, v in names.items()}
        savemat(path, {"fc": values, **held})
    return path


def expected(subject: str) -> np.ndarray:
    return np.arctanh(correlations_of(subject)[UPPER])


@pytest.mark.parametrize("form", ["npy", "npz", "mat"])
@pytest.mark.parametrize("last", [False, True])
def test_both_orders_of_the_axes(tmp_path, participants, labelled, form, last):
    path = save(tmp_path, form, np.moveaxis(STACK, 0, 2) if last else STACK)
    read = {"participants": participants, "regions": labelled}
    with pytest.raises(DataContractError, match="4 participants without ids"):
        read_derivatives(path, **read)
    got = read_derivatives(path, subjects=SUBJECTS[::-1], **read)
    np.testing.assert_allclose(got["y"].sel(subject="sub-01"), expected("sub-04"))
    with pytest.warns(UserWarning, match="follow the 4 rows of the participants table"):
        got = read_derivatives(path, subjects="participants", **read)
    np.testing.assert_allclose(got["y"].sel(subject="sub-01"), expected("sub-01"))


@pytest.mark.parametrize("form", ["npz", "mat"])
def test_ids_and_names_in_the_file(tmp_path, participants, form):
    names = {"subject": list(SUBJECTS[::-1]), "region": list(PARCELS)}
    got = read_derivatives(save(tmp_path, form, STACK[::-1], **names), participants=participants)
    assert got["region"].values.tolist() == list(PARCELS)
    np.testing.assert_allclose(got["y"].sel(subject="sub-03"), expected("sub-03"))


def test_a_list_of_ids_beside_the_stack(tmp_path, participants, labelled):
    path = save(tmp_path, "npy", STACK)
    (tmp_path / "stack_ids.tsv").write_text(
        "participant_id\tage\n" + "".join(f"{s}\t30\n" for s in SUBJECTS)
    )
    with pytest.warns(UserWarning, match="no ids: they were read from stack_ids.tsv"):
        got = read_derivatives(path, participants=participants, regions=labelled)
    np.testing.assert_allclose(got["y"].sel(subject="sub-02"), expected("sub-02"))


def test_one_matrix_per_file(tmp_path, participants, labelled):
    for subject in SUBJECTS:
        np.save(tmp_path / f"{subject}_conn.npy", correlations_of(subject))
    got = read_derivatives(tmp_path, participants=participants, regions=labelled)
    np.testing.assert_allclose(got["y"].sel(subject="sub-02"), expected("sub-02"))
    np.save(tmp_path / "sub-02_conn.npy", STACK)
    with pytest.raises(DataContractError, match=r"sub-02: .*a stack of several participants"):
        read_derivatives(tmp_path, participants=participants, regions=labelled)


@pytest.mark.parametrize("transposed", [False, True])
def test_series(tmp_path, participants, labelled, transposed):
    path = save(tmp_path, "npz", SERIES.swapaxes(1, 2) if transposed else SERIES)
    got = read_derivatives(
        path, participants=participants, regions=labelled, subjects=SUBJECTS, halves=True
    )
    np.testing.assert_allclose(got["y"].sel(subject="sub-02"), expected("sub-02"))
    assert "half_difference" in got
    with pytest.raises(DataContractError, match="give a region table with label"):
        read_derivatives(path, participants=participants, subjects=SUBJECTS)


def test_axes_that_cannot_be_told_apart(tmp_path, labelled):
    cube = np.stack([*STACK, STACK[0]])
    got = read_derivatives(save(tmp_path, "npy", cube), regions=labelled, subjects=list("abcde"))
    np.testing.assert_allclose(got["y"].sel(subject="b"), expected("sub-02"))
    same = np.full((5, 5, 5), 0.2)
    with pytest.raises(DataContractError, match="as many participants as regions"):
        read_derivatives(save(tmp_path, "npy", same), regions=labelled, subjects=list("abcde"))


def test_what_is_refused(tmp_path, participants, labelled):
    read = {"participants": participants, "regions": labelled, "subjects": SUBJECTS}
    with pytest.raises(DataContractError, match=r"5 x 5, but .*label|largest label"):
        read_derivatives(
            save(tmp_path, "npy", STACK), **{**read, "regions": labelled.assign(label=range(2, 7))}
        )
    with pytest.raises(DataContractError, match="4 participants without ids, but 3 ids are given"):
        read_derivatives(save(tmp_path, "npy", STACK), **{**read, "subjects": SUBJECTS[:3]})
    with pytest.raises(DataContractError, match=r"2 arrays of numbers.*fc .*other .*weighting"):
        read_derivatives(save(tmp_path, "npz", STACK, other=STACK), **read)
    got = read_derivatives(save(tmp_path, "npz", STACK, other=STACK), weighting="fc", **read)
    assert got.sizes["subject"] == 4
    with pytest.raises(SpecError, match="lists sub-01 more than once"):
        read_derivatives(save(tmp_path, "npy", STACK), **{**read, "subjects": ["sub-01"] * 4})
    with pytest.raises(SpecError, match="'participants' for the order"):
        read_derivatives(save(tmp_path, "npy", STACK), **{**read, "subjects": "cohort"})
    with pytest.raises(DataContractError, match="needs a participants table"):
        read_derivatives(save(tmp_path, "npy", STACK), regions=labelled, subjects="participants")
    with pytest.raises(SpecError, match="must be r, fisher_z, z"):
        read_derivatives(save(tmp_path, "npy", STACK), units="t", **read)
