"""Treatment response: who gets better, and who gets better on which drug."""
