"""Static files under URLs that name their content, so that browsers may keep them for a year."""

import hashlib
import re
from functools import lru_cache

from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.types import Scope

from app.resources import resource_folder

STATIC = resource_folder("static")
# Modules import each other by relative URLs, which drop a query: their fingerprint is a folder.
MODULE_FOLDER = re.compile(r"js/([0-9a-f]{12})/")


@lru_cache(maxsize=256)
def _fingerprint(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]


@lru_cache(maxsize=1)
def _modules_fingerprint() -> str:
    """One fingerprint of all scripts: whatever a module imports is of the same release."""
    digest = hashlib.sha256()
    for path in sorted((STATIC / "js").rglob("*.js")):
        content = path.read_bytes()
        name = path.relative_to(STATIC).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def static_url(path: str) -> str:
    """Return the file's URL with its content's fingerprint."""
    return f"/static/{path}?v={_fingerprint(path)}"


def module_url(path: str) -> str:
    """Return the URL of the ES module `static/js/{path}`, below the fingerprint of all of them."""
    return f"/static/js/{_modules_fingerprint()}/{path}"


def is_immutable(request: Request) -> bool:
    """Whether what this URL of a static file answers never changes."""
    path = request.url.path.removeprefix("/static/")
    # A page of another release may ask for its own modules: what it gets now are not those.
    if folder := MODULE_FOLDER.match(path):
        return folder[1] == _modules_fingerprint()
    return "v" in request.query_params or path.startswith("vendor/")


class FingerprintedFiles(StaticFiles):
    """Static files, with the modules in whatever folder a fingerprint names."""

    def get_path(self, scope: Scope) -> str:
        """Return the file's path, without the fingerprint of the modules."""
        return MODULE_FOLDER.sub("js/", super().get_path(scope), count=1)
