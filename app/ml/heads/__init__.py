"""Heads: small networks from raw to tuned vectors."""
