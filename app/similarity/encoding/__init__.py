"""Texts to raw vectors."""
