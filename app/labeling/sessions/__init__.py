"""Labeling sessions: how records are selected, ordered, forecast and accepted."""
