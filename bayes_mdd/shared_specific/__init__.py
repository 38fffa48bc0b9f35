"""The factor model of shared and arm-specific patterns."""
