"""Robustness of a polar LDA: permutation null, bootstrap, split halves, token scale."""
