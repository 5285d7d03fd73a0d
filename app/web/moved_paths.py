"""Redirects from URLs of release 0.1 to their new names."""

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

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
    """Return the new URL; None if it never moved."""
    for pattern, new in MOVED:
        if found := pattern.match(path):
            return found["before"] + new + path[found.end() :]
    return None


def redirect_to_new_path(request: Request) -> Response | None:
    """308, which keeps method and body, to where an unknown address is now; None if nowhere."""
    path = find_new_path(request.url.path)
    if path is None:
        return None
    return RedirectResponse(f"{path}?{request.url.query}" if request.url.query else path, 308)
