"""Rotatable brains: pages of nilearn, and one viewer of all factors for reports."""
