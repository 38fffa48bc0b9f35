"""Samplers and run folders; no other package calls a sampler."""
