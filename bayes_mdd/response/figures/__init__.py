"""Figures of treatment response."""
