"""Error handlers: the same message for pages, fragments and API clients."""

import logging
from urllib.parse import quote
from uuid import uuid4

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from app.db.errors import clear_error
from app.errors import (
    AppError,
    LoginRequired,
    Unreachable,
    translate_disk_error,
    validation_message,
)
from app.web.moved_paths import redirect_to_new_path
from app.web.templating import render, wants_fragment

log = logging.getLogger(__name__)

# Key in the request's scope: the message for a body over the limit of its URL.
BODY_LIMIT_SENTENCE = "likewise.body_limit_sentence"
REQUEST_ID_HEADER = "X-Request-ID"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def problem_response(status: int, sentence: str) -> JSONResponse:
    """Build an error response for API clients (RFC 9457)."""
    content = {"type": "about:blank", "title": sentence, "status": status}
    return JSONResponse(content, status, media_type="application/problem+json")


def error_response(request: Request, status: int, sentence: str) -> Response:
    """Build an error response as problem+json, a fragment or a page."""
    if request.url.path.startswith("/api/") or "application/json" in request.headers.get(
        "Accept", ""
    ):
        return problem_response(status, sentence)
    template = "_notice.html" if wants_fragment(request) else "error.html"
    return render(request, template, status=status, sentence=sentence, error_status=status)


def on_app_error(request: Request, error: Exception) -> Response:
    """Handle an expected error."""
    assert isinstance(error, AppError)
    is_page = not request.url.path.startswith("/api/") and not wants_fragment(request)
    if isinstance(error, LoginRequired) and is_page and request.method in SAFE_METHODS:
        current_url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(current_url)}", 303)
    if error.status == 404 and (moved := redirect_to_new_path(request)):
        return moved
    response = error_response(request, error.status, error.sentence)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unreachable):
        log.warning(
            "%s %s: the database cannot be reached: %s",
            request.method,
            request.url.path,
            error.reason,
        )
    return response


def on_database_error(request: Request, error: Exception) -> Response:
    """Handle a database that is full, busy or unreachable, or refused a value."""
    assert isinstance(error, DBAPIError)
    translated = clear_error(error)
    return (
        on_app_error(request, translated)
        if isinstance(translated, AppError)
        else on_unexpected_error(request, error)
    )


def on_system_error(request: Request, error: Exception) -> Response:
    """Handle a full disk; any other system error is unexpected."""
    assert isinstance(error, OSError)
    translated = translate_disk_error(error)
    return (
        on_app_error(request, translated)
        if isinstance(translated, AppError)
        else on_unexpected_error(request, error)
    )


def on_unexpected_error(request: Request, error: Exception) -> Response:
    """Handle a bug: details go to the log under a number, and the page shows the number."""
    incident = uuid4().hex[:8]
    log.error("Incident %s: %s %s", incident, request.method, request.url.path, exc_info=error)
    sentence = f"Internal error. Give your administrator this number from the log: {incident}."
    response = error_response(request, 500, sentence)
    # This response bypasses all middleware.
    response.headers.update({**SECURITY_HEADERS, "Cache-Control": "no-store"})
    response.headers[REQUEST_ID_HEADER] = request.scope["request_id"]
    return response


def on_http_error(request: Request, error: Exception) -> Response:
    """Handle unknown URLs and methods, and unreadable bodies."""
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405) and (moved := redirect_to_new_path(request)):
        return moved
    sentences = {
        404: "Page not found.",
        405: f"Method not allowed: {request.method}.",
        413: request.scope.get(BODY_LIMIT_SENTENCE, str(error.detail)),
    }
    sentence = sentences.get(error.status_code, str(error.detail))
    return error_response(request, error.status_code, sentence)


def on_validation_error(request: Request, error: Exception) -> Response:
    """Name the first invalid value."""
    assert isinstance(error, RequestValidationError)
    return error_response(request, 422, validation_message(error.errors(), skip=1))


ERROR_HANDLERS = {
    AppError: on_app_error,
    HTTPException: on_http_error,
    RequestValidationError: on_validation_error,
    DBAPIError: on_database_error,
    OSError: on_system_error,
    Exception: on_unexpected_error,
}
