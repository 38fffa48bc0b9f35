"""The study of stopped commands: what it compares, and two kills of two commands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


@pytest.fixture(scope="module")
def content(repository):
    """The module that compares folders, imported as the script imports it."""
    folder = str(repository / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import stops_content
    finally:
        sys.path.remove(folder)
    return stops_content


def test_files_are_equal_apart_from_times_and_what_is_left_is_seen(content, tmp_path):
    work = tmp_path / "work"
    (work / "run").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    facts, page = work / "run" / "provenance.json", work / "run" / "report.html"
    facts.write_text('{"started": "2026-01-01", "seed": 1}')
    page.write_text("Written 2026-01-01 10:00 UTC in 12 s: 3 factors")
    wanted = content.content(work)
    facts.write_text('{"started": "2026-01-02", "seed": 1}')
    page.write_text("Written 2026-02-03 11:00 UTC in 14 s: 3 factors")
    assert content.compare(work, wanted, []) == []
    assert content.unfinished(content.content(work), [wanted], "now") == []
    page.write_text("Written 2026-02-03 11:00 UTC in 14 s: 4 factors")
    facts.write_text('{"started": "2026')
    (work / ".part-1").write_text("")
    (tmp_path / "tmp" / "scratch").mkdir()
    assert content.compare(work, wanted, []) == [
        "left: .part-1",
        "differs: run/provenance.json",
        "differs: run/report.html",
        "left in tmp: scratch",
    ]
    assert content.unfinished(content.content(work), [wanted], "now") == [
        "half-written now: run/provenance.json",
        "half-written now: run/report.html",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [["--only", "features", "report"], ["--only", "features", "--full"]]
)
def test_commands_that_are_stopped_end_as_undisturbed_ones(repository, tmp_path, options):
    command = [
        sys.executable,
        str(repository / "benchmarks" / "stops.py"),
        "--kills",
        "2",
        *options,
    ]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], capture_output=True, text=True, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    assert found, done.stderr
    for name, row in (pair for line in found for pair in line.items()):
        assert row["kills"] == row["same"] == 2, (name, row["faults"])
