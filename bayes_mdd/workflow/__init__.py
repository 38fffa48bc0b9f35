"""The main job: fit, check, classify, report."""
