"""create_app(): the routers, static files, clear error answers, the same-origin check, health."""

from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts import api as accounts_api
from app.accounts import pages as accounts
from app.errors import AppError, LoginNeeded
from app.exchange import api as exchange_api
from app.exchange import pages as exchange
from app.html import STATIC, render, wants_fragment
from app.labeling import api as labeling_api
from app.labeling import pages as labeling
from app.overview import api as overview_api
from app.overview import pages as overview
from app.records import api as records_api
from app.records import pages as records
from app.search import api as search_api
from app.search import pages as search
from app.settings import settings
from app.training import api as training_api
from app.training import pages as training

ROOMS = (
    accounts, overview, records, search, labeling, training, exchange,
    accounts_api, overview_api, records_api, search_api, labeling_api, training_api, exchange_api,
)  # fmt: skip
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
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
            refusal = problem(403, "This write came from another site and was refused.")
            await refusal(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(message, request.url.path)
            await send(message)

        await self.app(scope, receive, with_headers)


def add_headers(message: Message, path: str) -> None:
    """Our security headers, and caching for what never changes under its URL."""
    cache = "public, max-age=31536000, immutable" if path.startswith("/static/") else "no-store"
    present = {name.lower() for name, _ in message["headers"]}
    for name, value in {**HEADERS, "Cache-Control": cache}.items():
        if name.lower().encode() not in present:
            message["headers"].append((name.lower().encode(), value.encode()))


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
    ours = urlsplit(settings().public_url).netloc or request.headers.get("Host", "")
    return urlsplit(origin).netloc == ours


def problem(status: int, sentence: str) -> JSONResponse:
    """An error for programs, as RFC 9457 says."""
    content = {"type": "about:blank", "title": sentence, "status": status}
    return JSONResponse(content, status, media_type="application/problem+json")


def answer_error(request: Request, status: int, sentence: str) -> Response:
    """The same sentence for everyone: problem+json, a fragment, or a page."""
    if request.url.path.startswith("/api/") or "application/json" in request.headers.get(
        "Accept", ""
    ):
        return problem(status, sentence)
    template = "_notice.html" if wants_fragment(request) else "error.html"
    return render(request, template, status=status, sentence=sentence, error_status=status)


def on_app_error(request: Request, error: Exception) -> Response:
    """What a person can mend."""
    assert isinstance(error, AppError)
    is_page = not request.url.path.startswith("/api/") and not wants_fragment(request)
    if isinstance(error, LoginNeeded) and is_page and request.method == "GET":
        return RedirectResponse(f"/login?next={request.url.path}", 303)
    return answer_error(request, error.status, error.sentence)


def on_http_error(request: Request, error: Exception) -> Response:
    """Unknown addresses and methods."""
    assert isinstance(error, HTTPException)
    sentence = "There is no such page." if error.status_code == 404 else str(error.detail)
    return answer_error(request, error.status_code, sentence)


def on_invalid(request: Request, error: Exception) -> Response:
    """The first value that could not be read, named."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return answer_error(request, 422, f"{where}: {first['msg']}.")


def health() -> dict[str, str]:
    """Answers while the process lives, without the database's help."""
    return {"status": "ok"}


def create_app() -> FastAPI:
    """The web application; database and first admin are the caller's matter (app.cli serve)."""
    app = FastAPI(
        title="Likewise", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    app.add_middleware(Guard)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_api_route("/health", health, include_in_schema=False)
    for room in ROOMS:
        app.include_router(room.router)
    app.add_exception_handler(AppError, on_app_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    return app
