"""From labels to a better encoder."""
