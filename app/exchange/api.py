"""The exchange room for programs."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["exchange"])
