"""Measures computed from time series, images and connectivity matrices."""
