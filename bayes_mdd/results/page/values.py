"""Values of a page: pictures, tables and what a caller chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from bayes_mdd.features import Quality


@dataclass(frozen=True)
class Picture:
    """A figure as it goes into the page.

    Parameters
    ----------
    title : str
        Its name. The id in the page (``"fig-..."``) and the names of downloads are made of it.
    alt : str
        What it shows, for readers who cannot see it.
    data : str
        The image in base64.
    caption : str, default ""
        Sentences under the figure; `alt` where empty.
    kind : {"svg", "png"}, default "png"
        Format of `data`.
    width, height : float, default 0
        Size in inches; 0 where unknown. Text of the figure stays legible on narrow screens only
        if the width is known.
    """

    title: str
    alt: str
    data: str = field(metadata={"text": False})
    caption: str = ""
    kind: Literal["svg", "png"] = "png"
    width: float = 0
    height: float = 0

    @property
    def source(self) -> str:
        """The image as a data URI."""
        kind = "svg+xml" if self.kind == "svg" else "png"
        return f"data:image/{kind};base64,{self.data}"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title : str
        Its heading.
    numeric : bool, default False
        Whether cells are set flush right.
    """

    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of a table that is more than its text.

    Parameters
    ----------
    text : str
        What is shown.
    cls : str, default ""
        Classes of the cell: ``"passed"``, ``"failed"``, ``"not-judged"``, ``"strong"``,
        ``"quiet"``.
    sort : float or str, optional
        What the column is sorted by; by default the first number of the text, or the text.
    href : str, default ""
        Place in the page the text links to, e.g. ``"#factor-F1"``.
    """

    text: str
    cls: str = ""
    sort: float | str | None = None
    href: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table with a class of its own.

    Parameters
    ----------
    cells : sequence of str or Cell
        One for each column.
    cls : str, default ""
        ``"quiet"`` for rows of less interest, ``"leaky"`` for results that are too good.
    """

    cells: Sequence[str | Cell]
    cls: str = ""


@dataclass(frozen=True)
class Table:
    """A table as it goes into the page; numbered, sortable, and downloadable as TSV.

    Parameters
    ----------
    id : str
        Unique in the page, e.g. ``"links"``; also the name of the download.
    caption : str
        Says what the cells are: quantity, unit, interval.
    columns : sequence of Column or str
        Headings.
    rows : sequence of Row, or of sequences of str or Cell
        The first cell of a row is its heading.
    note : str, default ""
        Sentences under the table.
    stack : bool, default False
        Whether rows become blocks on narrow screens, for tables with long texts.
    """

    id: str
    caption: str
    columns: Sequence[Column | str]
    rows: Sequence[Row | Sequence[str | Cell]]
    note: str = ""
    stack: bool = False

    @property
    def heads(self) -> list[Column]:
        """The columns, each a `Column`."""
        return [Column(c) if isinstance(c, str) else c for c in self.columns]

    @property
    def lines(self) -> list[Row]:
        """The rows, each a `Row` of `Cell`."""
        found = []
        for row in self.rows:
            cells, cls = (row.cells, row.cls) if isinstance(row, Row) else (row, "")
            cells = [c if isinstance(c, Cell) else Cell(str(c)) for c in cells]
            found.append(Row(cells, cls))
        return found


def table_from_records(
    id: str,
    caption: str,
    columns: Mapping[str, Column | str],
    records: Iterable[Mapping[Any, Any]],
    *,
    note: str = "",
    stack: bool = False,
) -> Table:
    """Make a table of records.

    Parameters
    ----------
    id, caption : str
        As of `Table`.
    columns : mapping of str to Column or str
        Key of a record to heading, in order.
    records : iterable of mapping
        Cells by key, each text or `Cell`; a key ``"cls"`` gives the class of the row, and a true
        ``"quiet"`` or ``"leaky"`` is a class as well.
    note : str, default ""
        Sentences under the table.
    stack : bool, default False
        As of `Table`.

    Returns
    -------
    Table
        The table.

    Examples
    --------
    >>> columns = {"factor": "factor", "p": Column("P", numeric=True)}
    >>> made = table_from_records("p", "Probabilities", columns, [{"factor": "F1", "p": "0.9"}])
    >>> made.lines[0].cells[1].text
    '0.9'
    """
    rows = []
    for record in records:
        flags = [name for name in ("quiet", "leaky") if record.get(name)]
        cls = " ".join([str(record.get("cls", "")), *flags]).strip()
        cells = [c if isinstance(c := record[key], Cell) else str(c) for key in columns]
        rows.append(Row(cells, cls))
    return Table(id, caption, tuple(columns.values()), tuple(rows), note, stack)


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """What a caller chooses about a report.

    Parameters
    ----------
    title : str, optional
        Heading; by default that of the model family.
    quality : Quality, optional
        From `check_quality`; by default what was recorded with the features.
    top_edges : int, default 60
        Edges in each connectome picture.
    with_participants : bool, default False
        Whether the page names participants, the command line and folders.
    analyses : mapping of str to DataFrame
        Tables of additional analyses by name, see `bayes_mdd.results.stored_analyses`.
    """

    title: str | None = None
    quality: Quality | None = None
    top_edges: int = 60
    with_participants: bool = False
    analyses: Mapping[str, pd.DataFrame] = field(default_factory=dict)
