"""Features relative to a reference; harmonisation, quality and change."""
