"""Findings of the literature: queries, contradictions, concordance with a posterior."""
