"""``bayes-mdd features``: a tool's folder to a cohort folder, or exit 2 and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm

REGIONS = ["LH_Vis_1", "LH_Cont_Par_1", "RH_Default_PFC_1", "RH_Default_PFC_2"]


def write_table(path: Path, table: pd.DataFrame, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", na_rep="n/a", lineterminator="\n", **options)


@pytest.fixture
def source(tmp_path) -> Path:
    """XCP-D of 12 people with matrices and ReHo; beside it participants and a scale."""
    folder = tmp_path / "bids" / "derivatives" / "xcp_d"
    rng = np.random.default_rng(3)
    people = [f"sub-{i:03d}" for i in range(1, 13)]
    for who in people:
        series = rng.normal(size=(80, 4)) + rng.normal(size=(80, 1))
        head = folder / who / "func" / f"{who}_task-rest_seg-X_stat-"
        square = pd.DataFrame(np.corrcoef(series, rowvar=False), REGIONS, REGIONS)
        write_table(Path(f"{head}pearsoncorrelation_relmat.tsv"), square, index_label="Node")
        wide = pd.DataFrame(np.abs(series[:1]), columns=REGIONS)
        write_table(Path(f"{head}reho_bold.tsv"), wide, index=False)
    table = pd.DataFrame(
        {
            "participant_id": people,
            "diagnosis": ["HC"] * 4 + ["MDD"] * 8,
            "arm": ["n/a"] * 4 + ["None", "SSRI"] * 4,
            "code": ["007"] * 12,
        }
    )
    write_table(tmp_path / "bids" / "participants.tsv", table, index=False)
    sidecar = {"arm": {"Description": "Drug", "Levels": {"None": "no drug", "SSRI": "SSRI"}}}
    (tmp_path / "bids" / "participants.json").write_text(json.dumps(sidecar))
    items = {f"hamd17_{i}": ["1"] * 12 for i in range(1, 18)}
    scale = pd.DataFrame({"participant_id": people} | items)
    write_table(tmp_path / "bids" / "phenotype" / "hamd17.tsv", scale, index=False)
    return folder


FC = ("--kind", "functional_connectivity")


def who_takes_part(source: Path) -> tuple[str, Path]:
    return "--participants", source.parents[1] / "participants.tsv"


def test_a_cohort_folder_that_is_read_as_it_was_made(source, tmp_path, run_cli):
    out = tmp_path / "cohort"
    done = run_cli("features", source, *FC, *who_takes_part(source), "-o", out)
    assert done.status == 0, done.err
    assert "12 participants, 6 features (fisher_z)" in done.out
    direct = bm.read_derivatives(
        source,
        kind="functional_connectivity",
        participants=source.parents[1] / "participants.tsv",
    )
    again = bm.read_features(out)
    assert again["feature"].values.tolist() == direct["feature"].values.tolist()
    np.testing.assert_array_equal(again["y"], direct["y"])
    for name in ("arm", "block", "code", "kind"):
        assert again[name].values.tolist() == direct[name].values.tolist()
    assert set(again["arm"].values.tolist()) == {"n/a", "None", "SSRI"}
    made = json.loads(again.attrs["provenance"])["made_from"]
    assert made["format"] == "xcpd_relmat"
    assert len(bm.read_cohort(out).symptoms) == 12
    assert bm.reference_to_controls(again).sizes == again.sizes


def test_regional_features_keep_kind_units_and_circuits(source, tmp_path, run_cli):
    table = pd.DataFrame({"region": REGIONS, "network": ["Vis", "Cont", "Default", "Default"]})
    write_table(tmp_path / "regions.tsv", table, index=False)
    out = tmp_path / "cohort"
    words = ("--kind", "reho", "--regions", tmp_path / "regions.tsv", "--networks", "circuit")
    done = run_cli("features", source, *words, *who_takes_part(source), "-o", out, "--json")
    assert json.loads(done.out) == {
        "cohort": str(out),
        "participants": 12,
        "people": 12,
        "features": 4,
        "left_out": [],
    }
    got = bm.read_features(out)
    assert got["block"].values.tolist() == ["VIS", "CCN", "DMN", "DMN"]
    assert got.attrs["units"] == "Kendall's W"
    assert set(got["kind"].values.tolist()) == {"reho"}


def test_people_without_features_are_named_and_need_not_be_taken_out(source, tmp_path, run_cli):
    for path in (source / "sub-007" / "func").iterdir():
        path.unlink()
    out = tmp_path / "cohort"
    words = ("features", source, *FC, *who_takes_part(source), "-o", out)
    done = run_cli(*words)
    assert done.status == 2
    assert "sub-007" in done.err
    assert not out.exists()
    done = run_cli(*words, "--set", "absent_subjects=drop")
    assert done.status == 0, done.err
    assert "Left out: participants without features (1): sub-007" in done.out
    got = bm.read_features(out)
    assert got.sizes["subject"] == 11
    assert json.loads(got.attrs["provenance"])["without_features"] == ["sub-007"]


def test_what_the_images_told_of_people_goes_into_participants(source, tmp_path, run_cli):
    rows = pd.DataFrame(
        {
            "lh.aparc.thickness": [f"sub-{i:03d}" for i in range(1, 13)],
            "lh_insula_thickness": np.linspace(2, 3, 12),
            "lh_MeanThickness_thickness": 2.5,
            "eTIV": np.linspace(1.4e6, 1.6e6, 12),
        }
    )
    write_table(tmp_path / "fs" / "lh.tsv", rows, index=False)
    out = tmp_path / "cohort"
    done = run_cli("features", tmp_path / "fs", *who_takes_part(source), "-o", out)
    assert done.status == 0, done.err
    assert "columns that are not regions (2)" in done.out
    assert "all regions form one block" in done.err
    people = bm.read_cohort(out).participants
    assert people["etiv"].iloc[0] == 1.4e6
    assert json.loads((out / "participants.json").read_text())["etiv"]["Units"] == "mm3"


@pytest.fixture
def with_series(source) -> Path:
    """The same with time series; the last participant has a short scan."""
    rng = np.random.default_rng(5)
    for path in sorted(source.rglob("*relmat.tsv")):
        who = path.name.partition("_")[0]
        series = rng.normal(size=(38 if who == "sub-012" else 120, 4)) + rng.normal(size=(1, 4))
        write_table(
            path.with_name(f"{who}_task-rest_seg-X_stat-mean_timeseries.tsv"),
            pd.DataFrame(series, columns=REGIONS),
            index=False,
        )
    return source


def test_halves_and_pieces_are_written_and_read(with_series, tmp_path, run_cli):
    out = tmp_path / "cohort"
    words = ("--halves", "--pieces", 8, "--set", "min_volumes=30")
    done = run_cli("features", with_series, *FC, *who_takes_part(with_series), "-o", out, *words)
    assert done.status == 0, done.err
    assert "halves of the scans of 1 participant(s), sub-012: 38 volumes, two halves" in done.out
    assert "pieces of the scans of 1 participant(s), sub-012: 38 volumes, 8 pieces" in done.out
    assert len(list((out / "features").glob("*_pieces.npy"))) == 11
    again = bm.read_features(out)
    direct = bm.read_derivatives(
        with_series,
        kind="functional_connectivity",
        participants=with_series.parents[1] / "participants.tsv",
        spec=bm.DerivativesSpec(min_volumes=30),
        halves=True,
        pieces=8,
    )
    for name in ("y", "half_difference", "pieces"):
        np.testing.assert_array_equal(again[name], direct[name])
    z = bm.reference_to_controls(again)
    np.testing.assert_allclose(z["half_difference"], again["half_difference"] / z["raw_sd"])
    made = json.loads(again.attrs["provenance"])["made_from"]
    assert made["format"] == "xcpd_timeseries"


def several_kinds(source: Path) -> tuple:
    return (source, *who_takes_part(source))


def no_people(source: Path) -> tuple:
    return (source, *FC)


def annexed(source: Path) -> tuple:
    path = next(source.rglob("sub-003*relmat.tsv"))
    path.unlink()
    path.symlink_to("../../.git/annex/gone")
    return (source, *FC, *who_takes_part(source))


BAD = {
    "several kinds": (several_kinds, "kind='reho'"),
    "no participants": (no_people, "--participants"),
    "an annexed file": (annexed, "datalad get"),
    "no such source": (lambda s: (s / "no", *FC, *who_takes_part(s)), "no such file or folder"),
    "an unknown setting": (
        lambda s: (s, *FC, *who_takes_part(s), "--set", "missing_=drop"),
        "Did you mean 'missing'",
    ),
    "an unknown kind": (lambda s: (s, "--kind", "fa", *who_takes_part(s)), "holds no fa: found"),
    "another atlas": (
        lambda s: (s, *FC, *who_takes_part(s), "--atlas", "Y"),
        "expected files of atlas 'Y' only; their names state X",
    ),
    "an entity that is none": (
        lambda s: (s, *FC, *who_takes_part(s), "--entity", "task"),
        "--entity expects KEY=VALUE",
    ),
    "halves without series": (
        lambda s: (s, *FC, *who_takes_part(s), "--halves"),
        "halves and pieces need time series",
    ),
    "one piece": (
        lambda s: (s, *FC, *who_takes_part(s), "--pieces", "1"),
        "greater than or equal to 2",
    ),
    "a run that is not there": (
        lambda s: (s, *FC, *who_takes_part(s), "--entity", "run=2"),
        "run: in no file name",
    ),
    "circuits of nothing": (
        lambda s: (s, *FC, *who_takes_part(s), "--networks", "circuit"),
        "needs --regions",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_writes_nothing(case, source, tmp_path, run_cli):
    words, said = BAD[case]
    out = tmp_path / "out" / "cohort"
    done = run_cli("features", *words(source), "-o", out)
    assert done.status == 2, done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert not out.parent.exists()


def test_a_folder_in_use_is_left_alone(source, tmp_path, run_cli):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    done = run_cli("features", source, *FC, *who_takes_part(source), "-o", tmp_path / "used")
    assert done.status == 2
    assert "is not empty" in done.err
    assert [p.name for p in (tmp_path / "used").iterdir()] == ["mine.txt"]


def atlas_table(folder: Path) -> Path:
    """The table of XCP-D, in which one region has no network."""
    rows = {
        "index": range(1, 5),
        "label": REGIONS,
        "network_label": ["Vis", "Cont", "Default", "n/a"],
        "network_label_17network": ["VisCent", "ContA", "DefaultA", "n/a"],
    }
    write_table(folder / "atlas-X_dseg.tsv", pd.DataFrame(rows), index=False)
    return folder / "atlas-X_dseg.tsv"


@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.parametrize(
    ("column", "first"), [("atlas", "Vis"), ("network_label_17network", "VisCent")]
)
def test_the_region_table_of_xcpd(source, tmp_path, run_cli, column, first):
    out = tmp_path / "cohort"
    words = ("--regions", atlas_table(tmp_path), "--networks", column)
    done = run_cli("features", source, *FC, *words, *who_takes_part(source), "-o", out)
    assert done.status == 0, done.err
    assert "1 of 4 regions have no network and form blocks of their own: unassigned" in done.err
    got = bm.read_features(out)
    assert got["region_network"].values.tolist()[0] == first
    assert got["region_network"].values.tolist()[-1] == "unassigned"
    assert len(set(got["block"].values.tolist())) == 6


def test_a_column_that_the_table_lacks(source, tmp_path, run_cli):
    words = ("--regions", atlas_table(tmp_path), "--networks", "network_label17")
    done = run_cli(
        "features", source, *FC, *words, *who_takes_part(source), "-o", tmp_path / "cohort"
    )
    assert done.status == 2
    assert "network_label, network_label_17network" in done.err


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_stack_in_the_order_of_the_participants(source, tmp_path, run_cli):
    rng = np.random.default_rng(1)
    tracts = rng.integers(1, 90, (12, 4, 4)).astype(float)
    np.save(tmp_path / "stack.npy", tracts)
    rows = pd.DataFrame({"region": REGIONS, "network": list("abcd"), "label": range(1, 5)})
    write_table(tmp_path / "rows.tsv", rows, index=False)
    words = ["features", tmp_path / "stack.npy", "--kind", "structural_connectivity"]
    words += ["--regions", tmp_path / "rows.tsv", *who_takes_part(source)]
    words += ["-o", tmp_path / "cohort"]
    refused = run_cli(*words)
    assert refused.status == 2
    assert "--subjects participants" in refused.err
    refused = run_cli(*words, "--subjects", "participants")
    assert refused.status == 2
    assert "--symmetrise mean" in refused.err
    done = run_cli(*words, "--subjects", "participants", "--symmetrise", "max")
    assert done.status == 0, done.err
    assert "follow the 12 rows of the participants table" in done.err
    got = bm.read_features(tmp_path / "cohort")
    assert float(got["y"].sel(subject="sub-003")[0]) == max(tracts[2, 0, 1], tracts[2, 1, 0])
    ids = tmp_path / "ids.txt"
    ids.write_text("participant_id\n" + "".join(f"sub-{i:03d}\n" for i in range(12, 0, -1)))
    words[-1] = tmp_path / "again"
    assert run_cli(*words, "--subjects", ids, "--symmetrise", "max").status == 0
    again = bm.read_features(tmp_path / "again")
    np.testing.assert_array_equal(again["y"].values, got["y"].values[::-1])


def test_three_decisions_about_gaps(source, tmp_path, run_cli):
    path = next((source / "sub-005" / "func").glob("*relmat.tsv"))
    table = pd.read_csv(path, sep="\t", index_col=0)
    table.iloc[0, 1] = table.iloc[1, 0] = np.nan
    write_table(path, table, index_label="Node")
    words = ("features", source, *FC, *who_takes_part(source), "-o", tmp_path / "cohort")
    done = run_cli(*words, "--set", "missing_regions=drop")
    assert done.status == 2
    assert "--set missing_features=drop" in done.err
    done = run_cli(*words, "--set", "missing_features=drop")
    assert done.status == 0, done.err
    assert "features missing in at least one participant (1)" in done.out


@pytest.mark.slow
def test_the_cohort_can_be_fitted(source, tmp_path, run_cli):
    out = tmp_path / "cohort"
    assert run_cli("features", source, *FC, *who_takes_part(source), "-o", out).status == 0
    quick = [w for s in ("draws=60", "tune=100", "chains=2") for w in ("--set", f"sampler.{s}")]
    quick += ["--set", "model.n_factors=1"]
    done = run_cli("fit", "shared_specific", out, "-o", tmp_path / "run", *quick)
    assert done.status in (0, 1), done.err
    assert (tmp_path / "run" / "report.html").exists()


def test_ids_by_pattern_and_one_scaling_of_several(tmp_path, run_cli):
    rng = np.random.default_rng(4)
    ids = [f"{i:03d}" for i in range(1, 9)]
    for i in ids:
        series = rng.normal(size=(80, 4)) + rng.normal(size=(80, 1))
        for name, values in (("r", np.corrcoef(series, rowvar=False)), ("series", series)):
            (tmp_path / "in").mkdir(exist_ok=True)
            np.savetxt(tmp_path / "in" / f"Sub_{i}_{name}.txt", values)
    table = {
        "participant_id": [f"sub-{i}" for i in ids],
        "diagnosis": ["HC"] * 3 + ["MDD"] * 5,
        "arm": ["n/a"] * 3 + ["A", "B"] * 2 + ["A"],
    }
    write_table(tmp_path / "participants.tsv", pd.DataFrame(table), index=False)
    regions = pd.DataFrame({"region": REGIONS, "network": "N", "label": range(1, 5)})
    write_table(tmp_path / "regions.tsv", regions, index=False)
    given = (
        *("features", tmp_path / "in", "-o", tmp_path / "out", *FC),
        *("--participants", tmp_path / "participants.tsv", "--regions", tmp_path / "regions.tsv"),
        *("--entity", "name=*_r"),
    )
    done = run_cli(*given)
    assert done.status == 2
    assert "--ids" in done.err
    done = run_cli(*given, "--ids", r"Sub_(\d+)")
    assert done.status == 0, done.err
    made = bm.read_features(tmp_path / "out")
    assert made["subject"].values.tolist() == table["participant_id"]
