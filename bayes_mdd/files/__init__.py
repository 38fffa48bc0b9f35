"""Guarded reading of files, and writing that loses nothing when it is interrupted."""
