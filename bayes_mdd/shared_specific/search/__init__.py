"""Parallel analysis: components that exceed noise, and the effective number of features."""
