"""What an operator does from a shell, on the database itself, without a server or a login."""
