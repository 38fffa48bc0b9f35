"""What the report says of the factor model."""
