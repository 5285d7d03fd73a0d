"""Records, a label set and encoder versions that belong together."""
