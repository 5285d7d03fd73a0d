"""Projects: records, a label set and versions that belong together."""
