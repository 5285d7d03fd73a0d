"""All records on one sheet: stored per version, drawn by the worker, shown with what is known."""
