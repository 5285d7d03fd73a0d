"""From similarity to labels."""
