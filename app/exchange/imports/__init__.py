"""Files in: formats, rows, mapping, storing."""
