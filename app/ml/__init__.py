"""Pure numbers: texts, vectors and labels in, better vectors out. No web, database or settings."""
