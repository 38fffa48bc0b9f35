"""Subjects who were not in the fit: scores and predicted symptoms."""
