"""Users, logins, API tokens and permissions."""
