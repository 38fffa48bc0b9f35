"""Compiled code where neither the installation nor the home folder is writable."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numba.core.caching
import numpy as np
import pytest

from bayes_mdd import caches, kernels


@pytest.fixture
def nothing_writable(monkeypatch, tmp_path):
    """No cache is set, and no folder but that for temporary files can be written."""
    for name in ("NUMBA_CACHE_DIR", "PYTENSOR_FLAGS", "MPLCONFIGDIR", caches.FOLDER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(caches, "_writable", lambda path: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(caches.atexit, "register", lambda *_: None)
    monkeypatch.setenv("HOME", "/dev/null")
    yield tmp_path
    for name in ("NUMBA_CACHE_DIR", "PYTENSOR_FLAGS", "MPLCONFIGDIR", caches.FOLDER):
        os.environ.pop(name, None)


def test_all_caches_go_to_one_private_folder(nothing_writable, caplog):
    folder = caches.redirect_caches()
    assert folder.parent == nothing_writable
    assert folder.stat().st_mode & 0o077 == 0
    assert Path(os.environ["NUMBA_CACHE_DIR"]).parent == folder
    assert os.environ["PYTENSOR_FLAGS"] == f"base_compiledir={folder / 'pytensor'}"
    assert Path(os.environ["MPLCONFIGDIR"]).is_dir()
    with caplog.at_level(logging.WARNING):
        caches.report_caches()
    assert "NUMBA_CACHE_DIR" in caplog.text
    assert str(folder) in caplog.text


def test_workers_use_the_folder_silently(nothing_writable, caplog, monkeypatch):
    folder = caches.redirect_caches()
    assert caches.redirect_caches() is None
    monkeypatch.setattr(caches.os, "getpid", lambda: -1)
    caches.report_caches()
    caches._remove(folder, 12345)
    assert caplog.text == ""
    assert folder.is_dir()


def test_settings_of_the_user_are_kept(nothing_writable, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    monkeypatch.setenv("PYTENSOR_FLAGS", "cxx=")
    folder = caches.redirect_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == os.environ["MPLCONFIGDIR"] == "mine"
    assert os.environ["PYTENSOR_FLAGS"] == f"cxx=,base_compiledir={folder / 'pytensor'}"


def test_without_any_temporary_folder_nothing_is_redirected(nothing_writable, monkeypatch):
    def refuse(**_):
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(caches.tempfile, "mkdtemp", refuse)
    assert caches.redirect_caches() is None


def test_a_writable_home_is_left_alone(tmp_path, monkeypatch):
    for name in ("NUMBA_CACHE_DIR", "PYTENSOR_FLAGS", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "not" / "yet"))
    assert caches.redirect_caches() is None
    assert list(tmp_path.iterdir()) == [], "nothing is created by asking"


NO_ACCOUNT = """
import os, pathlib
def home(cls):
    if "HOME" not in os.environ:
        raise RuntimeError("Could not determine home directory.")
    return cls(os.environ["HOME"])
pathlib.Path.home = classmethod(home)
"""


@pytest.mark.parametrize("home", ["/dev/null", None])
def test_pytensor_can_be_imported_without_a_home(home, tmp_path):
    keep = {k: v for k, v in os.environ.items() if k not in ("HOME", "PYTENSOR_FLAGS")}
    program = "import bayes_mdd, pytensor; print(pytensor.config.base_compiledir)"
    if home is None:  # a user id without an account
        program = NO_ACCOUNT + program
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=keep | ({"HOME": home} if home else {}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert "bayes-mdd-caches-" in str(folder)
    assert not folder.exists(), "removed at the end of the process"
    assert list(tmp_path.iterdir()) == []


def add_one(x):
    return x + 1


def test_kernels_compile_without_a_cache_and_say_so_once(monkeypatch, caplog):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    kernels._report_not_kept.cache_clear()
    for _ in range(2):
        assert kernels.compiled(add_one)(1.0) == 2.0
    assert caplog.text.count("NUMBA_CACHE_DIR") == 1


@pytest.fixture
def cached(monkeypatch, tmp_path):
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    kernels._report_not_kept.cache_clear()
    return tmp_path


def test_a_full_disk_does_not_stop_a_kernel(cached, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "save", full)
    kernel = kernels.compiled(add_one)
    assert kernel(1.0) == 2.0
    assert kernel(np.ones(2))[0] == 2.0
    assert caplog.text.count("No space left on device") == 1


def test_damaged_caches_are_compiled_again(cached):
    assert kernels.compiled(add_one)(1.0) == 2.0
    files = [p for p in cached.rglob("*") if p.is_file()]
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:20])
    assert kernels.compiled(add_one)(1.0) == 2.0
    again = kernels.compiled(add_one)
    assert again(1.0) == 2.0
    assert sum(again.stats.cache_hits.values()) == 1
