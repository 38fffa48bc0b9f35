"""Temporary files of killed processes are removed, those of living ones are not."""

import os
import subprocess
import sys

import pytest

from bayes_mdd.files import folders, temporary
from bayes_mdd.files.replace import write_text
from bayes_mdd.files.targets import check_writable
from bayes_mdd.files.temporary import PART, remove_leftovers, temporary_name
from bayes_mdd.parallel.shared import PREFIX, remove_shared

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are not seen elsewhere")


@pytest.fixture(scope="module")
def killed():
    """The number of a process that was killed."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.kill()
    process.wait()
    return process.pid


@pytest.fixture
def name(killed, monkeypatch):
    """Names as the killed process, or process 1 of this machine, or another machine makes them."""

    def make(prefix, suffix="", of="killed"):
        with monkeypatch.context() as patch:
            if of != "this":
                patch.setattr(os, "getpid", lambda: 1 if of == "living" else killed)
            if of == "elsewhere":
                patch.setattr(temporary, "_machine", lambda: "0" * 8)
            return temporary_name(prefix, suffix)

    return make


def fill(folder, *names):
    for each in names:
        (folder / each).mkdir()
        (folder / each / "content").write_text("half", encoding="utf-8")


def test_what_a_killed_process_left_is_removed_at_once(tmp_path, name):
    kept = [name(PART, ".nc", of) for of in ("this", "living", "elsewhere")]
    mine = [".part-of-somebody", ".part-1.nc", "notes.txt"]
    for each in [*kept, *mine, name(PART, ".nc")]:
        (tmp_path / each).write_text("half", encoding="utf-8")
    fill(tmp_path, name(PART))
    remove_leftovers(tmp_path, PART)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*kept, *mine])


def test_what_another_machine_left_is_removed_after_a_day(tmp_path, name):
    path = tmp_path / name(PART, ".nc", "elsewhere")
    path.write_text("half", encoding="utf-8")
    remove_leftovers(tmp_path, PART)
    assert path.exists()
    os.utime(path, (0, 0))
    remove_leftovers(tmp_path, PART)
    assert not path.exists()


@pytest.mark.parametrize("write", [lambda p: write_text(p, "new"), check_writable])
def test_the_next_writer_removes_leftovers(tmp_path, name, write):
    (tmp_path / name(PART, ".tsv")).write_text("half", encoding="utf-8")
    (tmp_path / "table.tsv").write_text("old", encoding="utf-8")
    write(tmp_path / "table.tsv")
    assert [p.name for p in tmp_path.iterdir()] == ["table.tsv"]


def test_unfinished_folders_are_removed_beside_the_target_and_in_it(tmp_path, name):
    run = tmp_path / "run"
    run.mkdir()
    prefix = f"{folders._NEW}{folders.tag_of(run.resolve())}-"
    living = name(prefix, of="living")
    for place in (tmp_path, run):
        fill(place, name(prefix))
    fill(tmp_path, living)
    folders.restore_folder(run)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["run", living])
    assert not list(run.iterdir())


@pytest.mark.parametrize("of", ["killed", "elsewhere", "living"])
def test_an_old_folder_returns_unless_its_exchange_is_under_way(tmp_path, name, of):
    run = tmp_path / "run"
    fill(tmp_path, name(f"{folders._OLD}{folders.tag_of(run.resolve())}-", of=of))
    folders.restore_folder(run)
    assert run.exists() == (of != "living")


def test_shared_memory_of_killed_processes_is_removed(tmp_path, name, killed):
    living, left = name(PREFIX, of="living"), name(PREFIX)
    fill(tmp_path, living, left, "joblib_memmapping_folder_1_x")
    for semaphore in (f"sem.loky-{killed}-a", "sem.loky-1-b"):
        (tmp_path / semaphore).write_bytes(b"")
    remove_shared(tmp_path, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [living, "joblib_memmapping_folder_1_x", "sem.loky-1-b"]
    )
