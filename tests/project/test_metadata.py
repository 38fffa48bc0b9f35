"""What installers, package indexes and citations are told about the package is true."""

from __future__ import annotations

import re
import sys
import tomllib
from email import message_from_string
from importlib.util import module_from_spec, spec_from_file_location

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from readme_renderer import markdown

ADDRESS = "https://example.org/group/bayes-mdd"
#: Names on conda-forge that differ.
CONDA = {"matplotlib": "matplotlib-base", "pymc": "pymc-base", "pytensor": "pytensor-base"}


@pytest.fixture(scope="module")
def project(repository) -> dict:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]


@pytest.fixture(scope="module")
def pythons(project) -> list[str]:
    """The versions of Python that the classifiers name."""
    found = re.findall(r":: Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert len(found) >= 3
    return found


@pytest.fixture(scope="module")
def hook(repository):
    spec = spec_from_file_location("hatch_build", repository / "hatch_build.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # hatchling looks for it there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def readme(repository) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def test_pythons_follow_the_bounds(project, pythons, repository):
    wanted = SpecifierSet(project["requires-python"])
    assert all(wanted.contains(v) for v in pythons)
    assert not wanted.contains("3.11")
    assert (repository / ".python-version").read_text(encoding="utf-8").strip() == pythons[0]


@pytest.mark.parametrize("name", ["tests", "release"])
def test_workflows_cover_every_python_and_system(name, repository, pythons):
    path = repository / ".github" / "workflows" / f"{name}.yml"
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    (matrix,) = [j["strategy"]["matrix"] for j in jobs.values() if "strategy" in j]
    assert matrix["python"] == pythons
    assert {o.split("-")[0] for o in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_workflows_run_targets_that_exist(repository):
    targets = set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text("utf-8"), re.M))
    files = sorted((repository / ".github" / "workflows").glob("*.yml"))
    assert {f.stem for f in files} >= {"tests", "docs", "release", "slow"}
    for path in files:
        called = set(re.findall(r"run: make ([a-z-]+)", path.read_text(encoding="utf-8")))
        assert called <= targets


def test_metadata_of_the_wheel(wheel, project):
    (name,) = (n for n in wheel.namelist() if n.endswith("/METADATA"))
    text = wheel.read(name).decode()
    found = message_from_string(text)
    assert found["Author"] == "bayes_mdd developers"
    assert found["Version"] == project["version"]
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Requires-Python"] == project["requires-python"]
    assert found["Description-Content-Type"] == "text/markdown"
    assert "Dynamic" not in found
    page = found.get_payload()
    assert page.lstrip().startswith("# bayes_mdd")
    assert not re.search(r"\]\((?!https?://)", page), "a link that leads nowhere"
    assert "pip install" in page


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_long_description_renders_without_dead_links(address, hook, readme, project):
    text = hook.describe(readme, address, project["version"])
    page = markdown.render(text)
    assert page is not None
    assert "<h1" in page
    assert "<table>" in page
    for link in re.findall(r'(?:href|src)="([^"]+)"', page):
        assert link.startswith(("https://", "http://", "#")), link
    assert (f"{ADDRESS}/blob/v{project['version']}/docs/" in page) == bool(address)
    assert (f"{ADDRESS}/raw/v{project['version']}/docs/images/" in page) == bool(address)
    assert bool(hook.links(address, project["version"])) == bool(address)
    assert "<!--" not in text


def test_citation_file_has_the_version_and_authors(repository, project):
    cited = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == project["version"]
    assert cited["license"] == project["license"]
    assert [a["name"] for a in cited["authors"]] == [a["name"] for a in project["authors"]]
    assert {"cff-version", "message", "title", "type"} <= set(cited)


def test_conda_recipe_has_the_same_bounds(repository, project):
    text = (repository / "conda" / "meta.yaml").read_text(encoding="utf-8")
    run = text.partition("\n  run:\n")[2].partition("\n\n")[0]
    listed = dict(re.findall(r"- ([\w-]+) (\S+)", run))
    assert listed.pop("python") == project["requires-python"]
    wanted = map(Requirement, project["dependencies"])
    expected = {CONDA.get(r.name, r.name): r.specifier for r in wanted}
    assert {n: SpecifierSet(s) for n, s in listed.items()} == expected
    entry = "bayes-mdd = " + project["scripts"]["bayes-mdd"]
    assert entry in text


def carried(repository) -> dict[str, str]:
    """Folders that the wheel takes along, as pyproject.toml says."""
    table = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    return table["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]


@pytest.mark.parametrize("name", ["Dockerfile", "bayes-mdd.def"])
def test_container_takes_all_that_the_package_is_built_from(name, repository):
    text = (repository / "containers" / name).read_text(encoding="utf-8")
    needed = {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "bayes_mdd"}
    needed |= set(carried(repository))
    locks = {"requirements.lock", "requirements-dev.lock"}
    ignored = (repository / "containers" / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    for file in needed | locks:
        assert (repository / file).exists()
        assert re.search(rf"(?<![\w-]){re.escape(file)}", text), file
        assert f"!{file}\n" in ignored
    python = (repository / ".python-version").read_text(encoding="utf-8").strip()
    assert re.findall(r"python:(\d\.\d+)-slim", text) == [python] * text.count("-slim")
    assert "--require-hashes" in text
    assert "PYTHONDONTWRITEBYTECODE=1" in text
