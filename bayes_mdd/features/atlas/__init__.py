"""Atlases and label images."""
