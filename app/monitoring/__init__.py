"""Alive, ready and metrics, for those who watch the server."""
