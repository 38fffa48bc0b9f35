"""A disk that is full or cannot be written: one message, status 2, and what was there is intact."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import bayes_mdd as bm
from bayes_mdd.cli.app import main
from bayes_mdd.files import targets
from bayes_mdd.simulate import write_sources

resource = pytest.importorskip("resource")
CODES = [(errno.ENOSPC, "full"), (errno.EDQUOT, "quota"), (errno.EROFS, "read-only")]
FAST = ("--fast", "--set", "model.n_factors=1")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Folders that are not read, because the target is tested first."""
    here = tmp_path_factory.mktemp("named")
    for name in ("cohort", "trial", "tool", "run"):
        (here / name).mkdir()
        (here / name / "participants.tsv").write_text("participant_id\n", encoding="utf-8")
    (here / "run" / "posterior.nc").write_bytes(b"old")
    return here


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cohort, a run, a trial and matrices."""
    here = tmp_path_factory.mktemp("disk")
    cohort = bm.simulate_cohort(seed=1, n_regions=8, source="edges")
    bm.write_cohort(cohort, here / "cohort")
    trial = bm.simulate_trial(seed=1, n=40, whole_points=True, features=True, n_controls=12)
    bm.write_trial(trial, here / "trial")
    write_sources(bm.simulate_cohort(seed=1, n_regions=8), here / "tool", "xcpd")
    bm.fit(
        bm.SharedSpecificSpec(n_factors=1),
        bm.reference_to_controls(cohort.features),
        method="fast",
        run_dir=here / "run",
        progressbar=False,
    )
    (here / "run" / "report.html").write_text("<p>old</p>", encoding="utf-8")
    return here


def commands(here, new):
    """Words of each command that writes; `new` is where new folders go."""
    run, cohort = str(here / "run"), str(here / "cohort")
    return {
        "fit": ["fit", "shared_specific", cohort, "-o", f"{new}/fitted", *FAST],
        "check": ["check", run],
        "compare": ["compare", "shared_specific", cohort, "-o", f"{new}/compared"],
        "features": ["features", str(here / "tool"), "-o", f"{new}/converted"],
        "response": [
            *("response", "treatment_response", str(here / "trial"), "-o", f"{new}/answered"),
            *("--fast", "--set", "stage_one.model.n_factors=1"),
        ],
        "report": ["report", run],
        "export": ["export", run, "-f", "tables", "-o", f"{new}/exported"],
        "signatures": ["signatures", run, "-o", f"{new}/maps"],
        "simulate": ["simulate", "-o", f"{new}/simulated"],
    }


def content(here: Path) -> dict[str, bytes]:
    files = [p for p in here.rglob("*") if p.is_file() and p.name != "log.jsonl"]
    return {str(p.relative_to(here)): p.read_bytes() for p in files}


def errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("Error:")]


EARLY = ("fit", "compare", "features", "response", "report", "export", "signatures", "simulate")


@pytest.mark.parametrize("name", EARLY)
@pytest.mark.parametrize(("code", "words"), CODES)
def test_a_folder_that_cannot_be_written_is_found_first(
    name, code, words, named, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(targets, "_can_write", lambda _: OSError(code, os.strerror(code)))
    before = content(named)
    with pytest.raises(SystemExit) as left:
        main(commands(named, tmp_path)[name])
    (line,) = errors(capsys.readouterr().err)
    assert left.value.code == 2
    assert words in line
    assert content(named) == before
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 3_000, 60_000])
@pytest.mark.parametrize("name", [*EARLY, "check"])
def test_files_that_cannot_grow(name, limit, folder, tmp_path):
    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    before = content(folder)
    work = tmp_path / "tmp"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bayes_mdd", *commands(folder, tmp_path)[name]],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(work)},
    )
    if done.returncode in (0, 1):  # all files are smaller
        assert limit
        return
    assert done.returncode == 2, done.stderr
    assert len(errors(done.stderr)) == 1, done.stderr
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith((".part-", ".bayes-mdd-new-"))]
    assert not list(work.iterdir())
    now = content(folder)
    assert before.keys() <= now.keys()
    for path in now:
        if path.endswith(".json"):
            json.loads(now[path])
