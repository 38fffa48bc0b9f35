"""Independent tasks: where they run, and how their results are kept until all are complete."""
