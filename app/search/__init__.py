"""Similarity search, embeddings, indexes and versions."""
