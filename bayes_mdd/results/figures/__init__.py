"""Figures of signatures."""
