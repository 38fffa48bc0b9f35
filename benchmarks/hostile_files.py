"""Damaged files: every reader refuses them with an error of the package, or reads them.

    python benchmarks/hostile_files.py                         all readers, 800 files each
    python benchmarks/hostile_files.py --only CIFTI --mutants 50
    python benchmarks/hostile_files.py --write                 and store the counts
    python benchmarks/hostile_files.py --part 1 2 --write      half of the readers, stored likewise

Each file is a good file with random damage (see `hostile_damage.py`), the same in each run, or a
special file (a pipe, a device, a bomb). It is read in a worker process, so that a reader that ends
the process or does not return is counted and the next file is read by a new worker. Counts:

own       refused with an error of the package that names the file or the subject
same      read without an error, with the values of the good file
changed   read without an error, with other values
foreign   refused with the exception of another library
death     the process ended
hang      more than 5 s of processor time
memory    more than 1 GB of memory was taken, or asked for

A file whose damage is inside of its compression is counted as another reader ("repacked"), because
its checksums agree with its content.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from filelock import FileLock
from hostile_damage import SPECIAL, damage, damage_inside
from hostile_digest import digest
from hostile_readers import Reader, readers
from provenance import record

SEED = 20261129
MEMORY = 2**30
SETTINGS = {"seed": SEED, "memory_gb": 1}
#: Processor time of a file that counts as a hang, and after which the worker is ended; time without
#: an answer after which it is ended, too, because a pipe is waited for without processor time.
SECONDS, MOST_SECONDS, PATIENCE = 5, 15, 900
COUNTS = ("own", "same", "changed", "foreign", "death", "hang", "memory")
FAULTS = COUNTS[3:]


def mutant(name: str, reader: Reader, number: int) -> bytes:
    """Make one damaged file of a reader."""
    make = damage_inside if reader.inside else damage
    return make(reader.good, reader.file, f"{SEED} {name} {number}")


class Place:
    """A folder with the good files of a reader, in which one file is damaged again and again."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.folder = Path(tempfile.mkdtemp(prefix="hostile-"))
        self.path = self.folder / reader.file
        reader.prepare(self.folder)
        self.good = ""

    def learn(self) -> tuple[str, str]:
        """Read the good file, and remember what it holds."""
        kind, found = self.answer(self.reader.good)
        if kind == "changed":
            self.good = found
            return "same", found
        return kind, found

    def answer(self, content: bytes | str) -> tuple[str, str]:
        """Read one file and classify the outcome.

        Parameters
        ----------
        content : bytes or str
            Content of the file, or the name of a special file.

        Returns
        -------
        tuple
            Kind of outcome, and the message, the digest of what was read, or the place of the
            fault.
        """
        if self.path.is_dir() and not self.path.is_symlink():
            self.path.rmdir()
        self.path.unlink(missing_ok=True)
        if isinstance(content, str):
            SPECIAL[content](self.path)
        else:
            self.path.write_bytes(content)
        before = _forget_peak()
        start = time.process_time()
        kind, what = _read(self.reader, self.folder, self.good)
        if (trap := self.path.with_name("loaded")).exists():
            trap.rmdir()
            return "foreign", "a pickle was loaded"
        if (used := time.process_time() - start) > SECONDS:
            return "hang", f"{what} after {used:.0f} s"
        if (taken := _peak() - before) > MEMORY:
            return "memory", f"{taken / 2**30:.1f} GB, {what}"
        return kind, what

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)


def _read(reader: Reader, folder: Path, good: str) -> tuple[str, str]:
    try:
        found = reader.read(folder)
    except Exception as error:
        if _ran_out(error):
            return "memory", f"MemoryError at {_place(error)}"
        own = type(error).__module__.startswith("bayes_mdd")
        if own and not str(error).strip():
            return "foreign", f"an empty message at {_place(error)}"
        return (
            ("own", str(error))
            if own
            else ("foreign", f"{type(error).__name__} at {_place(error)}")
        )
    held = digest(found)
    return ("same" if held == good else "changed"), held


def _ran_out(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _place(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)
    ours = next((f for f in reversed(where) if "bayes_mdd/" in f.filename), where[-1])
    return f"{Path(ours.filename).name}:{ours.lineno} ({str(error)[:60]!r})"


def _forget_peak() -> int:
    """Start the peak of memory again (Linux), and say what is held now, in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """Most memory since then, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(s.split()[1]) * 1024 for s in lines if s.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


def serve(link: Connection) -> None:
    """Read files until the other end closes."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stderr = Path("/dev/null").open("w")  # noqa: SIM115  nibabel reports what it repairs
    known = readers()
    name, place = "", None
    while True:
        try:
            asked, content = link.recv()
        except EOFError:
            break
        if place is None or asked != name:
            if place is not None:
                place.remove()
            name, place = asked, Place(known[asked])
            # The good file first, so that what is imported and compiled is not counted.
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            kind, found = place.learn()
            if kind != "same":
                link.send(("refused", found))
                name = ""
                continue
            _limit_memory()
        link.send(place.answer(content))
    if place is not None:
        place.remove()


def _limit_memory() -> None:
    """Refuse more memory than the limit above what the libraries hold."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, resource.RLIM_INFINITY))


class Worker:
    """A process that reads files, replaced when it ends or does not answer."""

    def __init__(self) -> None:
        self.link: Connection | None = None
        self.name = ""

    def ask(self, name: str, content: bytes | str) -> tuple[str, str]:
        if self.link is None:
            self.link, other = multiprocessing.Pipe()
            context = multiprocessing.get_context("spawn")
            self.process = context.Process(target=serve, args=(other,), daemon=True)
            self.process.start()
            other.close()
        self.new, self.name = name != self.name, name
        self.link.send((name, content))
        try:
            found = self.link.recv() if self._wait() else ("hang", "no answer")
        except EOFError:
            found = ("death", "")
        if found[0] == "death" or found[1] == "no answer":
            self.close()
            found = (found[0], f"exit status {self.process.exitcode}")
        return found

    def _wait(self) -> bool:
        """Wait for an answer as long as the reader may take."""
        assert self.link is not None
        start, begun = self._seconds(), time.monotonic()
        # A worker that is new to a reader first imports and compiles.
        while not self.link.poll(1):
            used = self._seconds() - start
            if used > MOST_SECONDS * (10 if self.new else 1) or time.monotonic() - begun > PATIENCE:
                return False
        return True

    def _seconds(self) -> float:
        """Processor time of the worker."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        if self.link is not None:
            self.process.kill()
            self.process.join()
            self.link.close()
            self.link, self.name = None, ""


@dataclass
class Outcomes:
    """Outcomes of one reader: of damaged files, of special files, and the faults of both."""

    damaged: Counter[str] = field(default_factory=Counter)
    special: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def count(name: str, reader: Reader, mutants: int, worker: Worker) -> Outcomes:
    """Count the outcomes of one reader, and list those that are faults."""
    found = Outcomes()
    if (first := worker.ask(name, reader.good))[0] != "same":
        raise SystemExit(f"{name}: the good file is not read: {first}")
    for i in range(mutants):
        kind, what = worker.ask(name, mutant(name, reader, i))
        found.damaged[kind] += 1
        if kind in FAULTS:
            found.faults[f"{kind}: {what} [{i}]"] += 1
    for special in () if reader.inside else SPECIAL:
        kind, what = worker.ask(name, special)
        found.special[kind] += 1
        if kind in FAULTS:
            found.faults[f"{kind}: {special}: {what}"] += 1
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", nargs="*", help="names of readers")
    options.add_argument("--mutants", type=int, help="number of damaged files per reader")
    options.add_argument("--part", type=int, nargs=2, metavar=("I", "N"), help="part I of N")
    options.add_argument("--write", action="store_true", help="store the counts in results/")
    given = options.parse_args()
    worker = Worker()
    faulty = False
    known = readers()
    names = [n for n in known if not given.only or any(part in n for part in given.only)]
    if given.part:
        names = names[given.part[0] - 1 :: given.part[1]]
    print(f"{'reader':30}" + "".join(f"{c:>8}" for c in (*COUNTS, "special")), flush=True)
    for name in names:
        found = count(name, known[name], given.mutants or known[name].mutants, worker)
        special = f"{found.special['own']}/{found.special.total()}"
        counts = "".join(f"{found.damaged[c]:8d}" for c in COUNTS)
        print(f"{name:30}{counts}{special:>8}", flush=True)
        for fault, n in sorted(found.faults.items()):
            print(f"    {n:4d} {fault}", flush=True)
        faulty |= bool(found.faults)
        if given.write:
            store(name, found)
    worker.close()
    if faulty:
        sys.exit(1)


def store(name: str, found: Outcomes) -> None:
    """Store the counts of one reader beside those of the others."""
    target = Path(__file__).parent / "results" / "hostile_files.json"
    with FileLock(f"{target}.lock"):
        known = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
        rows = known.get("readers", {}) if known.get("settings") == SETTINGS else {}
        rows[name] = {
            "damaged": {c: found.damaged[c] for c in COUNTS},
            "special": {c: found.special[c] for c in COUNTS},
        }
        ordered = {name: rows[name] for name in readers() if name in rows}
        text = json.dumps({"settings": SETTINGS, "readers": ordered}, indent=2)
        target.write_text(text + "\n", encoding="utf-8")
        record(target)
    Path(f"{target}.lock").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
