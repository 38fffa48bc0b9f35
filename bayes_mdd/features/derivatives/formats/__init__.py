"""Format readers, one module per tool or kind of file."""
