"""Notify users and systems: on the pages, by webhook, by e-mail."""
