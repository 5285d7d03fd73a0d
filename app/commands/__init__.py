"""Shell commands for the operator; they use the database directly, without server or login."""
