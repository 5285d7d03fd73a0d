"""Fields that several forms share."""

from typing import Annotated

from fastapi import Form

IdempotencyKeyField = Annotated[str, Form(min_length=1, max_length=80)]
"""schemas.IdempotencyKey as a field of a form."""
