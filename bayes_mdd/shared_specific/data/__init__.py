"""From features and symptoms to the arrays of the model."""
