"""Polar LDA of signed network blocks, with a full posterior."""
