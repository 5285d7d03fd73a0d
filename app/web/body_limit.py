"""Limit the size of request bodies, whether the length is declared or not.

Decision: Starlette counts what arrives, but a declared length is compared here, first. Starlette
compares it only when a route reads the body or answers: a route that reads none would do its write
and then answer 413. Its answer would also be plain text instead of our sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.errors import BODY_LIMIT_SENTENCE, error_response

MEGABYTE = 1024**2


@dataclass(frozen=True)
class BodyLimit:
    """The maximum size, and the message for larger bodies."""

    n_bytes: int
    sentence: str


def limit_to_megabytes(n_mb: int) -> BodyLimit:
    """Build the usual limit with the usual message."""
    return BodyLimit(
        n_mb * MEGABYTE, f"The request is larger than {n_mb} MB. Send less data per request."
    )


class BodyLimitMiddleware:
    """Refuses bodies that are larger than the limit of their path."""

    def __init__(self, app: ASGIApp, find_limit: Callable[[str], BodyLimit]) -> None:
        self.app = app
        self._find_limit = find_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._find_limit(scope["path"])
        scope[BODY_LIMIT_SENTENCE] = limit.sentence
        request = Request(scope)
        if _read_content_length(request) > limit.n_bytes:
            await error_response(request, 413, limit.sentence)(scope, receive, send)
            return
        counted = RequestBodyLimitMiddleware(self.app, max_body_size=limit.n_bytes)
        await counted(scope, receive, send)


def _read_content_length(request: Request) -> int:
    declared = request.headers.get("Content-Length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0
