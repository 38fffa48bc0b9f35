"""Whitening of correlations: features with independent errors from edges whose errors are not."""
