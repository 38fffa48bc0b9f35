"""The linters of `make lint`, one test each, run with this environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("linter", ["ruff", "format", "types", "imports", "docstrings", "spelling"])
def test_linter_finds_nothing(linter, repository):
    done = subprocess.run(
        ["make", "--silent", f"lint-{linter}", f"BIN={Path(sys.executable).parent}"],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"make lint-{linter}\n{done.stdout}\n{done.stderr}"


def test_every_linter_of_the_makefile_is_run_here(repository):
    line = next(
        text
        for text in (repository / "Makefile").read_text(encoding="utf-8").splitlines()
        if text.startswith("LINTERS")
    )
    mark = test_linter_finds_nothing.pytestmark[0]
    assert line.partition(":=")[2].split() == mark.args[1]


def test_docstring_linter_is_awake(repository, tmp_path):
    # `python -m` of numpydoc's hook module does nothing and says nothing; this would show it.
    bad = tmp_path / "bad.py"
    bad.write_text('"""A module."""\n\n\ndef f(x: int) -> int:\n    """Give."""\n    return x\n')
    numpydoc = Path(sys.executable).with_name("numpydoc")
    done = subprocess.run(
        [numpydoc, "lint", "--config", str(repository), str(bad)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "PR01" in done.stderr
