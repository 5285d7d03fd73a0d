"""Liveness, readiness and metrics for monitoring."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from app.accounts.access import find_current_user
from app.errors import AppError, NotFound
from app.metrics import REGISTRY
from app.monitoring.database_metrics import DatabaseCollector
from app.monitoring.readiness import find_failures
from app.settings import settings


class TokenRequired(AppError):
    """The client is not a browser: no redirect to the login page."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Bearer token required: LIKEWISE_METRICS_TOKEN or an admin's API token.")


router = APIRouter(include_in_schema=False)


@router.get("/health")
def read_health() -> dict[str, str]:
    """Answer while the process lives, without the database's help."""
    return {"status": "ok"}


@router.get("/ready")
def read_readiness() -> JSONResponse:
    """Say whether people can be served now: 200 if every check passes, else 503."""
    failures = find_failures()
    is_ready = not any(failures.values())
    checks = {
        name: {"ok": not advice, **({"advice": advice} if advice else {})}
        for name, advice in failures.items()
    }
    content = {"status": "ready" if is_ready else "not ready", "checks": checks}
    return JSONResponse(content, 200 if is_ready else 503)


def require_metrics_reader(request: Request) -> None:
    """Let in the token of the setting, and API tokens of admins.

    Raises TokenRequired without either, and NotFound for anybody else's API token.
    """
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenRequired
    expected = settings().metrics_token
    if expected and hmac.compare_digest(sent.strip().encode(), expected.encode()):
        return
    user = find_current_user(request)
    if user is None:
        raise TokenRequired
    if user.role != "admin":
        raise NotFound("page")


@router.get("/metrics")
def read_metrics(_: Annotated[None, Depends(require_metrics_reader)]) -> Response:
    """Return all metrics in Prometheus format."""
    of_database = CollectorRegistry()
    of_database.register(DatabaseCollector())
    content = generate_latest(REGISTRY) + generate_latest(of_database)
    return Response(content, media_type=CONTENT_TYPE_LATEST)
