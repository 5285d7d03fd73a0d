"""Maps of all records: stored per version, drawn by the worker, shown with labels."""
