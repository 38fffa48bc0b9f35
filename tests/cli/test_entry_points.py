"""The command line is the same as a program and as a module."""

from __future__ import annotations

import subprocess
import sys


def run_module(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bayes_mdd", *words], capture_output=True, text=True
    )


def test_module_prints_the_version(run_cli):
    done = run_module("--version")
    assert (done.returncode, done.stdout) == (0, run_cli("--version").out)


def test_module_returns_the_exit_status(tmp_path):
    done = run_module("report", str(tmp_path / "no_run"))
    assert done.returncode == 2
    assert "no_run" in done.stderr
