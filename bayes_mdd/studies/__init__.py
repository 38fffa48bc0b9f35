"""Studies that refit a model: comparison, cross-validation, permutation."""
