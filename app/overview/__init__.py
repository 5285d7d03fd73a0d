"""Overview pages: all projects, and one project with its checklist."""
