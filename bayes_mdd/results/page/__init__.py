"""The frame of all reports: figures inline, text escaped, nothing fetched from elsewhere."""

from bayes_mdd.results.page.pictures import embed
from bayes_mdd.results.page.render import render_page, slug, write_page
from bayes_mdd.results.page.text import check_row, format_number
from bayes_mdd.results.page.values import (
    Cell,
    Column,
    PageOptions,
    Picture,
    Row,
    Table,
    table_from_records,
)

__all__ = [
    "Cell",
    "Column",
    "PageOptions",
    "Picture",
    "Row",
    "Table",
    "check_row",
    "embed",
    "format_number",
    "render_page",
    "slug",
    "table_from_records",
    "write_page",
]
