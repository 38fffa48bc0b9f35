"""Wrong paths are refused before heavy imports; nothing but runs is replaced."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bayes_mdd.cli import early
from bayes_mdd.errors import WriteError
from bayes_mdd.files.marks import RUN

HEAVY = ("numpy", "pandas", "xarray", "numba", "pymc", "nilearn", "matplotlib")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_wrong_paths_are_refused_before_heavy_imports(tmp_path, small_cohort):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    used = str(tmp_path)
    fit, cohort = ("fit", "shared_specific"), str(small_cohort)
    commands = [
        ("check", "nowhere"),
        ("check", cohort),
        ("report", "nowhere"),
        ("signatures", "nowhere"),
        ("project", "nowhere", cohort),
        ("prior", "shared_specific", "nowhere"),
        ("compare", "shared_specific", "nowhere"),
        ("features", "nowhere", "-o", "new"),
        ("features", cohort, "-o", used),
        ("simulate", "-o", used),
        ("simulate", "-o", cohort),
        ("demo", "-o", used),
        ("demo", "-o", used, "--force"),
        (*fit, "nowhere"),
        (*fit, used),
        (*fit, cohort, "-o", used),
        (*fit, cohort, "-o", used, "--force"),
        (*fit, cohort, "-o", cohort, "--force"),
        (*fit, cohort, "-o", str(small_cohort.parent), "--force"),
        (*fit, cohort, "-o", f"{used}/notes.txt"),
        (*fit, cohort, "-o", f"{used}/notes.txt/run"),
    ]
    program = (
        "import json, sys\n"
        "from bayes_mdd.cli import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    try:\n"
        "        main(words)\n"
        "    except SystemExit as leaving:\n"
        "        loaded = [m for m in json.loads(sys.argv[2]) if m in sys.modules]\n"
        "        print(leaving.code, loaded, words)\n"
    )
    before = files(small_cohort)
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(commands), json.dumps(HEAVY)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"2 [] {list(c)}" for c in commands], done.stderr
    assert done.stderr.count("Error:") == len(commands)
    assert files(small_cohort) == before
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_files_of_a_run_folder_are_all_known(small_run):
    assert RUN.is_marked(small_run.folder)
    assert RUN.foreign(small_run.folder) == []


def test_a_run_of_other_settings_is_refused_before_data_are_read(small_run, tmp_path, run_cli):
    words = ("fit", small_run.spec, small_run.cohort, "-o", small_run.folder)
    before = files(small_run.folder)
    for changed, named in {
        ("--set", "model.n_factors=2"): "n_factors is 3, requested is 2",
        ("--set", "sampler.draws=10"): "settings of the sampler",
        ("--seed", "9"): "settings of the sampler",
        ("--fast",): "method is mcmc, requested is fast",
    }.items():
        result = run_cli(*words, *changed)
        assert result.status == 2, result.err
        assert named in result.err
        assert "Reading" not in result.err
    result = run_cli("fit", "polar_lda", small_run.cohort, "-o", small_run.folder)
    assert result.status == 2 and "requested is polar_lda" in result.err
    assert files(small_run.folder) == before


def test_the_same_run_is_read_and_not_fitted_again(small_run, tmp_path, run_cli):
    folder = Path(shutil.copytree(small_run.folder, tmp_path / "run"))
    result = run_cli("fit", small_run.spec, small_run.cohort, "-o", folder)
    assert result.status == small_run.command.status, result.err
    assert "contains this run already" in result.err
    assert "Fitting" not in result.err
    assert (folder / "posterior.nc").read_bytes() == (
        small_run.folder / "posterior.nc"
    ).read_bytes()


def test_a_run_of_other_data_is_refused_before_it_says_fitting(small_run, tmp_path, run_cli):
    cohort = Path(shutil.copytree(small_run.cohort, tmp_path / "cohort"))
    table = cohort / "participants.tsv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    cells = lines[1].split("\t")
    column = lines[0].rstrip("\n").split("\t").index("age")
    cells[column] = str(int(cells[column]) + 1)
    table.write_text("".join([lines[0], "\t".join(cells), *lines[2:]]), encoding="utf-8")
    result = run_cli("fit", small_run.spec, cohort, "-o", small_run.folder)
    assert result.status == 2
    assert "inputs is" in result.err
    assert "Fitting" not in result.err


def test_output_of_others_is_not_overwritten_without_force(small_run, tmp_path, run_cli):
    page = tmp_path / "page.html"
    page.write_text("mine", encoding="utf-8")
    result = run_cli("report", small_run.folder, "-o", page)
    assert result.status == 2 and "--force" in result.err
    assert page.read_text(encoding="utf-8") == "mine"
    table = small_run.cohort / "participants.tsv"
    before = table.read_bytes()
    for command in (
        ("report", small_run.folder, "-o", table, "--force"),
        ("project", small_run.folder, small_run.cohort, "-o", table, "--force"),
        ("signatures", small_run.folder, "-o", table),
        ("signatures", small_run.folder, "--atlas", tmp_path / "nowhere.nii.gz"),
    ):
        result = run_cli(*command)
        assert result.status == 2, result.err
        assert result.err.count("Error:") == 1
    assert table.read_bytes() == before
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "signatures.tsv").write_text("mine", encoding="utf-8")
    for more in ((), ("--force",)):
        assert run_cli("signatures", small_run.folder, "-o", tmp_path / "maps", *more).status == 2
    (tmp_path / "compare_features.tsv").write_text("earlier", encoding="utf-8")
    result = run_cli("compare", small_run.spec, small_run.cohort, "-o", tmp_path)
    assert result.status == 2 and "--force" in result.err and "Reading" not in result.err


def test_a_run_that_cannot_be_written_is_checked_without_saving(
    small_run, tmp_path, run_cli, monkeypatch
):
    folder = Path(shutil.copytree(small_run.folder, tmp_path / "run"))
    (folder / "checks.json").unlink()

    def refuse(path):
        raise WriteError(f"Cannot write {path}: the file system is read-only.")

    monkeypatch.setattr(early, "check_writable", refuse)
    result = run_cli("check", folder)
    assert result.status in (0, 1), result.err
    assert "not saved" in result.err
    assert "max R-hat" in result.out
    assert not (folder / "checks.json").exists()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root")
def test_a_full_disk_is_one_error_and_the_earlier_run_is_intact(small_run, tmp_path):
    program = (
        "set -e; mount -t tmpfs -o size=1m tmpfs small; mkdir small/full; cd small/full\n"
        "head -c 1028096 /dev/zero > ../ballast; set +e\n"
        '"$0" -m bayes_mdd export "$1" -f tables -o .; echo "status $?"; ls -A\n'
    )
    (tmp_path / "small").mkdir()
    before = files(small_run.folder)
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", program, sys.executable, str(small_run.folder)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if "status" not in done.stdout:
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    assert done.stdout.splitlines() == ["status 2"], done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Error:") == 1
    assert files(small_run.folder) == before
