"""What results of all models have in common: reading, checks, maps, export."""
