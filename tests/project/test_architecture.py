"""The map of the code is true: every path it names exists, every package is on it."""

from __future__ import annotations

import re

import pytest


@pytest.fixture(scope="module")
def page(repository) -> str:
    return (repository / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_path_exists(page, repository):
    paths = set(re.findall(r"`((?:bayes_mdd|tests|docs|benchmarks|models)/[\w./-]*)`", page))
    assert len(paths) > 30
    missing = sorted(p for p in paths if not (repository / p).exists())
    assert not missing


def test_every_package_is_on_the_map(page, repository):
    packages = {p.parent.name for p in (repository / "bayes_mdd").glob("*/__init__.py")} | {
        p.name for p in (repository / "bayes_mdd").glob("*.py") if not p.name.startswith("_")
    }
    packages -= {"signatures.py"}  # a deprecated location
    missing = sorted(p for p in packages if f"`bayes_mdd/{p}" not in page)
    assert not missing


def test_the_inner_packages_of_the_factor_model_are_listed(page, repository):
    inner = {
        p.parent.name for p in (repository / "bayes_mdd/shared_specific").glob("*/__init__.py")
    }
    assert not sorted(name for name in inner if f"`{name}`" not in page)


def test_it_is_one_page(page):
    assert len(page.splitlines()) < 120
