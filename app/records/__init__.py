"""Records: texts with their fields."""
