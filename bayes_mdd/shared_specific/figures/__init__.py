"""Figures of factors and symptom links."""
