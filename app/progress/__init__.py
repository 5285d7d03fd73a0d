"""Labeling progress by label, annotator, session and method."""
