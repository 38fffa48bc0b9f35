"""The log of a run: one line per record, also of commands that fail or are killed."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.cli import messages
from bayes_mdd.files.marks import LOG, RUN
from bayes_mdd.files.noted import IN_CHECKS, record_warnings, take_warnings
from bayes_mdd.files.run_log import WAITING, RunLog, read_log, waiting_log

log = logging.getLogger("bayes_mdd.test")


@pytest.fixture
def run(tmp_path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    parts = {"model": "a", "sampler": "b", "fingerprint": "c", "inputs_sha256": "d"}
    (folder / "provenance.json").write_text(json.dumps(parts))
    (folder / "posterior.nc").write_bytes(b"")
    return folder


def command(folder: Path, *words: str, new: bool = False, status: int = 0, shown: str = "") -> None:
    """What a command does with its log."""
    with pytest.raises(SystemExit), messages.on_stderr(words):
        messages.set_verbosity(verbose=shown == "-v", quiet=shown == "-q")
        messages.log.info("Reading")
        messages.keep_log(folder, new=new)
        log.info("one line")
        log.debug("a detail")
        raise SystemExit(status)


@pytest.mark.parametrize("shown", ["", "-v", "-q"])
def test_a_command_appends_to_the_log_of_its_run(run, shown, capsys):
    command(run, "check", str(run), shown=shown)
    command(run, "report", str(run))
    entries = list(read_log(run))
    assert [e["command"] for e in entries] == ["check"] * 5 + ["report"] * 5
    assert entries[0]["message"] == f"started: check {run}"
    assert [e["message"] for e in entries[1:5]] == [
        *("Reading", "one line", "a detail", "ended with status 0")
    ]
    keys = {"time", "level", "logger", "command", "process", "seconds", "since_last", "message"}
    assert all(set(e) == keys for e in entries)
    assert entries[2]["logger"] == "bayes_mdd.test" and entries[2]["level"] == "INFO"
    assert entries[4]["seconds"] >= entries[1]["seconds"] >= 0
    # What the terminal shows does not depend on the log.
    said = capsys.readouterr().err
    assert ("one line" in said) == (shown == "-v")
    assert said.count("Reading") == (1 if shown == "-q" else 2)
    assert not RUN.foreign(run)


def test_lines_of_a_new_run_wait_beside_it(run, tmp_path):
    new = tmp_path / "deeper" / "new"
    command(new, "fit", new=True, status=2)
    assert not list(tmp_path.glob(f"**/{WAITING}*"))  # refused input leaves nothing
    new.parent.mkdir()
    command(new, "fit", new=True, status=143)
    assert waiting_log(new).is_file() and not new.exists()
    command(run, "fit", new=True, status=2)  # refused: the log of a run that is there stays, too
    assert not (run / LOG).exists() and not waiting_log(run).exists()
    command(new, "fit", new=True, status=2)  # refused later: the former log stays
    run.rename(new)
    command(new, "fit", new=True)
    entries = list(read_log(new))
    ends = [e["message"] for e in entries if "ended" in e["message"]]
    assert ends == [f"ended with status {n}" for n in (143, 2, 0)]
    assert not list(tmp_path.glob(f"**/{WAITING}*"))


def test_a_half_line_is_ended_and_skipped(run):
    (run / LOG).write_text('{"message": "whole"}\n{"message": "ha')
    command(run, "check")
    entries = list(read_log(run))
    assert [e["message"] for e in entries[:2]] == ["whole", "started: check"]


def test_a_log_that_cannot_be_written_stops_nothing(run, tmp_path, monkeypatch):
    (run / LOG).mkdir()
    command(run, "check")
    assert list(read_log(run)) == []
    command(tmp_path / "no run", "check")
    assert not (tmp_path / "no run").exists()


def test_lines_of_a_killed_process_stay(tmp_path):
    folder = tmp_path / "run"
    code = f"""
        import logging, os, signal
        from pathlib import Path
        from bayes_mdd.files.run_log import RunLog
        handler = RunLog("fit")
        logger = logging.getLogger("bayes_mdd")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        handler.keep(Path({str(folder)!r}), new=True)
        logger.info("before the kill, é")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -9
    lines = waiting_log(folder).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["before the kill, é"]


def test_a_command_over_two_runs_ends_the_first_log(run, tmp_path):
    handler = RunLog("demo")
    handler.keep(run)
    handler.keep(tmp_path / "second", new=True)
    handler.emit(log.makeRecord("bayes_mdd", 20, "f", 1, "second", (), None))
    assert not (run / LOG).exists() and waiting_log(tmp_path / "second").is_file()


def test_warnings_are_recorded_once_and_shown_as_before():
    with warnings.catch_warnings(record=True) as shown, record_warnings():
        warnings.simplefilter("always")
        for _ in range(2):
            np.float64(1.0) / np.float64(0.0)
        warnings.warn("old name", DeprecationWarning, stacklevel=1)
        logging.getLogger("bayes_mdd.sampling").warning("3 divergences in %s", "sub-003")
        log.warning("Quality: motion", extra={IN_CHECKS: True})
        with record_warnings():
            warnings.warn("inner", UserWarning, stacklevel=1)
            found = take_warnings()
        assert take_warnings() == []
    assert {(f["category"], f["message"]) for f in found} == {
        ("RuntimeWarning", "divide by zero encountered in scalar divide"),
        ("warning", "3 divergences in sub-003"),
        ("UserWarning", "inner"),
    }
    assert len(shown) == 4
    assert not logging.getLogger("bayes_mdd").handlers


def test_a_fit_records_its_warnings(monkeypatch, tmp_path):
    from bayes_mdd.results.cohort_facts import list_warnings
    from bayes_mdd.results.result import read_result
    from bayes_mdd.workflow import fit as job

    made = bm.simulate_cohort(seed=2, n_regions=6, n_subjects={"SSRI": 8, "SNRI": 8})
    family = job.family_of("shared_specific")
    kept = {}

    def quick(*_):
        logging.getLogger("bayes_mdd.sampling").warning("sub-003 has 2 divergences")
        warnings.warn("overflow in /srv/someone/a.py", RuntimeWarning, stacklevel=1)
        return make_fake_idata(), {"sampled": "density"}

    monkeypatch.setattr(
        job, "family_of", lambda _: family.__class__(**vars(family) | {"fit": quick})
    )
    monkeypatch.setattr(job, "write_or_keep", lambda idata, *_: kept.update(idata.attrs))
    with pytest.warns(RuntimeWarning, match="overflow"):
        idata = bm.fit(
            bm.SharedSpecificSpec(n_factors=2, symptoms=()),
            bm.reference_to_controls(made.features),
            run_dir=tmp_path / "run",
            progressbar=False,
        )
    noted = json.loads(kept["provenance"])["warnings"]
    assert {"category": "RuntimeWarning", "message": "overflow in /srv/someone/a.py"} in noted
    assert {"category": "warning", "message": "sub-003 has 2 divergences"} in noted
    assert "RuntimeWarning: overflow in /srv/someone/a.py" in list_warnings(read_result(idata))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_log_that_is_no_file_is_not_waited_for(run):
    os.mkfifo(run / LOG)
    assert list(read_log(run)) == []
    (run / LOG).unlink()
    (run / LOG).write_text("[" * 100_000 + '\n{"message": "whole"}\n')
    assert [e["message"] for e in read_log(run)] == ["whole"]
