"""Parts of unfinished work stay until what is made of them is written."""

import logging
import os
from contextlib import nullcontext

import pytest

from bayes_mdd.cli.comparison import check_comparison_target
from bayes_mdd.errors import RunFolderError
from bayes_mdd.files.noted import record_warnings, take_warnings
from bayes_mdd.files.unfinished import (
    UNFINISHED,
    forget_unfinished,
    is_unfinished,
    kept_until_written,
    unfinished,
)


def make_part(target):
    with unfinished(target, {}, noun="parts") as folder:
        (folder / "part-1").write_text("done", encoding="utf-8")


def hidden(folder):
    return [p for p in folder.iterdir() if p.name.startswith(UNFINISHED)]


def stop(target):
    with pytest.raises(KeyboardInterrupt), unfinished(target, {}, noun="parts") as folder:
        (folder / "part-1").write_text("done", encoding="utf-8")
        raise KeyboardInterrupt


def test_parts_stay_until_the_tables_are_written(tmp_path):
    with kept_until_written():
        make_part(tmp_path / "a")
        make_part(tmp_path / "b")
        assert len(hidden(tmp_path)) == 2
        with pytest.raises(RunFolderError, match="another process"):
            make_part(tmp_path / "a")
    assert not hidden(tmp_path)


def test_parts_stay_if_the_tables_cannot_be_written(tmp_path, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(OSError), kept_until_written():
        make_part(tmp_path / "a")
        raise OSError(28, "No space left on device")
    assert "1 complete parts" in caplog.text
    assert is_unfinished(tmp_path / "a")
    make_part(tmp_path / "a")
    assert not hidden(tmp_path)


def test_folders_made_for_parts_are_removed_after_an_error_without_parts(tmp_path):
    (tmp_path / "there").mkdir()
    for block in (nullcontext, kept_until_written):
        with (
            pytest.raises(ValueError),
            block(),
            unfinished(tmp_path / "there" / "new" / "er" / "a", {}, noun="parts") as folder,
        ):
            assert folder.is_dir()
            raise ValueError
        assert not list((tmp_path / "there").iterdir())
    with pytest.raises(ValueError), unfinished(tmp_path / "new" / "a", {}, noun="parts"):
        (tmp_path / "new" / "mine.txt").write_text("mine", encoding="utf-8")
        raise ValueError
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["mine.txt"]
    stop(tmp_path / "newer" / "a")
    assert is_unfinished(tmp_path / "newer" / "a")


def test_outside_of_the_block_parts_are_removed_at_once(tmp_path):
    with kept_until_written():
        pass
    make_part(tmp_path / "a")
    assert not hidden(tmp_path)


def test_parts_of_a_complete_target_are_forgotten_unless_they_are_in_use(tmp_path):
    stop(tmp_path / "a")
    forget_unfinished(tmp_path / "a")
    assert not hidden(tmp_path)
    forget_unfinished(tmp_path / "a")
    with unfinished(tmp_path / "a", {}, noun="parts") as folder:
        (folder / "part-1").write_text("done", encoding="utf-8")
        forget_unfinished(tmp_path / "a")
        assert (folder / "part-1").exists()


def test_a_folder_among_the_parts_of_other_work_is_removed(tmp_path):
    stop(tmp_path / "a")
    (hidden(tmp_path)[0] / "something").mkdir()
    with unfinished(tmp_path / "a", {"other": 1}, noun="parts") as folder:
        assert not (folder / "part-1").exists()
        assert not (folder / "something").exists()


def test_a_comparison_that_was_stopped_while_it_was_written_is_continued(tmp_path):
    target = tmp_path / "compared"
    target.mkdir()
    (target / "compare_features.tsv").write_text("", encoding="utf-8")
    with pytest.raises(RunFolderError, match="already holds"):
        check_comparison_target(target, force=False)
    stop(target)
    check_comparison_target(target, force=False)


def test_that_a_command_continues_is_no_warning_about_its_result(tmp_path):
    stop(tmp_path / "a")
    with record_warnings():
        make_part(tmp_path / "a")
        logging.getLogger("bayes_mdd.response").warning("few patients")
        assert [w["message"] for w in take_warnings()] == ["few patients"]


@pytest.mark.skipif(os.name != "posix", reason="the owner is not named elsewhere")
def test_the_owner_is_named(tmp_path):
    with (
        unfinished(tmp_path / "a", {}, noun="parts"),
        pytest.raises(RunFolderError, match=f"process {os.getpid()} on"),
    ):
        make_part(tmp_path / "a")
