"""Standardisation, harmonisation, quality control, and change between sessions."""
