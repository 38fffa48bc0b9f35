"""Where chains start: a spectral split of the features and the mode near it."""
