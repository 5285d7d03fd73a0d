"""The search room's library of messages, for the records page."""

from tests.search.conftest import encoder, library, loaded_tiny, new_project, tiny_model

__all__ = ["encoder", "library", "loaded_tiny", "new_project", "tiny_model"]
