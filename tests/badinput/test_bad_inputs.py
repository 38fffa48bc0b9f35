"""Every bad input is refused in one message: file, place, rule, remedy; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from badinput.case import Case
from badinput.catalogue import CATALOGUE
from badinput.good import GOOD
from badinput.make import make_all
from badinput.outcome import copy_inputs, ids_named_twice, run_case
from badinput.write_page import PAGE, render

#: Kinds of which each case takes a tenth of a second or more: every fourth is quick.
COSTLY = (
    "Covariates", "Symptom tables", "Outcomes and design of a trial", "Time series",
    "BOLD images and confounds", "Maps", "Run folders", "Exports", "New cohorts",
    "Functions of results",
)  # fmt: skip
CASES = [
    pytest.param(
        case,
        id=f"{kind}-{case.name}",
        marks=[pytest.mark.slow] if kind in COSTLY and i % 4 else [],
    )
    for kind, cases in CATALOGUE.items()
    for i, case in enumerate(cases)
]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("valid")
    make_all(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def built_once() -> Iterator[None]:
    """Build the parser of the command line once and not for each case."""
    # As an attribute, `bayes_mdd.cli.app` is the application and not its module.
    module = import_module("bayes_mdd.cli.app")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "app", typer.main.get_command(module.app))
        yield


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_bad_input(
    case: Case, valid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    run_cli: Callable[..., Any],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    done = run_case(case, valid, tmp_path, run_cli)
    assert done.status == 2, done.message
    assert "Traceback" not in done.message
    assert not done.printed
    assert not done.written
    if isinstance(case.use, str):
        assert done.message.count("Error") == 1
    for part in (case.file, case.where, case.rule, case.remedy, *case.also):
        assert part in done.message, f"expected {part!r} in: {done.message}"
    assert not ids_named_twice(done.message), done.message


def test_every_case_says_what_is_wrong_and_what_to_do() -> None:
    cases = [case for cases in CATALOGUE.values() for case in cases]
    assert len(cases) >= 120
    assert all(case.rule for case in cases)
    # Where the rule lists the values that are accepted, it is the remedy.
    lists = ("must", "expect", "is needed", "is not one of", "should be")
    bare = [c.name for c in cases if not c.remedy and not any(w in c.rule for w in lists)]
    assert not bare
    for kind, cases_of in CATALOGUE.items():
        names = [case.name for case in cases_of]
        assert len(set(names)) == len(names), kind


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in GOOD])
def test_unusual_input_is_accepted(
    case: Case, valid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    run_cli: Callable[..., Any],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    copy_inputs(case, valid, tmp_path)
    case.make(tmp_path)
    done = run_cli(*str(case.use).split())
    assert done.status == 0, done.err + done.out


def test_the_page_is_current(repository: Path) -> None:
    assert (repository / PAGE).read_text(encoding="utf-8") == render(), (
        "run `python tests/badinput/write_page.py`"
    )
