"""The log density of the model in closed form, compiled once."""
