"""Versions of the encoder: lineage, comparison, retention."""
