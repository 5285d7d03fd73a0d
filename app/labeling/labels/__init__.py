"""The label set: editing, merging, keyboard shortcuts."""
