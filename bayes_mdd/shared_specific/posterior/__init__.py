"""From draws to the result: alignment, loadings, variance explained."""
