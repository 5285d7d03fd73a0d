"""Two people at a project with a dozen records."""

from tests.labeling.conftest import desk, multi_desk

__all__ = ["desk", "multi_desk"]
