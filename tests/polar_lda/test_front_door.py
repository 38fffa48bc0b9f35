"""The public names of `bayes_mdd.polar_lda`, and how lightly it is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bayes_mdd import polar_lda

PROMISED = {
    "PublishedReference",
    "bootstrap_maps",
    "fit_counts",
    "infer_counts",
    "make_counts",
    "nestedness",
    "null_run",
    "posterior_overlap",
    "published_overlap",
    "published_z",
    "read_documents",
    "read_published_model",
    "split_half",
    "token_sensitivity",
}


def test_public_names_are_those_that_were_promised():
    assert set(polar_lda.__all__) == PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_name_resolves_to_what_its_module_defines(name):
    value = getattr(polar_lda, name)
    assert value.__name__ == name
    assert value.__module__.startswith("bayes_mdd.polar_lda.")
    assert value.__doc__


def test_importing_the_package_and_counting_load_no_compiled_loops():
    code = (
        "import sys\n"
        "from bayes_mdd import polar_lda\n"
        "assert not {'numba', 'pymc', 'numpy'} & set(sys.modules)\n"
        "polar_lda.make_counts\n"
        "polar_lda.posterior_overlap\n"
        "assert not {'numba', 'pymc'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
