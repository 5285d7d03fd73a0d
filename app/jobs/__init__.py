"""Durable work: the engine, its leases, the dispatcher and the scheduler."""
