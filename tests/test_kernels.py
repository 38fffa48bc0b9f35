"""Compiled kernels are compiled again when a source changes that they depend on."""

import importlib.util
import sys

import numpy as np
import pytest

from bayes_mdd import kernels
from bayes_mdd.shared_specific.density.kernels import value_and_grad
from bayes_mdd.shared_specific.likelihood import collapsed, collapsed_op, student_op

LOW = """
from bayes_mdd.kernels import compiled

@compiled
def low(x):
    return x + {added}
"""
HIGH = """
from bayes_mdd.kernels import compiled
from kernel_test_low import low

@compiled
def high(x):
    return 2.0 * low(x)
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import two modules afresh, the second of which calls a kernel of the first."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "cache"))

    def make(added):
        # A new process would read the files again.
        kernels._source_hash.cache_clear()
        modules = []
        for name, text in (("low", LOW.format(added=added)), ("high", HIGH)):
            path = tmp_path / f"kernel_test_{name}.py"
            path.write_text(text)
            spec = importlib.util.spec_from_file_location(path.stem, path)
            module = importlib.util.module_from_spec(spec)
            monkeypatch.setitem(sys.modules, path.stem, module)
            exec(compile(text, path, "exec"), vars(module))
            modules.append(module)
        return modules

    return make


def test_a_kernel_follows_a_change_of_a_kernel_that_it_calls(load):
    low, high = load("1.0")
    assert high.high(1.0) == 4.0
    version = kernels.source_version(high.high.py_func)
    _, again = load("1.0")
    assert again.high(1.0) == 4.0
    assert sum(again.high.stats.cache_hits.values()) == 1
    assert kernels.source_version(again.high.py_func) == version
    low, changed = load("2.0")
    assert changed.high(1.0) == 6.0
    assert not changed.high.stats.cache_hits
    assert kernels.source_version(changed.high.py_func) != version
    assert kernels.source_version(low.low.py_func) != version


def changed(monkeypatch, module):
    """Pretend that the source of a module had another hash."""
    true, path = kernels._source_hash, module.__file__
    monkeypatch.setattr(
        kernels, "_source_hash", lambda p: b"changed" if str(p) == path else true(p)
    )


@pytest.mark.parametrize("op", [collapsed_op, student_op])
def test_operations_have_the_version_of_their_kernels(op, monkeypatch):
    funcify = next(f for name, f in vars(op).items() if name.startswith("_numba_"))
    version = funcify(None)[1]
    # PyTensor takes whole numbers only, and keeps compiled graphs of the same number.
    assert isinstance(version, int)
    # The kernel of student noise shares functions with that of block noise.
    changed(monkeypatch, collapsed)
    assert funcify(None)[1] != version


def test_the_density_has_the_version_of_the_likelihood(monkeypatch):
    version = kernels.source_version(value_and_grad.py_func)
    assert value_and_grad._cache._cache_file._source_stamp == version
    changed(monkeypatch, collapsed)
    assert kernels.source_version(value_and_grad.py_func) != version
    assert np.isfinite(version)
