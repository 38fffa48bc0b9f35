"""Posterior of the factor model: draws, their alignment, loadings, variance explained, result."""
