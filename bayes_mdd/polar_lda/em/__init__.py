"""Variational EM of polar LDA, and the published program's files."""
