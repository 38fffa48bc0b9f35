"""Machine-learning baselines: predictors of the outcome and of the better drug, on common folds."""
