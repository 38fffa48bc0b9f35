"""Priors of the factor model, each as one value with a density and draws."""
