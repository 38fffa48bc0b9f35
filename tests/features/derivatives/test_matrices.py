"""Matrices of QSIRecon, DSI Studio, MRtrix, BrainNet Viewer, NBS, CONN, and CIFTI."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import PARCELS, SUBJECTS, correlations_of, series_of
from scipy.io import savemat

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import read_arrays, read_derivatives
from bayes_mdd.specs import DerivativesSpec

DROP = DerivativesSpec(missing="drop")
N = len(PARCELS)


def facts(features):
    return json.loads(features.attrs["provenance"])


def counts_of(subject: str) -> np.ndarray:
    rng = np.random.default_rng(int(subject[-2:]))
    upper = np.triu(rng.integers(5, 500, (N, N)), 1).astype(float)
    return upper + upper.T + np.diag(rng.integers(1, 9, N))


def cell(names) -> np.ndarray:
    """Labels as QSIRecon writes them: a (1, N) object array of one-element arrays."""
    out = np.empty((1, len(names)), dtype=object)
    for i, name in enumerate(names):
        out[0, i] = np.array([name])
    return out


def qsirecon(folder: Path, prefix: str = "atlas_", names=PARCELS, **changed) -> Path:
    for subject in SUBJECTS:
        path = folder / subject / "dwi" / f"{subject}_space-T1w_connectivity.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        count = changed.get(subject, counts_of(subject))
        savemat(
            path,
            {
                f"{prefix}A_region_ids": np.arange(1, N + 1)[None],
                f"{prefix}A_region_labels": cell(names),
                f"{prefix}A_radius2_count_connectivity": count,
                f"{prefix}A_radius2_meanlength_connectivity": count / 10,
                "command": "tck2connectome of the mean length only",
            },
        )
    return folder


@pytest.fixture
def labelled() -> pd.DataFrame:
    """Region table in another order than the labels."""
    order = [3, 0, 4, 1, 2]
    return pd.DataFrame(
        {
            "region": [PARCELS[i] for i in order],
            "network": ["DMN", "VIS", "LIM", "CCN", "DMN"],
            "label": [i + 1 for i in order],
        }
    )


@pytest.mark.parametrize("prefix", ["atlas_", ""])
def test_qsirecon(tmp_path, participants, regions, prefix):
    folder = qsirecon(tmp_path, prefix)
    with pytest.raises(DataContractError, match=r"weighting='radius2_count'.*'radius2_meanlength'"):
        read_derivatives(folder, participants=participants)
    got = read_derivatives(folder, weighting="count", regions=regions, participants=participants)
    assert got.attrs["units"] == "streamlines"
    label = f"{PARCELS[2]}--{PARCELS[1]}"
    assert float(got["y"].sel(subject="sub-03", feature=label)) == counts_of("sub-03")[1, 2]
    assert facts(got)["weighting_in_file"] == "radius2_count"
    assert "command" not in got.attrs["provenance"]


def test_arrays_instead_of_features(tmp_path, participants, regions):
    got = read_arrays(
        qsirecon(tmp_path), weighting="count", regions=regions, participants=participants
    )
    assert (got.kind, got.shape, got.units) == ("structural_connectivity", "matrix", "streamlines")
    assert list(got.by_subject) == list(SUBJECTS)
    with pytest.warns(DeprecationWarning, match="Arrays.people is now called by_subject"):
        assert got.people is got.by_subject
    assert got.by_subject["sub-03"].loc[PARCELS[4], PARCELS[1]] == counts_of("sub-03")[4, 1]
    assert list(got.by_subject["sub-03"].index) == list(got.regions["region"])
    assert got.participants["arm"].tolist() == participants["arm"].tolist()


def test_a_matrix_smaller_than_its_labels(tmp_path, participants):
    folder = qsirecon(tmp_path, **{"sub-02": counts_of("sub-02")[:4, :4]})
    with pytest.raises(DataContractError, match=r"sub-02: .*is 4 x 4, its label list has 5"):
        read_derivatives(folder, weighting="count", participants=participants)


def test_a_lost_inner_label_is_a_missing_region(tmp_path, participants):
    lost = counts_of("sub-02")
    lost[2] = lost[:, 2] = 0
    folder = qsirecon(tmp_path, **{"sub-02": lost})
    with pytest.raises(DataContractError, match=rf"'{PARCELS[2]}' in 1 \(sub-02\)"):
        read_derivatives(folder, weighting="count", participants=participants)


def test_length_is_missing_without_streamlines(tmp_path, participants):
    thin = counts_of("sub-02")
    thin[0, 1] = thin[1, 0] = 0
    folder = qsirecon(tmp_path, **{"sub-02": thin})
    label = f"{PARCELS[0]}--{PARCELS[1]}"
    count = read_derivatives(folder, weighting="count", participants=participants)
    assert float(count["y"].sel(subject="sub-02", feature=label)) == 0
    with pytest.raises(DataContractError, match=rf"subjects sub-02; features {label}"):
        read_derivatives(folder, weighting="length", participants=participants)
    got = read_derivatives(folder, weighting="length", participants=participants, spec=DROP)
    assert facts(got)["features_missing_in_somebody"] == [label]
    assert got.attrs["units"] == "mm"


def test_a_truncated_mat_and_an_empty_one(tmp_path, participants):
    folder = qsirecon(tmp_path)
    path = next((folder / "sub-02").rglob("*.mat"))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DataContractError, match=r"sub-02: .*MATLAB file \(truncated"):
        read_derivatives(folder, weighting="count", participants=participants)


def test_dsi_studio(tmp_path, participants):
    text = "\n".join(PARCELS) + "\n"
    for subject in SUBJECTS:
        savemat(
            tmp_path / f"{subject}.count.pass.connectivity.mat",
            {
                "connectivity": counts_of(subject),
                "name": np.frombuffer(text.encode(), dtype=np.uint8)[None],
            },
        )
    got = read_derivatives(tmp_path, participants=participants)
    assert got["region"].values.tolist() == list(PARCELS)
    assert float(got["y"][3, 0]) == counts_of("sub-04")[0, 1]


def mrtrix(folder: Path, form: str = "comma", upper: bool = True) -> Path:
    for subject in SUBJECTS:
        matrix = np.triu(counts_of(subject)) if upper else counts_of(subject)
        sep, end = (",", "\n") if form == "comma" else (" ", " \n")
        text = "".join(sep.join(f"{v:.0f}" for v in row) + end for row in matrix)
        if form == "history":
            text = "# command_history: tck2connectome\n" + text
        (folder / f"{subject}_connectome.csv").write_text(text)
    (folder / "assignments.csv").write_text("".join("2 1\n" for _ in range(50)))
    (folder / "design.csv").write_text("1 0\n" * 4)
    return folder


@pytest.mark.parametrize("form", ["comma", "space", "history"])
def test_an_upper_triangle_is_mirrored_with_a_warning(tmp_path, participants, labelled, form):
    with pytest.warns(UserWarning, match="only the upper triangle is filled"):
        got = read_derivatives(
            mrtrix(tmp_path, form),
            regions=labelled,
            weighting="count",
            participants=participants,
        )
    label = f"{PARCELS[3]}--{PARCELS[0]}"
    assert float(got["y"].sel(subject="sub-02", feature=label)) == counts_of("sub-02")[0, 3]
    assert facts(got)["mirrored_upper_triangle"] == list(SUBJECTS)


def test_a_full_connectome_is_unchanged(tmp_path, participants, labelled):
    got = read_derivatives(
        mrtrix(tmp_path, upper=False), regions=labelled, participants=participants
    )
    assert got.attrs["units"] == "not stated"
    assert got["network_a"].values[0] == "DMN"


def test_rows_without_names_need_labels(tmp_path, participants, labelled):
    folder = mrtrix(tmp_path, upper=False)
    with pytest.raises(DataContractError, match="has no region names"):
        read_derivatives(folder, participants=participants)
    with pytest.raises(DataContractError, match="has no region names"):
        read_derivatives(folder, regions=labelled.drop(columns="label"), participants=participants)
    more = pd.concat([labelled, labelled.iloc[[0]].assign(region="lost", label=6)])
    with pytest.raises(DataContractError, match=r"is 6 \(not in the matrix: lost\)"):
        read_derivatives(folder, regions=more, participants=participants)
    with pytest.raises(DataContractError, match="background"):
        read_derivatives(
            folder, regions=labelled.assign(label=labelled["label"] - 1), participants=participants
        )


def test_a_truncated_connectome_is_named(tmp_path, participants, labelled):
    folder = mrtrix(tmp_path, upper=False)
    path = folder / "sub-02_connectome.csv"
    path.write_text(path.read_text()[:-9])
    with pytest.raises(DataContractError, match=r"sub-02: .*row 5 has . cells, the first 5"):
        read_derivatives(folder, regions=labelled, participants=participants)


def brainnet(folder: Path, labels=PARCELS, n: int = N) -> Path:
    for subject in SUBJECTS:
        matrix = correlations_of(subject)[:n, :n]
        np.savetxt(folder / f"{subject}.edge", matrix, delimiter="\t", fmt="%.6f")
    lines = ["# made by hand"]
    lines += [f"{20 * i - 30} {i} {i + 1} {1 + i // 3} 2 {name}" for i, name in enumerate(labels)]
    (folder / "nodes.node").write_bytes("\r\n".join(lines).encode())
    return folder


def test_brainnet_viewer(tmp_path, participants):
    got = read_derivatives(brainnet(tmp_path), participants=participants)
    assert got["region_x"].values.tolist() == [-30, -10, 10, 30, 50]
    assert set(got["block"].values.tolist()) == {
        "module 1-module 1",
        "module 1-module 2",
        "module 2-module 2",
    }
    assert float(got["y"][0, 0]) == pytest.approx(
        np.arctanh(correlations_of("sub-01")[0, 1]), abs=2e-6
    )


def test_brainnet_labels_that_are_not_unique(tmp_path, participants, labelled):
    folder = brainnet(tmp_path, ["-"] * N)
    with pytest.raises(DataContractError, match=r"several nodes named -"):
        read_derivatives(folder, participants=participants)
    got = read_derivatives(folder, regions=labelled, participants=participants)
    assert got["region"].values.tolist() == labelled["region"].tolist()


def test_brainnet_files_that_do_not_belong_together(tmp_path, participants):
    with pytest.raises(DataContractError, match=r"4 x 4, the .node file has 5"):
        read_derivatives(brainnet(tmp_path, n=4), participants=participants)


def test_an_asymmetric_matrix(tmp_path, participants):
    folder = brainnet(tmp_path)
    matrix = correlations_of("sub-01")
    matrix[0, 1] += 0.1
    np.savetxt(folder / "sub-01.edge", matrix)
    with pytest.raises(DataContractError, match=r"sub-01: the matrix is not symmetric"):
        read_derivatives(folder, participants=participants)


def nbs(folder: Path) -> Path:
    savemat(
        folder / "matrices.mat", {"Mat": np.stack([correlations_of(w) for w in SUBJECTS], axis=2)}
    )
    (folder / "nodeLabels.txt").write_bytes("\r\n".join(PARCELS).encode())  # no final newline
    (folder / "._subject1.txt").write_bytes(b"\x00\x05\x16\x07" * 1024)
    return folder


def test_nbs_needs_subject_ids(tmp_path, participants):
    folder = nbs(tmp_path)
    with pytest.raises(DataContractError, match="holds 4 participants without ids"):
        read_derivatives(folder, participants=participants)
    got = read_derivatives(folder, subjects=SUBJECTS[::-1], participants=participants)
    # The ids are given in reverse, so that the last layer is labelled sub-01.
    last = np.arctanh(correlations_of("sub-04")[0, 1])
    assert float(got["y"].sel(subject="sub-01")[0]) == pytest.approx(last)
    assert got["region"].values.tolist() == list(PARCELS)


def test_conn(tmp_path, participants):
    names = [f"networks.DefaultMode.P{i} (L) (-{i},-77,33)" for i in range(N)]
    stack = np.stack([np.arctanh(correlations_of(w) - np.eye(N)) for w in SUBJECTS], axis=2)
    stack[np.arange(N), np.arange(N)] = np.nan
    extra = np.concatenate([np.full((N, 1, 4), 0.5), stack], axis=1)  # a target that is no source
    savemat(
        tmp_path / "resultsROI_Condition001.mat",
        {"Z": extra, "names": cell(names), "names2": cell(["atlas.x", *names])},
    )
    got = read_derivatives(tmp_path, subjects=SUBJECTS, participants=participants)
    np.testing.assert_allclose(got["y"][2], stack[:, :, 2][np.triu_indices(N, 1)])
    assert got["region"].values[1] == names[1]


def test_r_and_z_are_not_mixed(tmp_path, participants, labelled):
    for subject in SUBJECTS:
        r = correlations_of(subject)
        z = np.arctanh(r - np.eye(N))
        np.fill_diagonal(z, np.inf)
        np.savetxt(tmp_path / f"{subject}.txt", z if subject == "sub-03" else r)
    with pytest.raises(DataContractError, match=r"mixes correlations .* Fisher z \(sub-03\)"):
        read_derivatives(tmp_path, regions=labelled, participants=participants)


def test_units_are_required_where_r_and_z_cannot_be_distinguished(tmp_path, participants, labelled):
    for subject in SUBJECTS:
        matrix = correlations_of(subject)
        np.fill_diagonal(matrix, 0)
        matrix[0, 1] = matrix[1, 0] = -0.1 * int(subject[-1])
        np.savetxt(tmp_path / f"{subject}.txt", matrix)
    with pytest.raises(DataContractError, match=r"give units='r' or units='fisher_z'"):
        read_derivatives(tmp_path, regions=labelled, participants=participants)
    r = read_derivatives(tmp_path, regions=labelled, participants=participants, units="r")
    z = read_derivatives(tmp_path, regions=labelled, participants=participants, units="fisher_z")
    np.testing.assert_allclose(r["y"], np.arctanh(z["y"]))


def parcels(names=PARCELS, empty: tuple[str, ...] = ()) -> nib.cifti2.ParcelsAxis:
    vertices = [
        {"CIFTI_STRUCTURE_CORTEX_LEFT": np.array([], int) if n in empty else np.arange(3) + 3 * i}
        for i, n in enumerate(names)
    ]
    none = np.empty((0, 3), dtype=int)
    voxels = np.empty(len(names), dtype=object)
    for i in range(len(names)):
        voxels[i] = none
    return nib.cifti2.ParcelsAxis(
        list(names),
        voxels,
        vertices,
        affine=np.eye(4),
        volume_shape=(2, 2, 2),
        nvertices={"CIFTI_STRUCTURE_CORTEX_LEFT": 100},
    )


def write_cifti(path: Path, values: np.ndarray, *axes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Cifti2Image(values.astype(np.float32), header=axes), path)


@pytest.mark.parametrize("fisher", [False, True])
def test_pconn_of_both_units(tmp_path, participants, fisher):
    for subject in SUBJECTS:
        values = correlations_of(subject)
        if fisher:  # the diagonal of wb_command
            values = np.arctanh(values - np.eye(N)) + 7.2543 * np.eye(N)
        write_cifti(tmp_path / f"{subject}_bold.pconn.nii", values, parcels(), parcels())
    got = read_derivatives(tmp_path, participants=participants)
    expected = np.arctanh(correlations_of("sub-03")[np.triu_indices(N, 1)])
    np.testing.assert_allclose(got["y"][2], expected, atol=1e-5)
    assert facts(got)["read_units"] == ("fisher_z" if fisher else "r")


def test_ptseries_with_medial_wall_and_empty_parcel(tmp_path, participants):
    names = ("MEDIAL.WALL", *PARCELS)
    for subject in SUBJECTS:
        series = np.column_stack([np.zeros(120), series_of(subject)])
        series[:, 3] = 0
        axis = parcels(names, empty=(names[3],))
        write_cifti(
            tmp_path / f"{subject}.ptseries.nii", series, nib.cifti2.SeriesAxis(0, 1, 120), axis
        )
    with pytest.raises(DataContractError, match=rf"'{PARCELS[2]}' in 4"):
        read_derivatives(tmp_path, participants=participants)
    got = read_derivatives(tmp_path, participants=participants, spec=DROP)
    assert "MEDIAL.WALL" not in got["region"].values
    assert facts(got)["parcels_that_are_no_regions"] == ["MEDIAL.WALL"]
    expected = np.arctanh(correlations_of("sub-02")[3, 4])
    assert float(got["y"][1, -1]) == pytest.approx(expected, abs=1e-5)


def test_two_maps_are_not_a_series(tmp_path, participants):
    for subject in SUBJECTS:
        write_cifti(
            tmp_path / f"{subject}.ptseries.nii",
            series_of(subject)[:2],
            nib.cifti2.SeriesAxis(0, 1, 2),
            parcels(),
        )
    with pytest.raises(DataContractError, match=r"2 volumes .* at least 100"):
        read_derivatives(tmp_path, participants=participants)


def test_a_truncated_cifti(tmp_path, participants):
    for subject in SUBJECTS:
        matrix = correlations_of(subject)
        write_cifti(tmp_path / f"{subject}.pconn.nii", matrix, parcels(), parcels())
    path = tmp_path / "sub-02.pconn.nii"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataContractError, match=r"sub-02: .*cannot be read as CIFTI"):
        read_derivatives(tmp_path, participants=participants)
