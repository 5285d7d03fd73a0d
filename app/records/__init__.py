"""Texts and the fields they came with."""
