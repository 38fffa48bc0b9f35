"""C-PAC, ABIDE, AFNI and FSL: values, names, ids, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import PARCELS, SUBJECTS, correlations_of, series_of

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import read_arrays, read_derivatives

N = len(PARCELS)
NUMBERS = ["2001", "2002", "2101", "2102", "9170"]


def z_of(subject: str, a: int, b: int) -> float:
    return float(np.arctanh(correlations_of(subject)[a, b]))


def facts(features):
    return json.loads(features.attrs["provenance"])


@pytest.fixture
def numbered() -> pd.DataFrame:
    """Regions with the labels of an atlas, in another order than the files."""
    order = [3, 0, 4, 1, 2]
    return pd.DataFrame(
        {
            "region": [PARCELS[i] for i in order],
            "network": ["DMN", "VIS", "LIM", "CCN", "DMN"],
            "label": [int(NUMBERS[i]) for i in order],
        }
    )


@pytest.fixture
def by_row(numbered) -> pd.DataFrame:
    """The same regions by the number of their row."""
    rows = [PARCELS.index(r) + 1 for r in numbered["region"]]
    return numbered.assign(label=rows)


def table_of(header: str, rows: np.ndarray, separator: str = "\t") -> str:
    return header + "".join(separator.join(f"{v:.6f}" for v in row) + "\n" for row in rows)


# .1D


def abide(folder: Path, subjects=SUBJECTS) -> Path:
    for subject in subjects:
        text = table_of("\t".join(f"#{n}" for n in NUMBERS) + "\n", series_of(subject))
        (folder / f"Pitt_{subject.removeprefix('sub-')}_rois_aal.1D").write_text(text)
    return folder


def test_abide_series(tmp_path, participants, numbered):
    table = participants.set_axis([f"Pitt_{s.removeprefix('sub-')}" for s in SUBJECTS], axis=0)
    folder = abide(tmp_path)
    (tmp_path / "Pitt_01_motion.1D").write_text("0 0 0 0 0 0\n" * 120)
    got = read_derivatives(folder, participants=table, regions=numbered)
    edge = f"{PARCELS[3]}--{PARCELS[0]}"
    assert float(got["y"].sel(subject="Pitt_03", feature=edge)) == pytest.approx(
        z_of("sub-03", 3, 0), abs=1e-5
    )
    assert got["block"].values[0] == "DMN-VIS"
    by_number = read_derivatives(folder, participants=participants, ids=r"Pitt_(\d+)")
    assert by_number["region"].values.tolist() == NUMBERS
    assert by_number["subject"].values.tolist() == list(SUBJECTS)


def test_two_atlases_of_abide_need_a_choice(tmp_path, numbered):
    folder = abide(tmp_path)
    for path in list(folder.glob("*_aal.1D")):
        (folder / path.name.replace("aal", "cc200")).write_text(path.read_text())
    with pytest.raises(DataContractError, match=r"atlas: aal, cc200"):
        read_derivatives(folder, regions=numbered)
    assert read_derivatives(folder, atlas="aal", regions=numbered).sizes["subject"] == 4


@pytest.mark.parametrize(
    "header",
    [
        "File\tSub-brick\t" + "\t".join(f"Mean_{n}" for n in NUMBERS) + "\n",
        "# C-PAC 1.8.7\n#" + " ".join(NUMBERS) + "\n",
        "# 3dROIstats -quiet -mask a b c\n" + "\t".join(f"Mean_{n}" for n in NUMBERS) + "\n",
    ],
)
def test_headers_of_1d_files(tmp_path, participants, numbered, header):
    for subject in SUBJECTS:
        rows = series_of(subject)
        head = "File" in header
        lines = [
            ("bold.nii\t0[?]\t" if head else "") + "\t".join(f"{v:.6f}" for v in row)
            for row in rows
        ]
        path = tmp_path / subject / f"{subject}_task-rest_desc-Mean_timeseries.1D"
        path.parent.mkdir()
        path.write_text(header + "\n".join(lines) + "\n")
    got = read_arrays(tmp_path, participants=participants, regions=numbered)
    expected = series_of("sub-02")[:, 3]
    np.testing.assert_allclose(got.by_subject["sub-02"][PARCELS[3]], expected, atol=1e-5)


def test_a_1d_file_without_names(tmp_path, participants, by_row, numbered):
    for subject in SUBJECTS:
        (tmp_path / f"{subject}_roi.1D").write_text(table_of("", series_of(subject), " "))
    with pytest.raises(DataContractError, match="5 columns without names: give a region table"):
        read_derivatives(tmp_path, participants=participants)
    with pytest.raises(DataContractError, match="number of the column of each region as label"):
        read_derivatives(tmp_path, participants=participants, regions=numbered)
    got = read_derivatives(tmp_path, participants=participants, regions=by_row)
    assert float(got["y"][1, 0]) == pytest.approx(z_of("sub-02", 3, 0), abs=1e-5)


def test_a_truncated_1d_file_is_named(tmp_path, participants):
    folder = abide(tmp_path)
    path = folder / "Pitt_02_rois_aal.1D"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataContractError, match=r"Pitt_02: .*rows of 3 to 5 cells"):
        read_derivatives(folder, participants=participants, ids=r"(Pitt_\d+)")


# .netcc


def netcc(matrices: dict[str, np.ndarray], named: bool = True, word: str = "netcc") -> str:
    lines = [f"# {N}  # Number of network ROIs", f"# {len(matrices)}  # Number of {word} matrices"]
    if named:
        lines += ["# WITH_ROI_LABELS", " \t".join(f" {p:>10s}" for p in PARCELS)]
    lines += [" \t".join(f" {k:>10s}" for k in NUMBERS)]
    for name, matrix in matrices.items():
        lines += [f"# {name}", *("\t".join(f"{v:12.4f}" for v in row) for row in matrix)]
    return "\n".join(lines) + "\n"


def fisher_of(r: np.ndarray) -> np.ndarray:
    return np.arctanh(r - np.eye(N)) + 4 * np.eye(N)


@pytest.mark.parametrize("named", [True, False])
def test_netcc(tmp_path, participants, numbered, named):
    for subject in SUBJECTS:
        r = correlations_of(subject)
        text = netcc({"CC": r, "FZ": fisher_of(r), "PC": r / 2 + np.eye(N) / 2}, named)
        (tmp_path / f"{subject}_000.netcc").write_text(text)
    read = {"participants": participants, "regions": numbered}
    got = read_derivatives(tmp_path, **read)
    assert facts(got)["matrix_in_file"] == "CC"
    assert float(got["y"][2, 0]) == pytest.approx(z_of("sub-03", 3, 0), abs=2e-4)
    z = read_derivatives(tmp_path, units="fisher_z", **read)
    assert facts(z)["matrix_in_file"] == "FZ"
    np.testing.assert_allclose(z["y"], got["y"], atol=2e-4)
    partial = read_derivatives(tmp_path, weighting="PC", **read)
    assert float(np.tanh(partial["y"][2, 0])) == pytest.approx(
        correlations_of("sub-03")[3, 0] / 2, abs=1e-4
    )
    with pytest.raises(DataContractError, match="CC, FZ, PC, not XX"):
        read_derivatives(tmp_path, weighting="XX", **read)


def test_netcc_of_two_networks_and_a_truncated_one(tmp_path, participants):
    for subject in SUBJECTS:
        for network in ("000", "001"):
            (tmp_path / f"{subject}_{network}.netcc").write_text(
                netcc({"CC": correlations_of(subject)})
            )
    with pytest.raises(DataContractError, match=r"network: 000, 001"):
        read_derivatives(tmp_path, participants=participants)
    path = tmp_path / "sub-02_000.netcc"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DataContractError, match=r"sub-02: .*not 5 x 5: CC.*truncated"):
        read_derivatives(tmp_path, participants=participants, entities={"network": "000"})


def test_tracts_of_3dtrackid(tmp_path, participants):
    for subject in SUBJECTS:
        counts = np.round(100 * np.abs(correlations_of(subject)))
        text = netcc({"NT": counts, "FA": counts / 200}, word="grid")
        (tmp_path / f"{subject}_000.grid").write_text(text)
    with pytest.raises(DataContractError, match="matrices NT, FA: choose one with weighting"):
        read_derivatives(tmp_path, participants=participants)
    got = read_derivatives(tmp_path, participants=participants, weighting="NT")
    assert got.attrs["units"] == "streamlines"
    assert set(got["kind"].values.tolist()) == {"structural_connectivity"}


# C-PAC


@pytest.mark.parametrize("form", ["nothing", "header", "both"])
def test_cpac_correlations(tmp_path, participants, numbered, by_row, form):
    for subject in SUBJECTS:
        table = pd.DataFrame(correlations_of(subject), index=NUMBERS, columns=NUMBERS)
        path = tmp_path / subject / f"{subject}_atlas-A_desc-PearsonNilearn_correlations.tsv"
        path.parent.mkdir()
        table.to_csv(path, sep="\t", header=form != "nothing", index=form == "both")
    regions = by_row if form == "nothing" else numbered
    got = read_derivatives(tmp_path, participants=participants, regions=regions)
    assert float(got["y"][2, 0]) == pytest.approx(z_of("sub-03", 3, 0), abs=1e-6)
    assert got["region"].values.tolist() == regions["region"].tolist()


# FSL


def netmats(folder: Path, diagonal: float = 0.0, factor: float = 18.0) -> Path:
    rows = []
    for subject in SUBJECTS:
        z = factor * np.arctanh(correlations_of(subject) - np.eye(N))
        rows.append((z + diagonal * np.eye(N)).ravel())
    np.savetxt(folder / "netmats1.txt", np.array(rows))
    return folder


def test_fslnets(tmp_path, participants):
    folder = netmats(tmp_path)
    with pytest.raises(DataContractError, match="give units='z' for z-statistics"):
        read_derivatives(folder, participants=participants)
    with pytest.raises(DataContractError, match=r"4 participants without ids.*--subjects partic"):
        read_derivatives(folder, participants=participants, units="z")
    with pytest.warns(UserWarning, match="assigned by position.*4 rows"):
        got = read_derivatives(
            folder, participants=participants, units="z", subjects="participants"
        )
    assert got.attrs["units"] == "z-statistics (as read)"
    assert float(got["y"][1, 0]) == pytest.approx(18 * z_of("sub-02", 0, 1))
    assert got["region"].values.tolist()[:2] == ["IC001", "IC002"]
    with pytest.raises(DataContractError, match="more than any Fisher z"):
        read_derivatives(folder, participants=participants, units="fisher_z", subjects=SUBJECTS)


def test_fslnets_with_a_list_of_ids(tmp_path, participants):
    folder = netmats(tmp_path, factor=1.0)
    (folder / "subjectIDs.txt").write_text("".join(f"{s}\n" for s in SUBJECTS[::-1]))
    with pytest.warns(UserWarning, match="read from subjectIDs.txt, in its order"):
        got = read_derivatives(folder, participants=participants, units="fisher_z")
    assert float(got["y"].sel(subject="sub-01")[0]) == pytest.approx(z_of("sub-04", 0, 1))
    (folder / "subjectIDs.txt").write_text("sub-01\nsub-02\n")
    with pytest.raises(DataContractError, match=r"subjectIDs.txt \(2 ids\)"):
        read_derivatives(folder, participants=participants, units="fisher_z")


def test_fslnets_with_one_triangle(tmp_path, participants):
    np.savetxt(tmp_path / "netmats2.txt", np.ones((4, 10)))
    with pytest.raises(DataContractError, match=r"10 columns: expected all pairs"):
        read_derivatives(tmp_path, participants=participants, units="z", subjects=SUBJECTS)


def test_dual_regression(tmp_path, participants):
    for i, subject in enumerate(SUBJECTS):
        np.savetxt(tmp_path / f"dr_stage1_subject{i:05d}.txt", series_of(subject))
    got = read_derivatives(tmp_path, participants=participants, subjects=SUBJECTS)
    assert float(got["y"][1, 0]) == pytest.approx(z_of("sub-02", 0, 1), abs=1e-6)
    (tmp_path / "dr_stage1_subject00001.txt").unlink()
    with pytest.raises(DataContractError, match="there is none for 1"):
        read_derivatives(tmp_path, participants=participants, subjects=SUBJECTS)


def tracts_of(subject: str) -> np.ndarray:
    rng = np.random.default_rng(int(subject[-2:]))
    return rng.integers(1, 500, (N, N)).astype(float)


def test_probtrackx_is_symmetrised_when_asked(tmp_path, participants, by_row):
    for subject in SUBJECTS:
        (tmp_path / subject).mkdir()
        np.savetxt(tmp_path / subject / "fdt_network_matrix", tracts_of(subject), fmt="%d")
    read = {"participants": participants, "regions": by_row}
    with pytest.raises(DataContractError, match=r"not symmetric.*--symmetrise mean"):
        read_derivatives(tmp_path, **read)
    edge = f"{PARCELS[3]}--{PARCELS[0]}"
    pair = tracts_of("sub-02")[3, 0], tracts_of("sub-02")[0, 3]
    for method, expected in (("mean", np.mean(pair)), ("max", max(pair)), ("sum", sum(pair))):
        with pytest.warns(UserWarning, match=rf"symmetrise='{method}' was applied.*4 partic"):
            got = read_derivatives(tmp_path, symmetrise=method, **read)
        assert float(got["y"].sel(subject="sub-02", feature=edge)) == expected
        assert facts(got)["symmetrised"] == method
    with pytest.raises(SpecError, match="symmetrise must be one of mean, max"):
        read_derivatives(tmp_path, symmetrise="average", **read)


def test_probtrackx_folders_without_ids(tmp_path, by_row):
    for name in ("S1", "S2", "S3"):
        (tmp_path / name).mkdir()
        np.savetxt(tmp_path / name / "fdt_network_matrix", tracts_of("sub-01"), fmt="%d")
    with pytest.raises(DataContractError, match=r"S1, S2, S3\): give the pattern of the id"):
        read_derivatives(tmp_path, regions=by_row, symmetrise="mean")


def test_series_are_not_symmetrised(tmp_path, participants):
    with pytest.raises(SpecError, match="the files hold time series"):
        read_derivatives(
            abide(tmp_path), participants=participants, ids=r"Pitt_(\d+)", symmetrise="mean"
        )
