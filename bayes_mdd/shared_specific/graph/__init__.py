"""The model as a PyMC graph."""
