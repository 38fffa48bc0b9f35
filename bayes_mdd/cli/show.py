"""What a person or a program sees: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

#: Width of tables that go to a file or a pipe.
_PLAIN_WIDTH = 140


def note(text: str) -> None:
    """Tell how the work goes on.

    Parameters
    ----------
    text : str
        One line.
    """
    typer.echo(text, err=True)


def error(text: str) -> None:
    """Tell what stopped the command.

    Parameters
    ----------
    text : str
        Who, what was expected, what to do.
    """
    typer.echo(f"Error: {text}", err=True)


def warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as one line; has the signature of `warnings.showwarning`.

    Parameters
    ----------
    message : Warning or str
        The warning.
    category : type
        Not shown.
    filename : str
        Not shown.
    lineno : int
        Not shown.
    file : file, optional
        Not used.
    line : str, optional
        Not shown.
    """
    note(f"Note: {message}")


def result(lines: Sequence[str]) -> None:
    """Print lines that are the result of a command.

    Parameters
    ----------
    lines : sequence of str
        The lines.
    """
    for text in lines:
        typer.echo(text)


def json_value(value: Any) -> None:
    """Print a result for a program.

    Parameters
    ----------
    value : object
        Anything JSON can hold; NaN is refused, so that the text stays valid JSON.
    """
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a table into plain values.

    Parameters
    ----------
    table : pandas.DataFrame
        A result table.

    Returns
    -------
    list of dict
        One entry a row; what is missing or not finite is None.
    """
    plain: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return plain


def is_terminal() -> bool:
    """Tell whether a person looks on, so that progress bars make sense.

    Returns
    -------
    bool
        True where stderr is a terminal.
    """
    return sys.stderr.isatty()


def checks(table: pd.DataFrame) -> None:
    """Print the checks of a run, those that failed or could not be judged with why or what to do.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.diagnose` returns it.
    """
    words = {True: "passed", False: "FAILED", None: "n/a"}
    rows = [
        [r["name"], _number(r["value"]), _number(r["threshold"]), words[r["passed"]]]
        for r in records(table)
    ]
    _print(_table("Checks", ["check", "value", "threshold", ""], rows))
    left = [r for r in records(table) if r["passed"] is not True and r["advice"]]
    result([f"  {r['name']}: {r['advice']}" for r in left])


def factors(table: pd.DataFrame) -> None:
    """Print what became of every factor.

    Parameters
    ----------
    table : pandas.DataFrame
        As `bayes_mdd.classify_factors` returns it.
    """
    if any(str(c).startswith("expressed_") for c in table.columns):
        _polar_factors(table)
        return
    arms = [c.removeprefix("p_specific_") for c in table.columns if c.startswith("p_specific_")]
    head = ["factor", "label", "P(shared)"]
    head += [f"P({arm} only)" for arm in arms] + [f"variance in {arm}" for arm in arms]
    head.append("means")
    chances = ["p_shared", *(f"p_specific_{arm}" for arm in arms)]
    rows = []
    for r in records(table):
        probabilities = [_number(r[name], ".2f") for name in chances]
        rows.append(
            [
                *(r["factor"], r["label"], *probabilities),
                *(_share(r, a) for a in arms),
                *(r.get("mean_label"), r["networks"]),
            ]
        )
    title = "Factors (approximate: fast path)" if table.attrs.get("approximate") else "Factors"
    _print(_table(title, [*head, "networks"], rows))


def frame(title: str, table: pd.DataFrame) -> None:
    """Print a table as it is, numbers with four digits.

    Parameters
    ----------
    title : str
        What it shows.
    table : pandas.DataFrame
        Its columns are the head.
    """
    rows = [[_number(cell) for cell in row.values()] for row in records(table)]
    _print(_table(title, [str(c) for c in table.columns], rows))


def _polar_factors(table: pd.DataFrame) -> None:
    """Print which arm expresses each factor of a polar LDA more."""
    ends = ("_lower", "_upper")
    arms = [c.removeprefix("expressed_") for c in table.columns if c.startswith("expressed_")]
    arms = [a for a in arms if not a.endswith(ends)]
    head = ["factor", "label", *(f"expressed in {a}" for a in arms)]
    if "p_alike" in table:
        head += [*(f"P({a} more)" for a in arms), "P(alike)"]
    rows = []
    for r in records(table):
        cells = [r["factor"], r["label"], *(_number(r[f"expressed_{a}"], ".2f") for a in arms)]
        if "p_alike" in table:
            cells += [_number(r[f"p_more_{a}"], ".2f") for a in arms]
            cells.append(_number(r["p_alike"], ".2f"))
        rows.append([*cells, r["networks"]])
    _print(_table("Factors", [*head, "largest blocks"], rows))


def _share(row: dict[str, Any], arm: str) -> str:
    """Variance explained with its interval, e.g. ``12% (9-15)``."""
    middle, low, high = (row.get(f"explained_{arm}{end}") for end in ("", "_lower", "_upper"))
    if middle is None:
        return "n/a"
    if low is None or high is None:
        return f"{middle:.0%}"
    return f"{middle:.0%} ({100 * low:.0f}-{100 * high:.0f})"


def _number(value: Any, digits: str = ".4g") -> str:
    if value is None:
        return "n/a"
    return format(value, digits) if isinstance(value, float) else str(value)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in head:
        table.add_column(name)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH).print(table)
