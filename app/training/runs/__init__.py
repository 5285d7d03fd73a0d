"""Training runs: requested, triggered, followed, cancelled."""
