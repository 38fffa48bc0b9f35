"""Measures computed from time series and matrices."""
