"""Reliability of factors: halves of a scan, pieces of a scan, two sessions."""
