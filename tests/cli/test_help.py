"""The help of every command: complete, and every default visible."""

from __future__ import annotations

import re

import pytest
import typer

from bayes_mdd.cli import app

PROGRAM = typer.main.get_command(app)
COMMANDS = PROGRAM.commands
#: Commands that run for more than a moment.
LONG = {
    "demo", "fit", "check", "project", "compare", "prior", "features", "report", "signatures",
    "validate", "response", "recommend", "power", "evidence", "baselines", "export", "combine",
}  # fmt: skip
SEEDED = {
    "demo", "simulate", "fit", "check", "prior", "project", "compare", "response", "recommend",
    "power", "evidence", "baselines", "combine",
}  # fmt: skip


@pytest.fixture
def help_of(run_cli, monkeypatch):
    """The help of a command as one line, without the frame."""
    monkeypatch.setenv("COLUMNS", "200")

    def print_help(*words: str) -> str:
        done = run_cli(*words, "--help")
        assert done.status == 0, done.err
        return re.sub(r"[\s│╭╮╰╯─]+", " ", done.out)

    return print_help


def visible(name: str) -> list:
    return [p for p in COMMANDS[name].params if not getattr(p, "hidden", False)]


def is_plain_flag(param) -> bool:
    """Flags are off by default."""
    return param.default is False


def test_the_help_of_the_program_lists_every_command(help_of):
    text = help_of()
    assert set(COMMANDS) == LONG | {"simulate", "doctor"}
    for name in COMMANDS:
        assert f" {name} " in text
    assert "Exit status: 0 success; 1 completed, but a check" in text
    assert "--install-completion" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text_and_a_visible_default(name, help_of):
    text = help_of(name)
    for param in visible(name):
        flag = max(param.opts, key=len)
        if flag.startswith("--"):
            assert flag in text
        if flag == "--help":
            continue
        assert param.help in text
        assert param.help.endswith("."), f"{flag}: {param.help}"
        if param.required or is_plain_flag(param) or flag == "--set":
            continue
        stated = param.show_default if isinstance(param.show_default, str) else param.default
        default = f"({stated})" if isinstance(param.show_default, str) else str(stated)
        assert f"[default: {default}]" in text, f"{flag}: its default is not in the help"


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_no_help_text_has_a_hole(name, help_of):
    # What looks like markup is swallowed: "Run folder to write [x]." was shown as "... write ."
    text = help_of(*filter(None, [name]))
    assert not re.findall(r"\w+ [.,;:)]", text)
    assert text.count("[default:") == len(re.findall(r"\[default: [^\[\]]+\]", text))


@pytest.mark.parametrize("name", COMMANDS)
def test_common_options(name):
    flags = {flag for p in COMMANDS[name].params for flag in p.opts}
    assert {"--verbose", "-v", "--quiet", "-q"} <= flags
    assert ("--seed" in flags) == (name in SEEDED)


def test_defaults_that_depend_on_arguments_are_described(help_of):
    assert "[default: (runs/<name of COHORT>)]" in help_of("fit")
    assert "[default: (RUN/signatures)]" in help_of("signatures")
    assert "[default: (RUN/export)]" in help_of("export")
    assert "[default: (RUN/report.html)]" in help_of("report")
    assert "[default: (RUN/projections/<name of COHORT>.tsv)]" in help_of("project")
    assert "[default: (participants.tsv in SOURCE)]" in help_of("features")


def test_shipped_models_are_listed(help_of, repository):
    of_response = {"treatment_response"}
    for path in (repository / "models").glob("*.yaml"):
        assert path.stem in help_of("response" if path.stem in of_response else "fit")
