"""What the repository may and may not hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

# Put together from pieces, so that this file does not find itself.
FORBIDDEN = {
    "a path of one machine": re.compile("/" + r"(work|root|home|Users)/[\w.]"),
    "the address of a package index": re.compile(
        r"https?://[^\s\"']+/" + r"simple\b|registry = \"http"
    ),
    "a credential": re.compile(r"(?i)(api[_-]?key|secret|token)\s*=\s*[\"'][^\"']{12,}"),
}


@pytest.fixture(scope="module")
def files(repository) -> list[Path]:
    """Every file that is tracked or would be."""
    if shutil.which("git") is None or not (repository / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [repository / name for name in listed.split("\0") if name]
    return [p for p in paths if p.is_file()]


def test_there_are_files_to_judge(files, repository):
    assert repository / "pyproject.toml" in files
    assert len(files) > 40


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what, files, repository):
    found = []
    for path in files:
        raw = path.read_bytes()
        if b"\0" in raw:
            continue
        for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
            if FORBIDDEN[what].search(line):
                found.append(f"{path.relative_to(repository)}:{number}: {line.strip()[:100]}")
    assert not found, f"{what}:\n" + "\n".join(found[:20])


def test_no_lock_with_addresses_and_no_large_file(files, repository):
    names = {p.relative_to(repository).as_posix(): p.stat().st_size for p in files}
    assert not [n for n in names if n.endswith("uv.lock")]
    large = {n: s for n, s in names.items() if s > 512_000 and not n.startswith("data/demo/")}
    assert not large
    assert sum(s for n, s in names.items() if n.startswith("data/demo/")) <= 6_000_000


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_pins_every_package_with_hashes_and_no_address(lock, repository):
    text = (repository / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, flags=re.M), "an option line, e.g. --index-url"
    entries = re.split(r"\n(?=\S)", text.strip())
    unpinned = [e.splitlines()[0] for e in entries if "==" not in e or "--hash=sha256:" not in e]
    assert not unpinned


def planned(target: str, folder: Path) -> str:
    """Return the commands that make would run for a target in a folder."""
    done = subprocess.run(
        ["make", "--dry-run", target, "UV=uv"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_demo_installs_less_than_the_tests_and_removes_nothing(repository, tmp_path):
    for name in (
        "Makefile",
        "pyproject.toml",
        ".python-version",
        "requirements.lock",
        "requirements-dev.lock",
    ):
        shutil.copy(repository / name, tmp_path)
    developers = "--requirements requirements-dev.lock"
    demo = planned("demo", tmp_path)
    assert "--requirements requirements.lock" in demo
    assert developers not in demo
    assert developers in planned("test", tmp_path)
    # `sync` would remove the developers' tools.
    assert "pip sync" not in demo
    stamps = tmp_path / ".venv"
    stamps.mkdir()
    (stamps / ".stamp-runtime").touch()
    assert "pip install" not in planned("demo", tmp_path)
    assert developers in planned("test", tmp_path)
    (stamps / ".stamp-dev").touch()
    assert "pip install" not in planned("test", tmp_path)


def test_continuous_integration_runs_make_test(repository):
    script = repository / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^(exec )?make test$", script.read_text(encoding="utf-8"), flags=re.M)
    assert (repository / ".python-version").read_text(encoding="utf-8").strip() == "3.12"
