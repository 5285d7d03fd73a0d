"""Votes about records: stored, withdrawn, and settled into a consensus."""
