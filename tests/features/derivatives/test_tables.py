"""Group tables: FreeSurfer, plain wide and long tables, tract profiles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import SUBJECTS

from bayes_mdd.errors import DataContractError, UnreadableFileError
from bayes_mdd.features import read_derivatives
from bayes_mdd.features.derivatives.text_tables import parse_numbers, read_cells
from bayes_mdd.specs import DerivativesSpec

DROP = DerivativesSpec(missing="drop")
RNG = np.random.default_rng(5)
THICKNESS = RNG.uniform(2, 3, size=(4, 3)).round(3)
GLOBALS = ("MeanThickness_thickness", "BrainSegVolNotVent", "eTIV")


def facts(features):
    return json.loads(features.attrs["provenance"])


def aparc(folder: Path, side: str = "lh", ids=SUBJECTS, parcellation: str = "aparc") -> Path:
    names = ["bankssts", "insula", "cuneus"]
    table = pd.DataFrame(
        THICKNESS + (side == "rh"), columns=[f"{side}_{n}_thickness" for n in names]
    )
    table.insert(0, f"{side}.{parcellation}.thickness", ids)
    table[f"{side}_{GLOBALS[0]}"] = 2.5
    table[GLOBALS[1]] = 1.1e6
    table[GLOBALS[2]] = [1.4e6, 1.5e6, 1.6e6, 1.7e6]
    path = folder / f"{side}.{parcellation}.whatever.txt"
    table.to_csv(path, sep="\t", index=False)
    return path


def test_both_hemispheres_without_global_measures(tmp_path, participants):
    aparc(tmp_path), aparc(tmp_path, "rh")
    got = read_derivatives(tmp_path, participants=participants)
    sides = ("lh", "rh")
    assert got["feature"].values.tolist() == [
        f"{s}_{n}" for s in sides for n in ("bankssts", "insula", "cuneus")
    ]
    assert float(got["y"].sel(subject="sub-03", feature="rh_insula")) == THICKNESS[2, 1] + 1
    assert got.attrs["units"] == "mm"
    assert set(got["kind"].values.tolist()) == {"thickness"}
    assert got["etiv"].values.tolist() == [1.4e6, 1.5e6, 1.6e6, 1.7e6]
    assert "eTIV" in facts(got)["columns_that_are_no_regions"]
    assert facts(got)["networks"].startswith("none given")


def test_longitudinal_ids(tmp_path):
    ids = ["13900_01.long.13900_base", "0050642", "S3", "13901_01.long.13901_base"]
    aparc(tmp_path, ids=ids)
    table = pd.DataFrame(
        {"arm": ["x", "y", "y", "x"]},
        index=pd.Index(["0050642", "13900_01", "S3", "13901_01"], name="participant_id"),
    )
    got = read_derivatives(tmp_path, participants=table)
    assert got["subject"].values.tolist() == list(table.index)
    assert got["y"].values[0, 0] == THICKNESS[1, 0]


def test_two_parcellations_are_not_mixed(tmp_path, participants):
    aparc(tmp_path), aparc(tmp_path, parcellation="aparc.a2009s")
    with pytest.raises(DataContractError, match=r"aparc, aparc\.a2009s: choose one"):
        read_derivatives(tmp_path, participants=participants)
    got = read_derivatives(tmp_path, atlas="aparc.a2009s", participants=participants)
    assert got.sizes["feature"] == 3


def test_aseg_of_two_versions(tmp_path, participants):
    table = pd.DataFrame(
        {
            "Measure:volume": SUBJECTS,
            "Left-Thalamus-Proper": [7000.0, 7100.0, np.nan, np.nan],
            "Left-Thalamus": [np.nan, np.nan, 7200.0, 7300.0],
            "Left-Amygdala": [1500.0, 1600.0, 1700.0, 1650.0],
            "5th-Ventricle": 0.0,
            "WM-hypointensities": [900.0, 800.0, 700.0, 750.0],
            "BrainSegVol-to-eTIV": 0.82,
            "lhCorticalWhiteMatterVol": 2e5,
            "EstimatedTotalIntraCranialVol": [1.4e6, 1.5e6, 1.6e6, 1.7e6],
        }
    )
    table.to_csv(tmp_path / "aseg.txt", sep="\t", index=False)
    got = read_derivatives(tmp_path, kind="volume", participants=participants)
    assert got["feature"].values.tolist() == ["Left-Thalamus", "Left-Amygdala"]
    assert got["y"].values[:, 0].tolist() == [7000, 7100, 7200, 7300]
    assert got["etiv"].values[0] == 1.4e6  # not the ratio, whose name contains eTIV


def test_a_subject_with_one_hemisphere(tmp_path, participants):
    aparc(tmp_path)
    path = aparc(tmp_path, "rh")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataContractError, match=r"'rh_bankssts' in 1 \(sub-04\)"):
        read_derivatives(tmp_path, participants=participants)
    got = read_derivatives(tmp_path, participants=participants, spec=DROP)
    assert [f[:2] for f in got["feature"].values.tolist()] == ["lh"] * 3


WIDE = "SubjID,L_bankssts_thickavg,L_insula_thickavg,Age,Sex\r\n"


def wide(folder: Path, text: str, name: str = "roi.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def participants_of(*ids: str) -> pd.DataFrame:
    arm = (["x", "y"] * len(ids))[: len(ids)]
    return pd.DataFrame({"arm": arm}, index=pd.Index(ids, name="participant_id"))


def test_a_wide_table_with_ids_that_look_like_numbers(tmp_path):
    rows = "001,2.1,2.4,30,F\r\n010,2.2,2.5,40,M\r\n1,2.3,2.7,50,F\r\n"
    path = wide(tmp_path, WIDE + rows)
    got = read_derivatives(path, kind="thickness", participants=participants_of("1", "001", "010"))
    assert got["subject"].values.tolist() == ["1", "001", "010"]
    assert got["y"].values[:, 0].tolist() == [2.3, 2.1, 2.2]
    assert facts(got)["columns_left_out"] == ["Age", "Sex"]


def test_a_plain_table_needs_a_kind(tmp_path):
    path = wide(tmp_path, WIDE + "a,1,2,3,F\n")
    with pytest.raises(DataContractError, match=r"give kind="):
        read_derivatives(path)


def test_a_region_table_selects_columns_by_name(tmp_path):
    path = wide(
        tmp_path, "id\tnote\tB\tA\n" + "".join(f"s{i}\tok\t{i}.5\t{i * i}\n" for i in range(4))
    )
    with pytest.raises(DataContractError, match=r"column\(s\) note hold text"):
        read_derivatives(path, kind="fa")
    table = pd.DataFrame({"region": ["A", "B"], "network": ["N", "M"]})
    got = read_derivatives(path, kind="fa", regions=table)
    assert got["y"].sel(feature="A").values.tolist() == [0, 1, 4, 9]
    assert got.attrs["units"].startswith("fractional anisotropy")
    table.loc[1, "region"] = "C"
    with pytest.raises(DataContractError, match=r"lacks the column\(s\) C .* it has note, B, A"):
        read_derivatives(path, kind="fa", regions=table)


def test_a_long_table(tmp_path, participants):
    rows = [f"{w}\t{r}\t{i + j / 10}\n" for i, w in enumerate(SUBJECTS) for j, r in enumerate("pq")]
    path = wide(tmp_path, "participant_id\tregion\tfa\n" + "".join(rows), "fa.tsv")
    got = read_derivatives(path, kind="fa", participants=participants)
    assert got["y"].sel(feature="q").values.tolist() == [0.1, 1.1, 2.1, 3.1]
    wide(tmp_path, "participant_id\tregion\tfa\n" + "".join(rows + rows[:1]), "fa.tsv")
    with pytest.raises(DataContractError, match=r"sub-01 has several rows for p"):
        read_derivatives(path, kind="fa", participants=participants)


def test_sessions_in_a_table(tmp_path):
    rows = [f"{w} {s} {i + (s == 'm2')}\n" for i, w in enumerate(SUBJECTS) for s in ("m1", "m2")]
    path = wide(tmp_path, "participant_id session_id x\n" + "".join(rows), "t.txt")
    with pytest.raises(DataContractError, match=r"choose a session.*m1, m2"):
        read_derivatives(path, kind="fa")
    got = read_derivatives(path, kind="fa", entities={"ses": "m2"})
    assert got["y"].values[:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("text", ["", "a|b|c\n1|2|3\n"])
def test_an_unreadable_table(tmp_path, text):
    path = wide(tmp_path, text, "odd.tsv")
    with pytest.raises(DataContractError, match=r"no file of a known format \(found odd.tsv\)"):
        read_derivatives(path, kind="fa")


def afq(folder: Path, scale: float = 1.0) -> Path:
    rows = []
    for i, subject in enumerate(SUBJECTS):
        for tract in ("CST_L", "ARC_R"):
            for node in range(100):
                void = subject == "sub-02" and tract == "ARC_R"
                fa = "" if void else f"{0.4 + i / 100 + node / 1000:.4f}"
                md = "" if void else f"{0.85 * (scale if subject == 'sub-03' else 1):.5f}"
                rows.append(f"{node},{subject},{tract},{fa},{md}")  # in any order of columns
    path = folder / "nodes.csv"
    path.write_text("nodeID,subjectID,tractID,fa,md\n" + "\n".join(rows) + "\n")
    return path


def test_tract_profiles(tmp_path, participants):
    afq(tmp_path)
    with pytest.raises(DataContractError, match=r"kind='fa'.*kind='md'"):
        read_derivatives(tmp_path, participants=participants)
    with pytest.raises(DataContractError, match=r"'ARC_R' in 1 \(sub-02\)"):
        read_derivatives(tmp_path, kind="fa", participants=participants)
    got = read_derivatives(tmp_path, kind="fa", participants=participants, spec=DROP)
    assert got["feature"].values.tolist() == ["CST_L"]
    expected = 0.41 + np.arange(100).mean() / 1000
    assert got["y"].values[1, 0] == pytest.approx(expected)
    assert facts(got)["regions_left_out"] == {"ARC_R": ["sub-02"]}


def test_diffusivities_in_two_units(tmp_path, participants):
    afq(tmp_path, scale=0.001)
    with pytest.raises(DataContractError, match=r"mixes units: sub-03 in mm2/s"):
        read_derivatives(tmp_path, kind="md", participants=participants, spec=DROP)


def test_tracula_profiles(tmp_path, participants):
    for tract, length in (("lh.cst_AS", 6), ("fmajor_PP", 4)):
        for measure in ("FA", "FA_Avg"):
            lines = [" ".join(SUBJECTS) + " "]
            for node in range(length):
                cells = [f"{0.3 + i / 10 + (measure == 'FA_Avg')}" for i in range(4)]
                if node >= length - 3:
                    cells[1] = "NaN"  # a shorter subject
                lines.append(" ".join(cells))
            (tmp_path / f"{tract}.avg33_mni_bbr.{measure}.txt").write_text("\n".join(lines))
    with pytest.raises(DataContractError, match=r"kind='fa'.*kind='fa_avg'"):
        read_derivatives(tmp_path, participants=participants)
    got = read_derivatives(tmp_path, kind="fa", participants=participants)
    assert got["feature"].values.tolist() == ["fmajor_PP", "lh.cst_AS"]
    np.testing.assert_allclose(got["y"].values, [[0.3] * 2, [0.4] * 2, [0.5] * 2, [0.6] * 2])


def test_tracula_tables_with_two_averages(tmp_path, participants):
    for tract in ("lh.cst", "rh.cst"):
        lines = [f"{tract}\tCount\tFA_Avg\tFA_Avg_Weight\tMD_Avg"]
        lines += [f"{w}\t100\t0.{4 + i}\t0.{3 + i}\t0.0007" for i, w in enumerate(SUBJECTS)]
        (tmp_path / f"{tract}.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataContractError, match=r"FA_Avg, FA_Avg_Weight, which are different"):
        read_derivatives(tmp_path, kind="fa", participants=participants)
    got = read_derivatives(tmp_path, kind="fa", weighting="FA_Avg", participants=participants)
    np.testing.assert_allclose(got["y"].sel(feature="rh.cst"), [0.4, 0.5, 0.6, 0.7])


def test_a_truncated_gz(tmp_path, participants):
    import gzip

    rows = "".join(f"{w}\t{i}.25\t{i * i}\n" for i, w in enumerate(SUBJECTS))
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(("participant_id\tA\tB\n" + rows).encode()))
    assert read_derivatives(path, kind="fa", participants=participants).sizes["feature"] == 2
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataContractError, match=r"truncated|no file of a known format"):
        read_derivatives(path, kind="fa", participants=participants)


def test_freesurfer_stats_files_are_not_tables(tmp_path):
    stats = tmp_path / "sub-01" / "stats"
    stats.mkdir(parents=True)
    (stats / "lh.curv.stats").write_text("# header only\n")
    with pytest.raises(DataContractError, match="create group tables with aparcstats2table"):
        read_derivatives(tmp_path, kind="thickness")


@pytest.mark.parametrize("header", ["lh.aparc.thickness\tlh_insula_thickness", "a\tb"])
def test_a_table_with_a_header_alone_has_no_rows(tmp_path, header):
    path = tmp_path / "lh.aparc.thickness.txt"
    path.write_text(f"{header}\n")
    with pytest.raises(DataContractError):
        read_derivatives(path)
    with pytest.raises(UnreadableFileError, match=r"lh.aparc.thickness.txt has a header and no"):
        parse_numbers(path, read_cells(path).body)
