"""Outputs of other tools: one module a tool, a registry, one way to join and check."""

from __future__ import annotations

from bayes_mdd.features.derivatives.reading import Arrays, read_arrays, read_derivatives

__all__ = ["Arrays", "read_arrays", "read_derivatives"]
