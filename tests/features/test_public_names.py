"""Public names of the packages cohort and features, and those available as ``bayes_mdd.*``."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bayes_mdd as bm
from bayes_mdd import cohort, features


@pytest.mark.parametrize("package", [cohort, features], ids=["cohort", "features"])
def test_all_names_can_be_loaded(package):
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        found = getattr(package, name)
        assert getattr(found, "__name__", name) == name
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    "name",
    ["check_regions", "connectivity_features", "read_arrays", "read_circuits", "read_regions"],
)
def test_names_of_features_are_available_at_the_top(name):
    assert getattr(bm, name) is getattr(features, name)


def test_importing_the_packages_is_light():
    code = (
        "import sys, bayes_mdd.cohort, bayes_mdd.features\n"
        "print(sorted({'pandas', 'xarray', 'nilearn', 'scipy', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
