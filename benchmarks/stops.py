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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenance import RESULTS, record
from stops_content import compare, content, unfinished
from stops_jobs import JOBS, Job, import_all, make_inputs

from bayes_mdd.cli.app import main as command_line

SEED = 20261130


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


def undisturbed(job: Job, folder: Path) -> tuple[dict[str, str], int, float]:
    """Run a command to its end."""
    work = folder / job.name / "work"
    fresh(job, work)
    began = time.monotonic()
    process = start(job, work, folder / f"{job.name}.log")
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return content(work), status, time.monotonic() - began


def kill_once(
    job: Job, folder: Path, reference: tuple[dict[str, str], int, float], share: float
) -> Trial | None:
    """Kill a command and repeat it; None where it ended before."""
    work, log = folder / job.name / "work", folder / f"{job.name}.log"
    fresh(job, work)
    before = content(work)
    wanted, status, seconds = reference
    trial = Trial(share)
    first = start(job, work, log)
    time.sleep(share * seconds)
    ended, _ = os.waitpid(first, os.WNOHANG)
    if ended:
        return None
    os.killpg(first, signal.SIGKILL)
    os.waitpid(first, 0)
    after = content(work)
    trial.faults += unfinished(after, [wanted, before], "after the kill")
    trial.continued = any("/part-" in name for name in after)
    second = start(job, work, log)
    found = os.waitstatus_to_exitcode(os.waitpid(second, 0)[1])
    if found != status and not (found == 2 and after == wanted):
        trial.faults.append(f"status {found} instead of {status}")
    trial.faults += compare(work, wanted, [first, second])
    return trial


def fill_once(
    job: Job, folder: Path, reference: tuple[dict[str, str], int, float], share: float
) -> Trial:
    """Run a command with a limit of the size of files, and repeat it without."""
    work, log = folder / job.name / "work", folder / f"{job.name}.log"
    wanted, status, _ = reference
    largest = max(p.stat().st_size for p in work.rglob("*") if p.is_file())
    fresh(job, work)
    before = content(work)
    trial = Trial(share)
    # Messages go through a pipe, which has no size.
    own = folder / f"{job.name}.full.log"
    own.unlink(missing_ok=True)
    os.mkfifo(own)
    reader = os.open(own, os.O_RDONLY | os.O_NONBLOCK)
    first = start(job, work, own, int(share**3 * largest))
    said, found = drain(reader, first)
    own.unlink()
    with log.open("a", encoding="utf-8") as file:
        file.write(said)
    errors = [line for line in said.splitlines() if line.startswith("Error:")]
    if (found, len(errors)) not in ((2, 1), (status, 0)):
        trial.faults.append(f"status {found}, {len(errors)} errors: {said[-500:]}")
    trial.faults += unfinished(content(work), [wanted, before], "on a full disk")
    second = start(job, work, log)
    again = os.waitstatus_to_exitcode(os.waitpid(second, 0)[1])
    if again != status and not (again == 2 and found == status):
        trial.faults.append(f"status {again} instead of {status}")
    trial.faults += compare(work, wanted, [first, second])
    return trial


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


def study(job: Job, folder: Path, kills: int, *, full: bool) -> dict[str, Any]:
    """Kill a command at random moments, or run it on a full disk."""
    rng = random.Random(f"{SEED} {job.name}")
    reference = undisturbed(job, folder)
    repeated = undisturbed(job, folder)
    unstable = [n for n, v in reference[0].items() if repeated[0].get(n) != v]
    if unstable:
        print(f"{job.name}: two undisturbed runs differ in {unstable}", flush=True)
    trials: list[Trial] = []
    early = 0
    while len(trials) < kills:
        attempt = fill_once if full else kill_once
        trial = attempt(job, folder, reference, rng.random())
        if trial is None:
            early += 1
            continue
        trials.append(trial)
        print(
            f"{job.name} {len(trials)} at {trial.share:.2f}: {trial.faults or 'same'}", flush=True
        )
    return {
        "kills": kills,
        "same": sum(not t.faults for t in trials),
        "continued": sum(t.continued for t in trials),
        "half_written": sum(any("half" in f for f in t.faults) for t in trials),
        "leftovers": sum(any(f.startswith("left") for f in t.faults) for t in trials),
        "files": len(reference[0]),
        "shares": [round(t.share, 3) for t in trials],
        "faults": sorted({f for t in trials for f in t.faults}),
    }


def main() -> None:
    """Run the studies that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[j.name for j in JOBS])
    parser.add_argument("--kills", type=int, help="of each command; default those of the study")
    parser.add_argument("--folder", type=Path, help="where to work; default a temporary folder")
    parser.add_argument("--full", action="store_true", help="limit the size of files instead")
    parser.add_argument("--write", action="store_true", help="store the counts")
    asked = parser.parse_args()
    folder = (asked.folder or Path(tempfile.mkdtemp(prefix="stops-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    import_all()
    make_inputs(folder / "inputs")
    target = RESULTS / "stops.json"
    for job in JOBS:
        if asked.only and job.name not in asked.only:
            continue
        found = study(job, folder, asked.kills or job.kills, full=asked.full)
        print(json.dumps({job.name: found}), flush=True)
        if asked.write:
            known = json.loads(target.read_text()) if target.exists() else {"commands": {}}
            known["settings"] = {"seed": SEED, "signal": "SIGKILL to the process group"}
            part = known.setdefault("full" if asked.full else "commands", {})
            part[job.name] = {"command": " ".join(job.command), **found}
            target.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
            record(target)


if __name__ == "__main__":
    main()
