"""Sections of the page about treatment response: what each says, as text for the template."""
