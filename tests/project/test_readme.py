"""The quick start of the README runs as it stands, but for the number of draws."""

from __future__ import annotations

import re
import subprocess
from operator import attrgetter

import pytest

import bayes_mdd as bm

FULL = "bm.SamplerSpec(seed=1)"
TINY = "bm.SamplerSpec(seed=1, draws=100, tune=200, chains=2)"


def quick_start(repository) -> str:
    text = (repository / "README.md").read_text(encoding="utf-8")
    marked = re.search(r"<!-- quick start:.*?-->\n```python\n(.*?)```", text, flags=re.S)
    assert marked, "the marked block is gone"
    return marked[1]


@pytest.mark.slow
def test_quick_start_runs(repository, tmp_path, monkeypatch, capsys):
    code = quick_start(repository)
    assert len(code.strip().splitlines()) <= 10
    assert code.count(FULL) == 1
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo").symlink_to(repository / "data" / "demo")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(compile(code.replace(FULL, TINY), "README.md", "exec"), scope)
    assert scope["idata"]["posterior"].sizes["factor"] == 8
    assert "p_shared" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "</html>" in page


def test_commands_and_functions_that_the_readme_and_the_table_of_tasks_name_exist(
    repository, run_cli
):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    tasks = (repository / "docs" / "use.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"`bayes-mdd ([a-z]+)", readme + tasks))
    assert commands >= {"demo", "doctor", "simulate", "fit", "check", "signatures", "report"}
    for name in commands:
        assert run_cli(name, "--help").status == 0, name
    functions = set(re.findall(r"\b([A-Za-z_.]{3,})\(", re.sub(r"\]\([^)]*\)", "", tasks)))
    assert len(functions) > 30
    for name in functions:
        assert attrgetter(name)(bm), name


def test_the_readme_begins_with_a_picture_an_installation_and_two_commands(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    (picture,) = re.findall(r"!\[[^\]]{20,}\]\(([^)]+)\)", text)
    assert (repository / picture).stat().st_size < 250_000
    start = text.partition("## Quick start")[2].partition("\n## ")[0]
    assert "pip install" in start
    assert re.findall(r"^bayes-mdd (\w+)", start, re.M) == ["doctor", "demo"]
    first = text.partition("## What people do first")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\| \d \|", first, re.M)) == 6
    assert len(text.splitlines()) < 150


def test_make_targets_named_in_the_readme_exist(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, flags=re.M)) - {"help"}
    assert {"demo", "test", "lint"} <= targets
    for target in targets:
        done = subprocess.run(["make", "--dry-run", target], cwd=repository, capture_output=True)
        assert done.returncode == 0, target
