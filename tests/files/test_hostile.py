"""A small run of ``benchmarks/hostile_files.py``, and hostile files in whole cohorts."""

from __future__ import annotations

import ast
import os
import shutil
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import bayes_mdd as bm
from bayes_mdd.cli.inputs import parse_settings
from bayes_mdd.errors import BayesMDDError, RunFolderError, SpecError

pytestmark = pytest.mark.timeout(3000)
#: Damaged files per reader in the slow test; the benchmark has 800.
MANY = 40
SPECIAL = ("a pipe", "a device", "a link to itself", "a pickle", "zeros", "empty cells")
#: Functions through which files are opened.
OPENERS = {
    *("open", "read_bytes", "read_text", "read_csv", "open_datatree", "open_regular"),
    *("open_unpacked", "require_file", "read_yaml", "read_json", "read_npy", "read_npz"),
    *("read_mat", "read_mat_names", "load_image", "load_image_data", "read_table"),
    *("read_cells", "read_text_table", "read_netcdf", "read_own_table", "load", "PolyMesh"),
}
#: Functions that open what belongs to the installation or the system, or what was just written.
OTHERS = {
    "kernels.py": "source of the package",
    "results/page/render.py": "template of the package",
    "results/interactive/parts.py": "script of the package",
    "cohort/scales.py": "scale of the package, besides the file of the user",
    "sampling/machine.py": "name of the processor",
    "files/sizes.py": "memory that is available",
    "files/temporary.py": "processes that are alive",
    "files/run_log.py": "appends to the log",
    "parallel/software.py": "source of the package",
    "results/exports/share.py": "copies what was written",
    "results/manifest.py": "packs what was written",
    "files/id_key.py": "writes a key; reading it is among the readers",
    "files/regular.py": "the layer itself",
    "results/export_files.py": "notes beside maps, by read_mark",
    "shared_specific/cohorts/files.py": "read_netcdf, as for runs, in a folder that combine wrote",
    "cli/derived_cohort.py": "sidecar, read by read_json as in read_participants",
}


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


@dataclass
class Seen:
    """Functions of the package that ran, as file and first line, and the faults of all readers."""

    executed: set
    faults: list


@pytest.fixture(scope="module")
def seen(hostile, readers):
    """Read the good file, a damaged and a special file of every reader."""
    root = str(Path(bm.__file__).parent)
    found = Seen(set(), [])
    monitor, tool = sys.monitoring, 4

    def note(code, _):
        if code.co_filename.startswith(root):
            path = Path(code.co_filename).relative_to(root).as_posix()
            found.executed.add((path, code.co_firstlineno))
        return monitor.DISABLE

    monitor.use_tool_id(tool, "hostile")
    try:
        monitor.register_callback(tool, monitor.events.PY_START, note)
        monitor.set_events(tool, monitor.events.PY_START)
        for number, (name, reader) in enumerate(readers.items()):
            special = SPECIAL[number % len(SPECIAL)]
            contents = [hostile.mutant(name, reader, number), *([] if reader.inside else [special])]
            found.faults += try_reader(hostile, reader, name, contents)
    finally:
        monitor.set_events(tool, 0)
        monitor.free_tool_id(tool)
    return found


def try_reader(hostile, reader, name, contents):
    place = hostile.Place(reader)
    faults = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if (good := place.learn())[0] != "same":
                faults.append((name, "the good file", *good))
            for content in contents:
                kind, what = place.answer(content)
                if kind not in ("own", "same", "changed"):
                    said = content if isinstance(content, str) else "a damaged file"
                    faults.append((name, said, kind, what))
    finally:
        place.remove()
    return faults


def openers():
    """Functions of the package that open files: file, first line and name."""
    root = Path(bm.__file__).parent
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            calls = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
            if OPENERS & {getattr(f, "attr", getattr(f, "id", "")) for f in calls}:
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                yield path.relative_to(root).as_posix(), first, node.name


def test_every_function_that_opens_files_is_among_the_readers(seen):
    lacking = [
        f"{file}:{line} {name}"
        for file, line, name in openers()
        if (file, line) not in seen.executed and file not in OTHERS
    ]
    assert not lacking, "add a reader to benchmarks/hostile_*.py for each"


def test_every_format_is_among_the_readers(readers):
    from bayes_mdd.features.derivatives.registry import FORMATS

    assert {f.name for f in FORMATS} <= {name.split(",")[0] for name in readers}


def test_every_public_function_that_reads_is_among_the_readers(seen):
    public = [getattr(bm, n) for n in bm.__all__ if n.startswith("read_")]
    lines = {f.__name__: f.__code__.co_firstlineno for f in public}
    lacking = {n for n, line in lines.items() if line not in {at for _, at in seen.executed}}
    assert not lacking


def test_damaged_files_are_read_or_refused_by_own_errors(seen):
    # The machine may be slow.
    assert [f for f in seen.faults if f[2] != "hang"] == []


@pytest.mark.slow
def test_many_damaged_files(hostile, readers):
    for name, reader in readers.items():
        contents = [hostile.mutant(name, reader, i) for i in range(MANY)]
        special = [] if reader.inside else [s for s in hostile.SPECIAL if s != "2 GB"]
        faults = try_reader(hostile, reader, name, [*contents, *special])
        # The machine may be slow.
        assert [f for f in faults if f[2] not in ("memory", "hang")] == []


def test_the_harness_sees_faults(hostile, readers, monkeypatch):
    """A reader that lets another library fail, loads pickles or changes values is counted."""

    def fail(folder):
        raise KeyError("x")

    def load(folder):
        import numpy as np

        return np.load(folder / "m.npy", allow_pickle=True)

    reader = readers[".npy"]
    place = hostile.Place(replace(reader, read=load))
    assert place.learn()[0] == "same"
    raw = bytearray(reader.good)
    raw[-3] ^= 1
    assert place.answer(bytes(raw))[0] == "changed"
    assert place.answer("a pickle") == ("foreign", "a pickle was loaded")
    place.reader = replace(reader, read=fail)
    assert place.answer(reader.good)[0] == "foreign"
    # Memory is what the reader takes, however much the process holds.
    monkeypatch.setattr(hostile, "MEMORY", 2**26)
    place.reader = replace(reader, read=lambda folder: bytearray(b"x" * 2**24)[:1])
    assert place.answer(reader.good)[0] == "changed"
    place.reader = replace(reader, read=lambda folder: bytearray(b"x" * 2**27)[:1])
    assert place.answer(reader.good)[0] == "memory"
    place.remove()


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
