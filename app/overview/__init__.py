"""The pages that look into every room: all projects, and one project with its checklist."""
