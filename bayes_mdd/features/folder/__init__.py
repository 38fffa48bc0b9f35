"""Features of a cohort folder."""
