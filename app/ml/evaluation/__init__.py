"""What a number means, and how far it can be trusted."""
