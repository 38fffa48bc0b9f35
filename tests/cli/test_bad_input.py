"""Bad input: exit 2, one message that names who and what, nothing written, no traceback."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

READ = {"sep": "\t", "dtype": str, "keep_default_na": False, "na_values": ["n/a"]}


@pytest.fixture
def cohort(small_cohort, tmp_path) -> Path:
    return Path(shutil.copytree(small_cohort, tmp_path / "cohort"))


def edit_table(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = change(pd.read_csv(path, **READ))
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")


def people(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return lambda folder: edit_table(folder / "participants.tsv", change)


def ids_of(table: pd.DataFrame, arm: str) -> list[str]:
    return table.loc[table["arm"] == arm, "participant_id"].tolist()


def a_matrix(folder: Path, which: int = 0) -> Path:
    return sorted((folder / "features").glob("sub-*_relmat.tsv"))[which]


def matrix(change: Callable[[pd.DataFrame], pd.DataFrame], which: int = 0) -> Callable:
    def corrupt(folder: Path) -> None:
        edit_table(a_matrix(folder, which), lambda t: change(t.set_index("Node")).reset_index())

    return corrupt


def put(row: int, column: int, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.iloc[row, column] = table.iloc[column, row] = value
        return table

    return change


def put_cell(table: pd.DataFrame, row: int, column: str, value: str) -> pd.DataFrame:
    return table.assign(**{column: table[column].where(table.index != row, value)})


def first_arm_of_two(table: pd.DataFrame, keep: int) -> pd.DataFrame:
    """Keep so many people of the first arm."""
    arm = sorted(table["arm"].dropna().unique())[0]
    drop = ids_of(table, arm)[keep:]
    return table.assign(arm=table["arm"].where(~table["participant_id"].isin(drop)))


def site_by_arm(table: pd.DataFrame) -> pd.DataFrame:
    arms = sorted(table["arm"].dropna().unique())
    return table.assign(site=table["arm"].map({arms[0]: "north", arms[1]: "south"}).fillna("north"))


def constant_edge(folder: Path) -> None:
    for which in range(len(list((folder / "features").glob("sub-*_relmat.tsv")))):
        matrix(put(0, 1, "0.25"), which)(folder)


def item_out_of_range(folder: Path) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        item = next(c for c in table.columns if c not in {"participant_id", "session_id"})
        table.loc[0, item] = "9"
        return table

    edit_table(folder / "phenotype" / "hamd17.tsv", change)


def truncate(folder: Path) -> None:
    path = a_matrix(folder)
    path.write_bytes(path.read_bytes()[:200])


def binary(folder: Path) -> None:
    a_matrix(folder).write_bytes(b"\xff\xfe\x00\x81" * 40)


def empty(folder: Path) -> None:
    path = folder / "participants.tsv"
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")


BAD_COHORTS = {
    "duplicate id": (people(lambda t: pd.concat([t, t.iloc[[4]]])), "{5}"),
    "id without features": (lambda f: a_matrix(f, 2).unlink(), "{3}"),
    "features without id": (people(lambda t: t.drop(index=3)), "{4}"),
    "unknown arm": (people(lambda t: t.assign(arm=t["arm"].replace("SSRI", "SSIR"))), "SSIR"),
    "arm below three": (people(lambda t: first_arm_of_two(t, 2)), "SNRI"),
    "arm confounded with site": (people(site_by_arm), "site"),
    "another spelling": (people(lambda t: t.rename(columns={"mean_fd": "meanFD"})), "meanFD"),
    "age that is no number": (people(lambda t: put_cell(t, 1, "age", "89+")), "{2}"),
    "code for a missing age": (people(lambda t: put_cell(t, 2, "age", "-9")), "{3}"),
    "value outside the Levels": (people(lambda t: put_cell(t, 3, "sex", "male")), "{4}"),
    "NaN feature": (matrix(put(0, 1, "n/a")), "{1}"),
    "infinite feature": (matrix(put(0, 1, "inf")), "{1}"),
    "constant feature": (constant_edge, "--"),
    "not square": (matrix(lambda t: t.iloc[:-1]), "{1}"),
    "not symmetric": (matrix(lambda t: t.assign(**{t.columns[0]: "0.5"})), "{1}"),
    "another size": (matrix(lambda t: t.iloc[:-1, :-1]), "{1}"),
    "another region order": (matrix(lambda t: t.iloc[::-1, ::-1]), "{1}"),
    "r of one": (matrix(put(0, 1, "1.0")), "{1}"),
    "item out of range": (item_out_of_range, "0"),
    "truncated file": (truncate, "{1}"),
    "unreadable file": (binary, "{1}"),
    "empty cohort": (empty, "participants.tsv"),
    "no cohort": (shutil.rmtree, "cohort"),
    "no features": (lambda f: shutil.rmtree(f / "features"), "features"),
}


def assert_refused(result, run: Path, *words: str) -> None:
    assert result.status == 2, result.err
    assert "Traceback" not in result.err
    assert result.out == ""
    assert result.err.count("Error:") == 1
    for word in words:
        assert word.lower() in result.err.lower(), result.err
    assert not run.exists()
    assert [p.name for p in run.parent.iterdir()] in ([], ["cohort"]), "something was written"


@pytest.mark.parametrize("case", BAD_COHORTS)
def test_bad_cohort_is_refused(case, cohort, small_spec, tmp_path, run_cli):
    corrupt, word = BAD_COHORTS[case]
    ids = pd.read_csv(cohort / "participants.tsv", **READ)["participant_id"].tolist()
    corrupt(cohort)
    run = tmp_path / "run"
    result = run_cli("fit", small_spec, cohort, "-o", run)
    number = re.fullmatch(r"\{(\d+)\}", word)
    assert_refused(result, run, ids[int(number[1]) - 1] if number else word)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: {n_factor: 3}", ["n_factor", "n_factors"]),
        ("smapler: {}", ["smapler", "sampler"]),
        ("model: [1, 2]", ["model", "keys and values", "list"]),
        ("model: {n_factors: -1}", ["n_factors", "-1"]),
        ("model: {n_factors: 3", ["not valid YAML"]),
        ("model: {covariates: [shoe_size]}", ["shoe_size"]),
        ("model: {symptoms: [shoe_size]}", ["shoe_size"]),
        ("reference: {covariates: [shoe_size]}", ["shoe_size"]),
        ("model: {n_factors: 400}", ["400"]),
    ],
)
def test_bad_spec_is_refused(text, words, small_cohort, tmp_path, run_cli):
    spec = tmp_path / "spec" / "bad.yaml"
    spec.parent.mkdir()
    spec.write_text(text, encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    result = run_cli("fit", spec, small_cohort, "-o", work / "run")
    assert_refused(result, work / "run", *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", "no_such_model", "COHORT"], "shared_specific"),
        (["fit", "no_such.yaml", "COHORT"], "no_such.yaml"),
        (["fit", "shared_specific", "COHORT", "--set", "model.n_factor=3"], "n_factors"),
        (["fit", "shared_specific", "COHORT", "--set", "n_factors=3"], "model.KEY"),
        (["fit", "shared_specific", "COHORT", "--set", "model.n_factors"], "KEY=VALUE"),
        (["check", "no_such_run"], "no_such_run"),
        (["signatures", "no_such_run"], "no_such_run"),
        (["report", "no_such_run"], "no_such_run"),
    ],
)
def test_bad_words_are_refused(words, said, small_cohort, tmp_path, monkeypatch, run_cli):
    monkeypatch.chdir(tmp_path)
    result = run_cli(*[small_cohort if w == "COHORT" else w for w in words])
    assert_refused(result, tmp_path / "runs", said)


def test_usage_errors_have_the_same_status(run_cli):
    assert run_cli("fit").status == 2
    assert run_cli("frobnicate").status == 2
    assert run_cli("simulate", "-o", "x", "--seed", "-1").status == 2


def test_debug_shows_the_traceback(run_cli):
    from bayes_mdd.errors import SpecError

    with pytest.raises(SpecError, match="no shipped model"):
        run_cli("fit", "no_such_model", "x", "--debug")


def test_a_fault_of_the_program_is_not_called_bad_input(small_run, monkeypatch, run_cli):
    import bayes_mdd

    def broken(folder: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(bayes_mdd, "read_run", broken, raising=False)
    result = run_cli("check", small_run.folder)
    assert result.status == 3
    assert "RuntimeError: boom" in result.err
    assert "--debug" in result.err


def test_run_folder_of_another_spec_is_refused(small_run, tmp_path, run_cli):
    folder = Path(shutil.copytree(small_run.folder, tmp_path / "run"))
    before = {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    result = run_cli(
        "fit", small_run.spec, small_run.cohort, "-o", folder, "--set", "model.n_factors=2"
    )
    assert result.status == 2, result.err
    assert result.err.count("Error:") == 1
    assert {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_truncated_run_is_refused(small_run, tmp_path, run_cli):
    folder = Path(shutil.copytree(small_run.folder, tmp_path / "run"))
    posterior = folder / "posterior.nc"
    posterior.write_bytes(posterior.read_bytes()[:5000])
    for command in ("check", "signatures", "report"):
        result = run_cli(command, folder)
        assert result.status == 2, (command, result.err)
        assert "posterior.nc" in result.err
        assert "Traceback" not in result.err


def test_simulating_into_a_folder_in_use_is_refused(small_cohort, tmp_path, run_cli):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine", encoding="utf-8")
    result = run_cli("simulate", "-o", tmp_path / "mine")
    assert result.status == 2
    assert "notes.txt" in result.err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
