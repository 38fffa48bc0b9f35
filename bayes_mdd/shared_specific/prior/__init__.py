"""Priors of the factor model."""
