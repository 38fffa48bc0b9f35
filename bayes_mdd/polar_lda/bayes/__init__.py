"""Polar LDA over signed network blocks, with a full posterior."""
