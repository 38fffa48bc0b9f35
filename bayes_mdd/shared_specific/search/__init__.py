"""The search for components that exceed those of noise."""
