"""The command line ``bayes-mdd``: the main job on files."""

from __future__ import annotations

from bayes_mdd.cli.app import app, main

__all__ = ["app", "main"]
