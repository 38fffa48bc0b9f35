"""Variational EM of polar LDA, and files of the published program."""
