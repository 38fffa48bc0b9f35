"""Results on stdout: lines, tables and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

#: Width of tables that are written to a file or a pipe.
_PLAIN_WIDTH = 140


def print_lines(lines: Iterable[object]) -> None:
    """Print one line each.

    Parameters
    ----------
    lines : iterable
        Texts or paths.
    """
    for line in lines:
        typer.echo(str(line))


def print_json(value: Any) -> None:
    """Print a result for a program.

    Parameters
    ----------
    value : object
        Values that JSON can represent. NaN is refused, so that the output is valid JSON.
    """
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert a table to values that JSON can represent.

    Parameters
    ----------
    table : pandas.DataFrame
        A result table.

    Returns
    -------
    list of dict
        One entry per row; missing and infinite values are None.
    """
    plain: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return plain


def print_table(title: str, table: pd.DataFrame) -> None:
    """Print a table, numbers with four significant digits.

    Parameters
    ----------
    title : str
        Title above the table.
    table : pandas.DataFrame
        Columns become the header.
    """
    rows = [[_text(cell) for cell in row.values()] for row in records(table)]
    _print(title, [str(c) for c in table.columns], rows)


def print_checks(table: pd.DataFrame) -> None:
    """Print the checks of a run, with advice for those that failed or could not be judged.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.diagnose` returns it.
    """
    words = {True: "passed", False: "FAILED", None: "n/a"}
    found = records(table)
    rows = [
        [r["name"], _text(r["value"]), _text(r["threshold"]), words[r["passed"]]] for r in found
    ]
    _print("Checks", ["check", "value", "threshold", ""], rows)
    open_ = [r for r in found if r["passed"] is not True and r["advice"]]
    print_lines(f"  {r['name']}: {r['advice']}" for r in open_)


def _text(value: Any) -> str:
    if value is None:
        return "n/a"
    return format(value, ".4g") if isinstance(value, float) else str(value)


def _print(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # Imported here: commands that print no table, and --help, do not need it.
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        # Not as markup, which would swallow brackets.
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH).print(table)
