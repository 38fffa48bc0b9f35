"""Tables of factors, arms and symptom links."""
