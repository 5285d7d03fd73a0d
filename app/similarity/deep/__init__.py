"""Tuning the whole encoder."""
