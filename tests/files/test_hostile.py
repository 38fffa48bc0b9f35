"""A small run of ``benchmarks/hostile_files.py``, and hostile files in whole cohorts."""

from __future__ import annotations

import os
import shutil
import sys
import time
import warnings
from pathlib import Path

import pytest

import bayes_mdd as bm
from bayes_mdd.cli.inputs import parse_settings
from bayes_mdd.errors import BayesMDDError, RunFolderError, SpecError

pytestmark = pytest.mark.timeout(120)
MUTANTS = 25


@pytest.fixture(scope="module")
def hostile(repository):
    folder = str(repository / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import hostile_files
    finally:
        sys.path.remove(folder)
    return hostile_files


@pytest.fixture(scope="module")
def readers(hostile):
    return hostile.readers()


NAMES = (
    "CIFTI",
    ".npy",
    ".npz",
    ".npz, compressed",
    ".mat",
    ".mat, compressed",
    "NIfTI",
    "NIfTI, .gz",
    "NIfTI, labels",
    "TSV, participants",
    "TSV, matrix",
    "JSON",
    "YAML, spec",
    "YAML, scale",
)


def test_all_readers_are_listed(readers):
    assert tuple(readers) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_are_read_or_refused_by_own_errors(name, hostile, readers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert hostile.answer(readers[name], readers[name].good)[0] == "read"
        for i in range(MUTANTS):
            seed = f"{hostile.SEED} {name} {i}"
            kind, what = hostile.answer(readers[name], hostile.damage(readers[name].good, seed))
            assert kind in ("own", "read"), f"{seed}: {what}"


FILES = (
    "participants.tsv",
    "participants.json",
    "phenotype/hamd17.tsv",
    "features/features.json",
    "features/regions.tsv",
    "features/sub-001_atlas-demo14_stat-pearsoncorrelation_relmat.tsv",
)


@pytest.mark.parametrize("file", FILES)
def test_cohorts_with_pipes_devices_and_bombs_are_refused(file, small_cohort, tmp_path):
    def damage_pipe(path: Path) -> None:
        os.mkfifo(path)

    def damage_device(path: Path) -> None:
        path.symlink_to("/dev/zero")

    def damage_deep(path: Path) -> None:
        path.write_text('{"a":' * 100_000, encoding="utf-8")

    def damage_sparse(path: Path) -> None:
        with path.open("wb") as stream:
            stream.truncate(2**40)

    for damage in (damage_pipe, damage_device, damage_deep, damage_sparse):
        folder = Path(shutil.copytree(small_cohort, tmp_path / damage.__name__))
        (folder / file).unlink()
        damage(folder / file)
        start = time.process_time()
        with pytest.raises(BayesMDDError, match=Path(file).name) as error:
            bm.read_cohort(folder)
            bm.read_features(folder)
        assert time.process_time() - start < 5
        assert len(str(error.value)) < 2000


def test_a_link_to_a_cohort_in_another_place_is_read(small_cohort, tmp_path):
    """As in data sets of DataLad, all files are links."""
    folder = tmp_path / "cohort"
    for path in small_cohort.rglob("*"):
        if path.is_file():
            link = folder / path.relative_to(small_cohort)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    assert bm.read_features(folder).sizes == bm.read_features(small_cohort).sizes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.n_factors=3", "model.n_factors=4"], "more than once"),
        (["model.n_factors=3", "model.n_factors=3"], "more than once"),
        (["model.n_factors=3", " model.n_factors =4"], "more than once"),
        (["model.covariates=" + "[" * 5000], "levels deep"),
        (["model.feature_noise={a: 1, a: 2}"], "repeats the key"),
        (["model.covariates=[a"], "KEY=VALUE"),
    ],
)
def test_settings_are_given_once_and_bounded(words, message):
    with pytest.raises(SpecError, match=message):
        parse_settings(words)


def test_the_command_line_refuses_a_pipe_with_the_status_of_bad_input(
    small_cohort, tmp_path, run_cli
):
    folder = Path(shutil.copytree(small_cohort, tmp_path / "cohort"))
    (folder / "participants.tsv").unlink()
    os.mkfifo(folder / "participants.tsv")
    found = run_cli("validate", folder)
    assert found.status == 2
    assert "named pipe" in found.out + found.err
    os.mkfifo(tmp_path / "spec.yaml")
    found = run_cli("fit", tmp_path / "spec.yaml", small_cohort, "-o", tmp_path / "run")
    assert found.status == 2
    assert "named pipe" in found.err


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + b"\x00" * 500, b"text" * 200])
def test_a_damaged_posterior_is_refused(content, tmp_path):
    (tmp_path / "posterior.nc").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"posterior\.nc"):
        bm.read_run(tmp_path)
    (tmp_path / "posterior.nc").unlink()
    os.mkfifo(tmp_path / "posterior.nc")
    with pytest.raises(RunFolderError):
        bm.read_run(tmp_path)
