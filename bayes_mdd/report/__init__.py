"""One self-contained page about a fit."""

from __future__ import annotations

from bayes_mdd.report.page import write_report

__all__ = ["write_report"]
