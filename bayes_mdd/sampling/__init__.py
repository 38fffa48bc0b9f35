"""The only package that calls a sampler; run folders."""
