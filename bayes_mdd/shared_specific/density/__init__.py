"""The compiled log density of the model and its gradient."""
