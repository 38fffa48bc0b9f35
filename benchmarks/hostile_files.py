"""Damaged files: every reader refuses them with an error of the package, or reads them.

    python benchmarks/hostile_files.py                         all readers, 800 files each
    python benchmarks/hostile_files.py --only CIFTI --mutants 50
    python benchmarks/hostile_files.py --write                 and store the counts

Each file is a good file with random damage (bits, bytes, numbers at their limits, parts removed,
repeated or moved), the same in each run. It is read in a worker process, so that a reader that ends
the process or does not return is counted and the next file is read by a new worker. Counts:

own       refused with an error of the package that names the file or the subject
read      read without an error
foreign   refused with the exception of another library
death     the process ended
hang      more than 5 s of processor time, or no answer within 60 s
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from hostile_readers import Reader, readers
from provenance import record

SEED = 20261129
MEMORY = 6 * 2**30
SECONDS, PATIENCE = 5, 60
COUNTS = ("own", "read", "foreign", "death", "hang")


def damage(good: bytes, seed: str) -> bytes:
    """Damage a file in one to three places."""
    rng = random.Random(seed)
    raw = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(max(len(raw), 1))
        rng.choice(KINDS)(raw, at, rng)
    return bytes(raw)


def _bit(raw: bytearray, at: int, rng: random.Random) -> None:
    raw[at : at + 1] = bytes(b ^ 1 << rng.randrange(8) for b in raw[at : at + 1])


def _byte(raw: bytearray, at: int, rng: random.Random) -> None:
    raw[at : at + 1] = bytes([rng.choice((0, 255, 9, 10, 34, 44, 91, 123, rng.randrange(256)))])


def _number(raw: bytearray, at: int, rng: random.Random) -> None:
    value = rng.choice((0, 1, -1, 2**31 - 1, -(2**31), 2**16, rng.randrange(2**31)))
    at -= at % 4
    raw[at : at + 4] = struct.pack(rng.choice(("<i", ">i")), value)


def _cut(raw: bytearray, at: int, rng: random.Random) -> None:
    del raw[at:]


def _remove(raw: bytearray, at: int, rng: random.Random) -> None:
    del raw[at : at + rng.randrange(1, 40)]


def _repeat(raw: bytearray, at: int, rng: random.Random) -> None:
    raw[at:at] = raw[at : at + rng.randrange(1, 80)] * rng.choice((1, 1, 50))


def _move(raw: bytearray, at: int, rng: random.Random) -> None:
    start = rng.randrange(max(len(raw), 1))
    raw[at:at] = raw[start : start + rng.randrange(1, 80)]


def _noise(raw: bytearray, at: int, rng: random.Random) -> None:
    length = rng.randrange(1, 30)
    raw[at : at + length] = rng.randbytes(length)


KINDS = (_bit, _bit, _byte, _byte, _number, _number, _cut, _remove, _repeat, _move, _noise)


def answer(reader: Reader, content: bytes) -> tuple[str, str]:
    """Read one file and classify the outcome."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reader.prepare(folder)
        (folder / reader.file).write_bytes(content)
        start = time.process_time()
        try:
            reader.read(folder)
        except Exception as error:
            own = type(error).__module__.startswith("bayes_mdd")
            where = traceback.extract_tb(error.__traceback__)
            ours = next((f for f in reversed(where) if "bayes_mdd" in f.filename), where[-1])
            kind = "own" if own else "foreign"
            what = f"{type(error).__name__} at {Path(ours.filename).name}:{ours.lineno}"
            what = str(error) if own else what
        else:
            kind, what = "read", ""
        if time.process_time() - start > SECONDS:
            kind = "hang"
        return kind, what


def serve(link: Connection) -> None:
    """Read files until the other end closes."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stderr = Path("/dev/null").open("w")  # noqa: SIM115  nibabel reports what it repairs
    known = readers()
    while True:
        try:
            name, content = link.recv()
        except EOFError:
            return
        link.send(answer(known[name], content))


class Worker:
    """A process that reads files, replaced when it ends or does not answer."""

    def __init__(self) -> None:
        self.link: Connection | None = None

    def ask(self, name: str, content: bytes) -> tuple[str, str]:
        if self.link is None:
            self.link, other = multiprocessing.Pipe()
            context = multiprocessing.get_context("spawn")
            self.process = context.Process(target=serve, args=(other,), daemon=True)
            self.process.start()
            other.close()
            self.fresh = True
        # A new worker first imports the package.
        patience = PATIENCE * (5 if self.fresh else 1)
        self.link.send((name, content))
        try:
            found = self.link.recv() if self.link.poll(patience) else ("hang", "no answer")
        except EOFError:
            found = ("death", "")
        self.fresh = False
        if found[0] == "death" or found[1] == "no answer":
            self.close()
            found = (found[0], f"exit status {self.process.exitcode}")
        return found

    def close(self) -> None:
        if self.link is not None:
            self.process.kill()
            self.process.join()
            self.link.close()
            self.link = None


def count(name: str, reader: Reader, mutants: int, worker: Worker) -> tuple[Counter, Counter]:
    """Count the outcomes of one reader, and list those that are faults."""
    if (found := worker.ask(name, reader.good))[0] != "read":
        raise SystemExit(f"{name}: the good file is not read: {found}")
    outcomes: Counter = Counter()
    faults: Counter = Counter()
    for i in range(mutants):
        kind, what = worker.ask(name, damage(reader.good, f"{SEED} {name} {i}"))
        outcomes[kind] += 1
        if kind not in ("own", "read"):
            faults[f"{kind}: {what}"] += 1
    return outcomes, faults


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", nargs="*", help="names of readers")
    options.add_argument("--mutants", type=int, help="number of damaged files per reader")
    options.add_argument("--write", action="store_true", help="store the counts in results/")
    given = options.parse_args()
    worker = Worker()
    rows = {}
    print(f"{'reader':20}" + "".join(f"{c:>9}" for c in COUNTS))
    for name, reader in readers().items():
        if given.only and name not in given.only:
            continue
        outcomes, faults = count(name, reader, given.mutants or reader.mutants, worker)
        rows[name] = {c: outcomes[c] for c in COUNTS}
        print(f"{name:20}" + "".join(f"{outcomes[c]:9d}" for c in COUNTS), flush=True)
        for fault, n in faults.most_common():
            print(f"    {n:4d} {fault}", flush=True)
    worker.close()
    if given.write:
        target = Path(__file__).parent / "results" / "hostile_files.json"
        target.write_text(
            json.dumps({"settings": {"seed": SEED}, "readers": rows}, indent=2) + "\n"
        )
        record(target)
    if any(row[c] for row in rows.values() for c in COUNTS[2:]):
        sys.exit(1)


if __name__ == "__main__":
    main()
