"""Write the page of commands from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from bayes_mdd.cli import app

HEAD = """# Commands

The help of every command, as `bayes-mdd COMMAND --help` prints it. Exit status: 0 success; 1
completed, but a check failed; 2 invalid input, or a file that cannot be written; 3 internal error.
"""


def write_page(path: Path) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
        The file; it is not touched if its text would not change.
    """
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    text = "\n".join(
        [HEAD, *(line for name in commands for line in _section(name, commands[name]))]
    )
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _section(name: str, command: Any) -> Iterator[str]:
    yield f"## bayes-mdd {name}\n"
    yield f"{command.help.strip()}\n"
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    yield "| | | default |"
    yield "|---|---|---|"
    for param in shown:
        words = ", ".join(f"`{o}`" for o in param.opts) if param.opts[0][0] == "-" else ""
        words = words or f"`{(param.metavar or param.name).upper()}`"
        yield f"| {words} | {_cell(getattr(param, 'help', '') or '')} | {_default(param)} |"
    yield ""


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if isinstance(shown := getattr(param, "show_default", None), str):
        return _cell(shown)
    if param.default in (None, False, ()):
        return ""
    return f"`{getattr(param.default, 'value', param.default)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("\\[", "[").replace("*", "\\*")
