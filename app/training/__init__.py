"""Training: from labels to a new version."""
