"""Checks of a fit: convergence, residuals, priors."""
