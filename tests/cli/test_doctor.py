"""`bayes-mdd doctor` finds what is broken, goes on, and says what to do."""

from __future__ import annotations

import importlib
import json
import shutil
import tomllib
from collections import namedtuple
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from bayes_mdd.cli import installation

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def sound(run_cli) -> dict:
    """What the command says of the environment of the tests."""
    result = run_cli("doctor", "--json")
    assert result.status == 0, result.out
    return json.loads(result.out)


def broken(run_cli, name: str) -> dict:
    result = run_cli("doctor", "--json")
    assert result.status == 1
    found = json.loads(result.out)
    assert found["passed"] is False
    assert len(found["checks"]) > 10, "the other checks were not made"
    (row,) = [c for c in found["checks"] if c["status"] == "broken" and c["name"] == name]
    assert row["remedy"]
    return row


def test_a_sound_installation_passes_and_names_every_part(sound, repository):
    assert sound["passed"] is True
    names = {c["name"] for c in sound["checks"]}
    table = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {r.name for r in map(installation.Requirement, table["project"]["dependencies"])}
    # The metadata of an editable installation may be older than pyproject.toml.
    assert len(needed - names) <= 1
    for part in ("Python", "numba", "compiled", "fonts", "disk", "threads", "temporary"):
        assert any(part in name for name in names), part
    assert all(c["remedy"] for c in sound["checks"] if c["status"] == "note")


def test_lines_are_for_people(run_cli, sound):
    result = run_cli("doctor")
    assert result.status == 0
    assert "numpy: " in result.out
    assert result.out.splitlines()[-1].startswith("The installation works.")


def version_of(name: str, value: str | None, monkeypatch) -> None:
    real = installation.version

    def changed(asked: str) -> str:
        if asked.lower() != name:
            return real(asked)
        if value is None:
            raise PackageNotFoundError(asked)
        return value

    monkeypatch.setattr(installation, "version", changed)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [("numpy", "1.26.4", "is required"), ("pymc", "7.1", "<7"), ("nutpie", None, "not installed")],
)
def test_versions_outside_the_bounds(name, value, word, run_cli, monkeypatch):
    version_of(name, value, monkeypatch)
    row = broken(run_cli, name)
    assert word in row["found"]
    assert f'pip install "{name}' in row["remedy"]


def test_package_that_cannot_be_imported(run_cli, monkeypatch):
    real = importlib.import_module

    def changed(name: str, *rest: object):
        if name == "h5py":
            raise OSError("libhdf5.so: cannot open shared object file")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", changed)
    row = broken(run_cli, "h5py")
    assert "libhdf5" in row["found"]
    assert "--force-reinstall" in row["remedy"]


def test_two_copies_of_the_package(run_cli, monkeypatch):
    version_of("bayes-mdd", "0.0.1", monkeypatch)
    assert "0.0.1" in broken(run_cli, "bayes-mdd")["found"]


def test_old_python(run_cli, monkeypatch):
    monkeypatch.setattr(installation.platform, "python_version", lambda: "3.10.4")
    assert ">=3.12" in broken(run_cli, "Python")["remedy"]


def test_full_disk(run_cli, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 10**6))
    result = run_cli("doctor")
    assert result.status == 1
    assert "BROKEN  free disk, here: 0.0 GB" in result.out
    assert "The installation is broken" in result.out


def test_folder_for_compiled_code_that_is_temporary_is_a_note(monkeypatch):
    monkeypatch.setattr(installation, "temporary_caches", lambda: Path("caches"))
    found = {f.name: f for f in installation.check_installation()}
    note = found["folders for compiled code"]
    assert note.status == "note"
    assert "NUMBA_CACHE_DIR" in note.remedy


def test_a_check_that_fails_itself_is_reported(run_cli, monkeypatch):
    def fails():
        raise RuntimeError("no font was found")

    monkeypatch.setitem(installation._CHECKS, "fonts", fails)
    assert "no font was found" in broken(run_cli, "fonts")["found"]


def test_newest_python_is_the_one_of_the_classifiers(repository):
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    newest = ".".join(map(str, installation.NEWEST_PYTHON))
    assert f'"Programming Language :: Python :: {newest}"' in text
    after = f"{installation.NEWEST_PYTHON[0]}.{installation.NEWEST_PYTHON[1] + 1}"
    assert f'Python :: {after}"' not in text
