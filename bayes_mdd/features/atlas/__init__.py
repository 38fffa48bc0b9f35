"""Atlases, circuits and label images."""
