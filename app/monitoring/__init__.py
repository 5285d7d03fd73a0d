"""Liveness, readiness and metrics for monitoring."""
