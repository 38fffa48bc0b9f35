"""Files of a run for other programs: one module a format, over a common value."""
