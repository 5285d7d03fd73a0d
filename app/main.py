"""create_app(): the routers, static files, the same-origin check, the size of bodies, the log."""

from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.accounts import api as accounts_api
from app.accounts import me_pages as me
from app.accounts import pages as accounts
from app.accounts import users_pages as users
from app.exchange import api as exchange_api
from app.exchange import pages as exchange
from app.exchange.imports.uploads import TooLarge
from app.labeling import api as labeling_api
from app.labeling import pages as labeling
from app.maps import api as maps_api
from app.maps import pages as maps
from app.monitoring import api as monitoring_api
from app.notifications import api as notices_api
from app.notifications import pages as notifications
from app.overview import api as overview_api
from app.overview import pages as overview
from app.progress import api as progress_api
from app.progress import pages as progress
from app.record_search import api as browsing_api
from app.record_search import pages as browsing
from app.records import api as records_api
from app.search import api as search_api
from app.settings import settings
from app.training import api as training_api
from app.training import pages as training
from app.training.runs import trigger_policy_pages as policy_pages
from app.versions import api as versions_api
from app.versions import pages as versions
from app.web.body_limit import MEGABYTE, BodyLimit, BodyLimitMiddleware, limit_to_megabytes
from app.web.characters import check_characters
from app.web.errors import (
    ERROR_HANDLERS,
    SAFE_METHODS,
    SECURITY_HEADERS,
    problem_response,
)
from app.web.request_log import RequestLog
from app.web.static_files import STATIC, FingerprintedFiles, is_immutable

# Routes are looked through in this order: the one that keeps a label comes first.
ROUTER_MODULES = (
    labeling_api,
    accounts,
    me,
    users,
    overview,
    browsing,
    labeling,
    training,
    policy_pages,
    exchange,
    progress,
    notifications,
    versions,
    accounts_api,
    overview_api,
    browsing_api,
    records_api,
    search_api,
    training_api,
    exchange_api,
    progress_api,
    notices_api,
    versions_api,
    maps,
    maps_api,
)
MAX_BODY_MB = 2
# A thousand records at once.
MAX_RECORDS_BODY_MB = 32
# What a multipart body may add to the file itself.
FRAME_BYTES = 64 * 1024
_RECORDS, *_UPLOADS = (
    compile_path(path)[0]
    for path in (
        "/api/v1/projects/{slug}/records",
        "/api/v1/projects/{slug}/imports",
        "/projects/{slug}/imports",
    )
)


class RequestGuard:
    """Refuses writes that another site sends in a user's name, and puts our headers on answers.

    A browser says where a request comes from (Sec-Fetch-Site, or at least Origin); a program that
    says neither must show an API token instead of a cookie.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        if request.method not in SAFE_METHODS and not is_same_origin(request):
            refusal = problem_response(403, "Request refused: it came from another site.")
            await refusal(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(message, request)
            await send(message)

        await self.app(scope, receive, with_headers)


def find_body_limit(path: str) -> BodyLimit:
    """How large a body may be that is sent to this address."""
    if any(upload.match(path) for upload in _UPLOADS):
        n_bytes = settings().max_upload_mb * MEGABYTE + FRAME_BYTES
        return BodyLimit(n_bytes, TooLarge().sentence)
    return limit_to_megabytes(MAX_RECORDS_BODY_MB if _RECORDS.match(path) else MAX_BODY_MB)


def add_headers(message: Message, request: Request) -> None:
    """Our security headers, and caching for what never changes under its URL."""
    present = {name.lower() for name, _ in message["headers"]}
    wanted = {**SECURITY_HEADERS, "Cache-Control": _cache_control(request)}
    if settings().is_https:
        wanted["Strict-Transport-Security"] = "max-age=31536000"
    for name, value in wanted.items():
        if name.lower().encode() not in present:
            message["headers"].append((name.lower().encode(), value.encode()))


def _cache_control(request: Request) -> str:
    if not request.url.path.startswith("/static/"):
        return "no-store"
    return "public, max-age=31536000, immutable" if is_immutable(request) else "no-cache"


def is_same_origin(request: Request) -> bool:
    """Whether a write comes from our own pages, or from a program that holds a token."""
    if request.headers.get("Authorization", "").lower().startswith("bearer "):
        return "cookie" not in request.headers
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    own_host, theirs = _origin(settings().public_url), _origin(origin)
    if own_host is not None:
        return theirs == own_host
    host = request.headers.get("Host", "")
    return theirs is not None and bool(host) and urlsplit(origin).netloc == host


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port, the usual port written out; None if the URL has no host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)


def create_app() -> FastAPI:
    """Create the web application; the caller prepares the database and the first admin."""
    app = FastAPI(
        title="Likewise",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        dependencies=[Depends(check_characters)],
    )
    proxies = settings().proxy_networks
    # The last one added is the outermost.
    app.add_middleware(BodyLimitMiddleware, find_limit=find_body_limit)
    app.add_middleware(RequestGuard)
    if proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    app.add_middleware(RequestLog, proxy_networks=proxies)
    app.mount("/static", FingerprintedFiles(directory=STATIC), name="static")
    app.include_router(monitoring_api.router)
    for module in ROUTER_MODULES:
        app.include_router(module.router)
    for kind, handler in ERROR_HANDLERS.items():
        app.add_exception_handler(kind, handler)
    return app
