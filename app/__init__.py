"""Likewise: label one record, and likewise the ones like it."""
