"""Which folders and files may be replaced, and which never are."""

import json
import os
import shutil
from pathlib import Path

import pytest

from bayes_mdd.errors import DataContractError, RunFolderError, SpecError, WriteError
from bayes_mdd.files import folders, targets
from bayes_mdd.files.marks import RUN, require_run
from bayes_mdd.files.targets import (
    check_cohort_target,
    check_folder,
    check_page,
    check_projection_target,
    check_run_target,
    check_writable,
)

PROVENANCE = {"fingerprint": "f", "model": "m", "sampler": "s", "inputs_sha256": "i"}


def make_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps(PROVENANCE), encoding="utf-8")
    (folder / "spec.yaml").write_text("kind: shared_specific\n", encoding="utf-8")
    (folder / "posterior.nc").write_bytes(b"draws")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def cohort(folder):
    folder.mkdir()
    (folder / "participants.tsv").write_text("participant_id\n", encoding="utf-8")


def cohort_with_run_files(folder):
    make_run(folder)
    (folder / "participants.tsv").write_text("participant_id\n", encoding="utf-8")


def parent_of_run(folder):
    make_run(folder / "run")


def run_with_notes(folder):
    make_run(folder)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")


def run_with_a_cohort_inside(folder):
    make_run(folder)
    cohort(folder / "cohort")


def run_with_an_image_among_the_maps(folder):
    make_run(folder)
    (folder / "signatures").mkdir()
    (folder / "signatures" / "figure_1.png").write_bytes(b"mine")


def link_to_a_cohort(folder):
    cohort(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def run_with_a_link_to_a_cohort(folder):
    make_run(folder)
    cohort(folder.with_name("elsewhere"))
    (folder / "data").symlink_to(folder.with_name("elsewhere"))


def provenance_of_something_else(folder):
    folder.mkdir()
    (folder / "provenance.json").write_text('{"author": "me"}', encoding="utf-8")


def a_file(folder):
    folder.write_text("mine", encoding="utf-8")


NEVER = [
    cohort,
    cohort_with_run_files,
    parent_of_run,
    run_with_notes,
    run_with_a_cohort_inside,
    run_with_an_image_among_the_maps,
    link_to_a_cohort,
    run_with_a_link_to_a_cohort,
    provenance_of_something_else,
    a_file,
]


@pytest.mark.parametrize("make", NEVER, ids=lambda make: make.__name__)
def test_force_does_not_replace(make, tmp_path):
    make(tmp_path / "folder")
    before = content(tmp_path)
    with pytest.raises(RunFolderError, match="folder"):
        check_run_target(tmp_path / "folder", force=True)
    assert content(tmp_path) == before


def test_the_current_folder_its_parents_and_a_home_are_not_replaced(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    (run / "signatures").mkdir()
    for here in (run, run / "signatures"):
        monkeypatch.chdir(here)
        with pytest.raises(RunFolderError, match="current"):
            check_folder(run, RUN, force=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(run))
    with pytest.raises(RunFolderError, match="home"):
        check_folder(run, RUN, force=True)


def test_runs_are_replaced_also_with_all_that_the_package_adds(tmp_path):
    run = make_run(tmp_path / "run")
    for name in (
        "checks.json",
        "report.html",
        "roles.tsv",
        "permutations.tsv",
        "predictive_blocks.tsv",
        "prior_sensitivity.tsv",
        "smallest_trait.tsv",
        "signatures/signatures.tsv",
        "signatures/factor-F1_stat-mean_relmat.json",
        "projections/new.tsv",
        ".DS_Store",
    ):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("", encoding="utf-8")
    assert RUN.foreign(run) == []
    assert check_run_target(run, force=True) == run
    with pytest.raises(RunFolderError, match="--force"):
        check_folder(run, RUN, force=False)


def test_new_and_empty_folders_need_no_force(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new", "deep/er/new", "x" * 250):
        assert check_run_target(tmp_path / name, force=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty"]


@pytest.mark.parametrize("name", ["x" * 256, "file/run", "dangling", "loop"])
def test_impossible_targets_are_named_before_anything_is_computed(name, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises((RunFolderError, WriteError), match=name[:50]):
        check_run_target(tmp_path / name, force=False)


def test_folders_that_cannot_be_written_are_named(tmp_path, monkeypatch):
    def refuse(*_args, **_named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(WriteError, match="permission denied"):
        check_writable(tmp_path / "run")


def test_mounted_folders_are_not_replaced_as_a_whole(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    monkeypatch.setattr(targets.os.path, "ismount", lambda p: Path(p) == run)
    with pytest.raises(RunFolderError, match="a folder inside it"):
        check_folder(run, RUN, force=True)


def test_what_is_no_run_is_told(tmp_path):
    make_run(tmp_path / "runs" / "one")
    assert require_run(tmp_path / "runs" / "one")
    cohort(tmp_path / "c")
    for path, words in {
        "nowhere": "does not exist",
        "runs/one/posterior.nc": "is a file",
        "runs": "holds the runs one",
        "c": "it is a cohort",
    }.items():
        with pytest.raises(RunFolderError, match=words):
            require_run(tmp_path / path)


def test_reports_do_not_replace_tables(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"must end in \.html"):
        check_page(table, overwrite=True)
    (tmp_path / "page.html").write_text("", encoding="utf-8")
    check_page(tmp_path / "page.html", overwrite=True)
    with pytest.raises(RunFolderError, match="--force"):
        check_page(tmp_path / "page.html", overwrite=False)


def test_projections_replace_projections_only(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\n", encoding="utf-8")
    with pytest.raises(RunFolderError, match="no projection"):
        check_projection_target(tmp_path / "participants.tsv", overwrite=True)
    for name, text in {
        "new.tsv": "",
        "new.json": json.dumps(dict.fromkeys(("estimand", "interval", "columns"), 1)),
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    check_projection_target(tmp_path / "new.tsv", overwrite=True)
    with pytest.raises(RunFolderError, match="--force"):
        check_projection_target(tmp_path / "new.tsv", overwrite=False)


def test_a_simulation_does_not_replace_a_real_cohort(tmp_path):
    cohort(tmp_path / "real")
    with pytest.raises(DataContractError, match="no simulated cohort"):
        check_cohort_target(tmp_path / "real", overwrite=True)


def test_a_folder_is_replaced_in_one_step(tmp_path):
    run = make_run(tmp_path / "run")
    with folders.new_folder(run) as work:
        (work / "new").write_text("new", encoding="utf-8")
        assert (run / "posterior.nc").exists()
    assert [p.name for p in run.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_after_an_error_the_old_folder_is_intact(tmp_path):
    run = make_run(tmp_path / "run")
    before = content(tmp_path)
    with pytest.raises(WriteError, match="disk is full"), folders.new_folder(run) as work:
        (work / "new").write_text("new", encoding="utf-8")
        raise OSError(28, "No space left on device")
    assert content(tmp_path) == before


@pytest.mark.parametrize("ended", [OSError, KeyboardInterrupt])
def test_an_exchange_in_two_steps_that_fails_is_taken_back(ended, tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    before = content(tmp_path)
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    rename = Path.rename

    def fail(self, target):
        if self.name.startswith(folders._NEW):
            raise ended
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises((WriteError, KeyboardInterrupt)), folders.new_folder(run) as work:
        (work / "new").write_text("new", encoding="utf-8")
    assert content(tmp_path) == before


def test_an_exchange_in_two_steps_that_was_killed_is_restored(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    before = content(tmp_path)
    # Killed after the first step.
    run.rename(run.with_name(f"{folders._OLD}{folders.tag_of(run.resolve())}-0"))
    assert check_run_target(run, force=False) == run
    assert content(tmp_path) == before


def test_leftovers_of_killed_processes_are_removed_after_a_day(tmp_path):
    run = tmp_path / "run"
    tag = folders.tag_of(run.resolve())
    old, young = (tmp_path / f"{folders._NEW}{tag}-{i}" for i in ("old", "young"))
    other = tmp_path / f"{folders._NEW}00000000-x"
    for path in (old, young, other):
        path.mkdir()
    for path in (old, other):
        os.utime(path, (0, 0))
    with folders.new_folder(run):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([young.name, other.name, "run"])


def test_a_link_to_a_run_is_kept(tmp_path):
    make_run(tmp_path / "scratch" / "run")
    link = tmp_path / "run"
    link.symlink_to(tmp_path / "scratch" / "run")
    check_run_target(link, force=True)
    with folders.new_folder(link) as work:
        (work / "new").write_text("new", encoding="utf-8")
    assert link.is_symlink()
    assert [p.name for p in (tmp_path / "scratch" / "run").iterdir()] == ["new"]


def test_an_empty_folder_below_one_that_cannot_be_written_is_filled(tmp_path, monkeypatch):
    volume = tmp_path / "volume"
    volume.mkdir()
    mkdir = Path.mkdir

    def refuse(self, *args, **named):
        if self.parent == tmp_path and self.name.startswith(folders._NEW):
            raise PermissionError(13, "Permission denied")
        mkdir(self, *args, **named)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with folders.new_folder(volume) as work:
        (work / "new").write_text("new", encoding="utf-8")
    assert [p.name for p in volume.iterdir()] == ["new"]


def test_folders_have_the_rights_of_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        with folders.new_folder(tmp_path / "private"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700
    shutil.rmtree(tmp_path / "private")
