"""Fits of several cohorts combined from summaries, without data of participants."""
