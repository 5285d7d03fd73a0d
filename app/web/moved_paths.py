"""Addresses of release 0.1 that have new names: bookmarks and programs are sent on."""

import re

from starlette.datastructures import URL
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PROJECT = r"^(?P<before>(?:/api/v1)?/projects/[^/]+"
_API_PROJECT = r"^(?P<before>/api/v1/projects/[^/]+"
MOVED = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"^(?P<before>(?:/api/v1)?)/notices(?=/|$)", "/notifications"),
        (_PROJECT + r")/notices(?=/|$)", "/notifications"),
        (_API_PROJECT + r")/slices(?=/|$)", "/saved-searches"),
        (_API_PROJECT + r")/remarks$", "/comments"),
        (_API_PROJECT + r")/overlap$", "/multi-annotation"),
        (_API_PROJECT + r"/training)/audit$", "/holdout"),
        (_API_PROJECT + r"/runs/[^/]+)/story$", "/summary"),
        (_API_PROJECT + r"/versions)/family$", "/lineage"),
        (_PROJECT + r"(?:/training)?/runs/[^/]+/plots)/audit(?=[.]|$)", "/holdout"),
        (_PROJECT + r"(?:/training)?/runs/[^/]+/plots)/slices(?=[.]|$)", "/segments"),
    )
)


def find_new_path(path: str) -> str | None:
    """Where this address is now; None if it never moved."""
    for pattern, new in MOVED:
        if found := pattern.match(path):
            return found["before"] + new + path[found.end() :]
    return None


class MovedPathsMiddleware:
    """Answers old addresses with 308, which keeps the method and the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = find_new_path(scope["path"]) if scope["type"] == "http" else None
        if path is None:
            await self.app(scope, receive, send)
            return
        url = URL(scope=scope)
        target = f"{path}?{url.query}" if url.query else path
        await RedirectResponse(target, 308)(scope, receive, send)
