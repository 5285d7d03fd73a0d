"""What all request and response models share; it loads no web framework."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class StrictModel(BaseModel):
    """A model that refuses unknown fields, so that a misspelt name is not silently ignored."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


IdempotencyKey = Annotated[str, Field(min_length=1, max_length=80)]
"""The same key sent again stores nothing more."""
