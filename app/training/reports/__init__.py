"""What a run measured: metrics, advice, tables, segments."""
