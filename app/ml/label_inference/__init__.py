"""From a few labels to a probability for every record."""
