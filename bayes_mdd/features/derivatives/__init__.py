"""Readers for the outputs of other tools: a registry of formats and the steps common to all."""

from __future__ import annotations

from bayes_mdd.features.derivatives.reading import Arrays, read_arrays, read_derivatives

__all__ = ["Arrays", "read_arrays", "read_derivatives"]
