"""Commands that are killed and repeated: results are those of an undisturbed run, nothing is left.

    python benchmarks/stops.py                          all commands, about an hour on one core
    python benchmarks/stops.py --only fit --kills 3
    python benchmarks/stops.py --write                  and store the counts
    python benchmarks/stops.py --full                   files above a random size cannot be written

Each command runs undisturbed first. Then, in a fresh folder, its process group is ended by SIGKILL
at a moment that is drawn uniformly over the duration of the undisturbed run, and the command is
repeated. A trial passes if

1. after the kill, every file under a final name is complete: it is that of the undisturbed run, or
   the one that was there before;
2. the repetition ends with the status of the undisturbed run (or, where the killed command was
   complete already, is refused because the output exists);
3. all files are those of the undisturbed run: draws and tables to the last bit, other files except
   for times and durations;
4. nothing else is left beside them: no hidden folder, no temporary file, nothing in the folder for
   temporary files, no shared memory of the killed processes.

With ``--full``, the command is not killed: the system refuses to let any file grow beyond a size
that is drawn between 0 and that of the largest file, as a full disk or a quota would. It must end
with status 2 and one error, with what was there before intact, and continue as above when it is
repeated without the limit.

Commands are processes of their own, forked from one that has imported the package, so that kills
fall on the work and not on imports.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock
from provenance import RESULTS, record
from stops_content import compare, content, unfinished
from stops_jobs import JOBS, Job, import_all, make_inputs

from bayes_mdd.cli.app import main as command_line

SEED = 20261130


@dataclass
class Reference:
    """An undisturbed run: content of all files, exit status, seconds, size of the largest file."""

    files: dict[str, str]
    status: int
    seconds: float
    largest: int


@dataclass
class Trial:
    """What became of one kill."""

    share: float
    faults: list[str] = field(default_factory=list)
    continued: bool = False


def start(job: Job, work: Path, log: Path, limit: int | None = None) -> int:
    """Start the command as a process group of its own, with a limit of the size of files."""
    process = os.fork()
    if process:
        return process
    # From here on this is the command; SystemExit ends it as it ends any process.
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    os.environ["TMPDIR"] = str(work.parent / "tmp")
    tempfile.tempdir = None
    os.chdir(work)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    sys.argv = ["bayes-mdd", *job.command]
    command_line()
    return 0


def fresh(job: Job, work: Path) -> None:
    """Empty the working folder, and put there what the command finds."""
    for folder in (work, work.parent / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name in job.found:
        shutil.copytree(work.parent.parent / "inputs" / name, work / name)


def undisturbed(job: Job, work: Path, log: Path) -> Reference:
    """Run a command to its end."""
    fresh(job, work)
    began = time.monotonic()
    process = start(job, work, log)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    sizes = [p.stat().st_size for p in work.rglob("*") if p.is_file()]
    return Reference(content(work), status, time.monotonic() - began, max(sizes, default=0))


def kill_once(job: Job, work: Path, log: Path, reference: Reference, share: float) -> Trial | None:
    """Kill a command and repeat it; None where it ended before."""
    fresh(job, work)
    allowed = [reference.files, content(work)]
    trial = Trial(share)
    first = start(job, work, log)
    time.sleep(share * reference.seconds)
    ended, _ = os.waitpid(first, os.WNOHANG)
    if ended:
        return None
    os.killpg(first, signal.SIGKILL)
    os.waitpid(first, 0)
    after = content(work)
    trial.faults += unfinished(after, allowed, "after the kill")
    trial.continued = any("/part-" in name for name in after)
    repeat(job, work, log, reference, trial, first, complete=after == reference.files)
    return trial


def fill_once(job: Job, work: Path, log: Path, reference: Reference, share: float) -> Trial:
    """Run a command with a limit of the size of files, and repeat it without."""
    fresh(job, work)
    allowed = [reference.files, content(work)]
    trial = Trial(share)
    # Messages go through a pipe, which has no size.
    pipe = log.with_suffix(".pipe")
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    first = start(job, work, pipe, int(share**3 * reference.largest))
    said, found = drain(reader, first)
    pipe.unlink()
    with log.open("a", encoding="utf-8") as file:
        file.write(said)
    errors = [line for line in said.splitlines() if line.startswith("Error:")]
    if (found, len(errors)) not in ((2, 1), (reference.status, 0)):
        trial.faults.append(f"status {found}, {len(errors)} errors: {said[-500:]}")
    trial.faults += unfinished(content(work), allowed, "on a full disk")
    trial.continued = found == 2
    repeat(job, work, log, reference, trial, first, complete=found == reference.status)
    return trial


def repeat(
    job: Job,
    work: Path,
    log: Path,
    reference: Reference,
    trial: Trial,
    first: int,
    *,
    complete: bool,
) -> None:
    """Repeat a command, and note what is not as after the undisturbed run."""
    second = start(job, work, log)
    status = os.waitstatus_to_exitcode(os.waitpid(second, 0)[1])
    if status != reference.status and not (status == 2 and complete):
        trial.faults.append(f"status {status} instead of {reference.status}")
    trial.faults += compare(work, reference.files, [first, second])


def drain(reader: int, process: int) -> tuple[str, int]:
    """Collect what a process says until it ends."""
    parts = []
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        try:
            while part := os.read(reader, 65536):
                parts.append(part)
        except BlockingIOError:
            pass
        if ended:
            os.close(reader)
            return b"".join(parts).decode(errors="replace"), os.waitstatus_to_exitcode(status)
        time.sleep(0.1)


def attempt(job: Job, folder: Path, number: int, *, full: bool) -> None:
    """Make one trial, and store it."""
    name = f"{job.name}-{number}"
    work, log = folder / name / "work", folder / f"{name}.log"
    rng = random.Random(f"{SEED} {name}")
    reference = Reference(**json.loads((folder / f"{job.name}.json").read_text()))
    trial = None
    while trial is None:
        trial = (fill_once if full else kill_once)(job, work, log, reference, rng.random())
    print(f"{name} at {trial.share:.2f}: {trial.faults or 'same'}", flush=True)
    stored(folder, job, number, full).write_text(json.dumps(asdict(trial)), encoding="utf-8")


def stored(folder: Path, job: Job, number: int, full: bool) -> Path:
    """Name the file of a trial."""
    return folder / f"{job.name}-{number}{'-full' if full else ''}.json"


def study(job: Job, folder: Path, kills: int, at_once: int, *, full: bool) -> None:
    """Make the trials of a command that are not stored yet, each in a process of its own."""
    known = folder / f"{job.name}.json"
    if not known.exists():
        work, log = folder / job.name / "work", folder / f"{job.name}.log"
        found, again = (undisturbed(job, work, log) for _ in range(2))
        if differ := [n for n, v in found.files.items() if again.files.get(n) != v]:
            print(f"{job.name}: two undisturbed runs differ in {differ}", flush=True)
        known.write_text(json.dumps(asdict(again)), encoding="utf-8")
    waiting = [k for k in range(kills) if not stored(folder, job, k, full).exists()]
    running: set[int] = set()
    while waiting or running:
        while waiting and len(running) < at_once:
            number = waiting.pop(0)
            process = os.fork()
            if not process:
                attempt(job, folder, number, full=full)
                os._exit(0)
            running.add(process)
        running.discard(os.wait()[0])


def summarise(job: Job, folder: Path, kills: int, *, full: bool) -> dict[str, Any]:
    """Count what became of the trials."""
    files = [stored(folder, job, k, full) for k in range(kills)]
    trials = [Trial(**json.loads(f.read_text())) for f in files if f.exists()]
    return {
        "command": " ".join(job.command),
        "kills": len(trials),
        "same": sum(not t.faults for t in trials),
        "continued": sum(t.continued for t in trials),
        "half_written": sum(any("half" in f for f in t.faults) for t in trials),
        "leftovers": sum(any(f.startswith("left") for f in t.faults) for t in trials),
        "shares": sorted(round(t.share, 3) for t in trials),
        "faults": sorted({f for t in trials for f in t.faults}),
    }


def main() -> None:
    """Run the studies that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[j.name for j in JOBS])
    parser.add_argument("--kills", type=int, help="of each command; default those of the study")
    parser.add_argument("--folder", type=Path, help="where to work; default a temporary folder")
    parser.add_argument("--at-once", type=int, default=1, help="trials at once")
    parser.add_argument("--full", action="store_true", help="limit the size of files instead")
    parser.add_argument("--write", action="store_true", help="store the counts")
    asked = parser.parse_args()
    folder = (asked.folder or Path(tempfile.mkdtemp(prefix="stops-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # Two studies in one folder would disturb each other.
    FileLock(folder / "lock", timeout=0).acquire()
    import_all()
    make_inputs(folder / "inputs")
    for job in JOBS:
        if asked.only and job.name not in asked.only:
            continue
        kills = asked.kills or job.kills
        study(job, folder, kills, asked.at_once, full=asked.full)
        found = summarise(job, folder, kills, full=asked.full)
        print(json.dumps({job.name: found}), flush=True)
        if asked.write:
            write(job, found, full=asked.full)


def write(job: Job, found: Mapping[str, Any], *, full: bool) -> None:
    """Store the counts of a command beside those of the others."""
    target = RESULTS / "stops.json"
    known = json.loads(target.read_text()) if target.exists() else {"killed": {}, "full": {}}
    known["settings"] = {"seed": SEED}
    known["full" if full else "killed"][job.name] = found
    target.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    record(target)


if __name__ == "__main__":
    main()
