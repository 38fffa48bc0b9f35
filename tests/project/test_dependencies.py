"""Declared dependencies are used, and what is used is declared."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# Distributions that no import statement names: the file and the text in it that use them.
# h5netcdf reads and writes through h5py, and neuroHarmonize imports neuroCombat and statsmodels;
# neither installs what it needs by itself.
USED_BY_NAME = {
    "h5netcdf": ("bayes_mdd/files/netcdf.py", 'engine="h5netcdf"'),
    "h5py": ("bayes_mdd/files/netcdf.py", 'engine="h5netcdf"'),
    "neuroharmonize": ("bayes_mdd/features/adjust/harmonize.py", 'import_module("neuroHarmonize")'),
    "neurocombat": ("bayes_mdd/features/adjust/harmonize.py", 'import_module("neuroHarmonize")'),
    "statsmodels": ("bayes_mdd/features/adjust/harmonize.py", 'import_module("neuroHarmonize")'),
    "stochtree": ("bayes_mdd/baselines/choice.py", 'import_module("stochtree")'),
    "numpyro": ("bayes_mdd/sampling/sample.py", '"numpyro"'),
    "myst-nb": ("docs/conf.py", '"myst_nb"'),
    "pydata-sphinx-theme": ("docs/conf.py", 'html_theme = "pydata_sphinx_theme"'),
    "pytest-xdist": ("Makefile", "--numprocesses"),
    "ipykernel": ("notebooks/01_first_fit.ipynb", '"kernelspec"'),
    "nbclient": ("tests/project/test_notebooks.py", 'importorskip("nbclient")'),
    "pytest-timeout": ("pyproject.toml", "\ntimeout = "),
}
# Imports of scripts that run in an environment of their own.
OWN_ENVIRONMENT = {"mofapy2": "benchmarks/mofapy2_worker.py"}


@cache
def installed() -> Mapping[str, list[str]]:
    """Map top-level modules to the installed distributions that bring them."""
    return packages_distributions()


def distribution_of(module: str) -> str:
    """Name the distribution that a top-level module comes from."""
    return canonicalize_name(installed().get(module, [module])[0])


def imports_of(source: str) -> set[str]:
    """Collect the top-level modules that a source imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names


def sources(folders: Iterable[Path]) -> list[tuple[Path, str]]:
    """Read Python files and the code cells of notebooks."""
    found = []
    for folder in folders:
        found += [(p, p.read_text(encoding="utf-8")) for p in sorted(folder.rglob("*.py"))]
        for path in sorted(folder.rglob("*.ipynb")):
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            lines = [s for cell in cells if cell["cell_type"] == "code" for s in cell["source"]]
            # Lines with % and ! are commands to IPython and to a shell.
            python = [s.rstrip() for s in lines if not s.startswith(("%", "!"))]
            found.append((path, "\n".join(python)))
    return found


@cache
def third_party(root: Path, *folders: str) -> dict[str, str]:
    """Map the distributions imported in folders to a file that imports them."""
    files = sources(root / folder for folder in folders)
    # The package imports itself by its full name; tests and benchmarks import files beside them.
    beside = [path for path, _ in files if folders != ("bayes_mdd",)]
    own = {path.stem for path in beside} | {path.parent.name for path in beside}
    return {
        distribution_of(module): path.relative_to(root).as_posix()
        for path, text in files
        for module in imports_of(text) - own - {"bayes_mdd"}
    }


def scripts_of(name: str) -> set[str]:
    """Name the commands that an installed distribution brings."""
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return set()
    return {file.stem for file in files if file.parent.name in ("bin", "Scripts")}


def is_stub_of(name: str, others: set[str]) -> bool:
    """Tell whether a distribution holds the types of another one."""
    return (name.endswith("-stubs") and name.removesuffix("-stubs") in others) or (
        name.startswith("types-") and name.removeprefix("types-") in others
    )


@pytest.fixture(scope="module")
def declared(repository) -> dict[str, dict[str, Requirement]]:
    """The requirements of pyproject.toml by group; `run` for those at run time."""
    table = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    groups = {"run": table["project"]["dependencies"], "build": table["build-system"]["requires"]}
    groups |= table["project"]["optional-dependencies"]
    return {
        group: {canonicalize_name(r.name): r for r in map(Requirement, texts)}
        for group, texts in groups.items()
    }


@pytest.fixture(scope="module")
def tools(repository) -> set[str]:
    """The commands that the Makefile and the hooks call from the environment."""
    text = "".join(
        (repository / name).read_text(encoding="utf-8")
        for name in ("Makefile", ".pre-commit-config.yaml")
    )
    return set(re.findall(r"(?:\$\(BIN\)|\.venv/bin)/([\w-]+)", text)) - {"python", "bayes-mdd"}


def unused(names: Iterable[str], imported: Iterable[str]) -> list[str]:
    """List distributions that are neither imported nor in the table of those used by name."""
    return sorted(set(names) - set(imported) - set(USED_BY_NAME))


def test_every_dependency_of_the_package_is_used(repository, declared):
    imported = third_party(repository, "bayes_mdd")
    packages = {group: names for group, names in declared.items() if group not in ("dev", "build")}
    assert set(packages) == {"run", "jax", "harmonize", "bcf", "anndata", "cluster"}
    idle = {group: found for group, names in packages.items() if (found := unused(names, imported))}
    assert not idle, f"declared in pyproject.toml, imported nowhere in bayes_mdd: {idle}"


def test_a_dependency_that_nothing_imports_is_found(repository, declared):
    imported = third_party(repository, "bayes_mdd")
    assert unused({**declared["run"], "pydantic": None, "not-installed": None}, imported) == [
        "not-installed",
        "pydantic",
    ]


def test_every_import_of_the_package_is_declared(repository, declared):
    known = {name for group, names in declared.items() if group != "dev" for name in names}
    missing = {n: p for n, p in third_party(repository, "bayes_mdd").items() if n not in known}
    assert not missing, f"imported, not declared in pyproject.toml: {missing}"


def test_recipes_in_docs_need_run_time_dependencies_only(repository, declared):
    missing = set(third_party(repository, "docs/recipes")) - set(declared["run"])
    assert not missing


def test_scripts_that_build_the_docs_need_declared_dependencies_only(repository, declared):
    # They are started by targets of the Makefile that install the developers' tools.
    known = set(declared["run"]) | set(declared["dev"])
    beside = {path.stem for path in (repository / "tests").glob("*.py")}
    assert not set(third_party(repository, "docs")) - known - beside


def test_every_development_dependency_is_used(repository, declared, tools):
    imported = third_party(repository, "tests", "benchmarks", "notebooks")
    idle = [
        name
        for name in unused(declared["dev"], imported)
        if not scripts_of(name) & tools and not is_stub_of(name, set(declared["run"]))
    ]
    assert not idle, f"declared in the extra dev, used nowhere: {idle}"


def test_what_tests_benchmarks_and_tools_need_is_declared(repository, declared, tools):
    known = {name for names in declared.values() for name in names} | set(OWN_ENVIRONMENT)
    imported = third_party(repository, "tests", "benchmarks", "notebooks")
    missing = {n: p for n, p in imported.items() if n not in known}
    assert not missing, f"imported, not declared in pyproject.toml: {missing}"
    assert {n: imported.get(n) for n in OWN_ENVIRONMENT} == OWN_ENVIRONMENT
    commands = {script for name in declared["dev"] for script in scripts_of(name)}
    assert tools
    assert tools <= commands, f"commands of no declared package: {tools - commands}"


@pytest.mark.parametrize("name", USED_BY_NAME)
def test_place_that_uses_a_dependency_by_name(name, repository, declared):
    assert name in {n for names in declared.values() for n in names}
    place, text = USED_BY_NAME[name]
    assert text in (repository / place).read_text(encoding="utf-8"), f"{text!r} not in {place}"


def test_build_tool_of_the_tests_is_the_declared_one(declared):
    assert str(declared["dev"]["hatchling"]) == str(declared["build"]["hatchling"])


def test_nutpie_is_declared_with_the_tested_versions(declared):
    from bayes_mdd.sampling.compiled import TESTED_NUTPIE

    assert declared["run"]["nutpie"].specifier == Requirement(f"nutpie{TESTED_NUTPIE}").specifier


def pins(path: Path) -> dict[str, set[str]]:
    """Read the pinned versions of a lock file; a package may have one for each platform."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text("utf-8"), re.M):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements.lock", ["run"]),
        (
            "requirements-dev.lock",
            ["run", "jax", "harmonize", "bcf", "anndata", "cluster", "dev", "build"],
        ),
    ],
)
def test_lock_fits_the_declared_versions(lock, groups, repository, declared):
    pinned = pins(repository / lock)
    for requirement in (r for group in groups for r in declared[group].values()):
        versions = pinned.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement} is not in {lock}: make lock"
        wrong = [v for v in versions if not requirement.specifier.contains(Version(v))]
        assert not wrong, f"{lock} pins {wrong}, {requirement} is required: make lock"


def test_the_small_lock_is_a_part_of_the_large_one(repository):
    small, large = (
        pins(repository / name) for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert small.items() <= large.items()
    assert not {"jax", "jaxlib", "mypy", "pytest"} & set(small)
