"""People, logins, tokens, and who may do what."""
