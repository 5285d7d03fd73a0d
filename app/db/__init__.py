"""The database: sessions, the write queue, the schema."""
