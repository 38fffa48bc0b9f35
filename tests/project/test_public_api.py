"""The stable surface: names resolve, former paths warn, importing is light."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from importlib import import_module

import pytest
from joblib import Parallel, delayed

import bayes_mdd as bm

PROMISED = {
    "SamplerSpec",
    "SharedSpecificSpec",
    "change_features",
    "check_features",
    "check_quality",
    "classify_factors",
    "combine_views",
    "connectivity_from_timeseries",
    "diagnose",
    "export_signatures",
    "fit",
    "graph_features",
    "harmonize_sites",
    "read_cohort",
    "read_features",
    "read_spec",
    "reference_to_controls",
    "regional_features",
    "signatures",
    "simulate_cohort",
    "structural_features",
    "write_cohort",
    "write_report",
}


def test_what_was_promised_is_there():
    assert set(bm.__all__) >= PROMISED


@pytest.mark.parametrize("name", bm.__all__)
def test_name_resolves_to_what_its_module_defines(name):
    value = getattr(bm, name)
    if name in ("plotting", "polar_lda"):
        assert value is import_module(f"bayes_mdd.{name}")
    else:
        assert callable(value), f"{name} is {value!r}"
        assert value.__name__ == name
        assert value.__module__.startswith("bayes_mdd.")
        assert value.__doc__
        assert value.__doc__.strip()


def test_the_former_path_of_signatures_warns_and_does_not_hide_the_function():
    # In a process of its own: here the module may have been imported before.
    code = (
        "import warnings, bayes_mdd\n"
        "from bayes_mdd.errors import DataContractError\n"
        "function = bayes_mdd.signatures\n"
        "from bayes_mdd.signatures import summarise_symptom_links\n"
        "assert bayes_mdd.signatures is function\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    try:\n"
        "        summarise_symptom_links(None)\n"
        "    except DataContractError:\n"
        "        pass\n"
        "assert [w.category for w in caught] == [DeprecationWarning], caught\n"
        "assert 'use bayes_mdd.summarise_symptom_links' in str(caught[0].message)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        bm.no_such_name  # noqa: B018


def test_names_are_listed_once(repository):
    stub = (repository / "bayes_mdd" / "__init__.pyi").read_text(encoding="utf-8")
    names = [
        a.asname for n in ast.parse(stub).body if isinstance(n, ast.ImportFrom) for a in n.names
    ]
    assert sorted(names) == sorted(bm.__all__)
    assert len(set(names)) == len(names)
    assert len((repository / "bayes_mdd" / "__init__.py").read_text().splitlines()) < 30


def test_import_and_help_do_not_load_what_is_heavy():
    code = (
        "import sys, bayes_mdd, bayes_mdd.cli\n"
        "heavy = {'pymc', 'pandas', 'xarray', 'matplotlib', 'nilearn', 'scipy', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_is_said_once_and_the_same(repository):
    table = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert bm.__version__ == table["project"]["version"]


def test_a_script_that_names_the_package_can_fan_out():
    # joblib sends what a function names, here the package, to worker processes.
    versions = Parallel(n_jobs=2)(delayed(lambda: bm.__version__)() for _ in range(2))
    assert versions == [bm.__version__] * 2
