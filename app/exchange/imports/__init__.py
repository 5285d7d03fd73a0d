"""Import of files: formats, rows, column mapping, storing."""
