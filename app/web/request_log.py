"""Every request gets an id, a line in the log, and is counted for the metrics."""

import ipaddress
import logging
import re
import time
from collections.abc import Sequence
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logging_setup import request_scope
from app.metrics import REQUEST_SECONDS, REQUESTS
from app.web.errors import REQUEST_ID_HEADER

log = logging.getLogger(__name__)

_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Labels of metrics are kept for ever: what a client can invent is not one of them.
_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
_QUIET_ROUTES = {"/health", "/ready", "/metrics", "/static"}


class RequestLog:
    """The outermost middleware: it must see the peer's address before X-Forwarded-For hides it."""

    def __init__(self, app: ASGIApp, proxy_networks: Sequence[str]) -> None:
        """proxy_networks: who may choose the id of a request."""
        self.app = app
        self._proxies = [ipaddress.ip_network(proxy_network) for proxy_network in proxy_networks]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["request_id"] = self._choose_id(scope)
        # Never reset: an error that nobody foresaw is logged outside of here. Each request has a
        # context of its own.
        request_scope.set(scope)
        began = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = scope["request_id"]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            _record(scope, status, time.perf_counter() - began)

    def _choose_id(self, scope: Scope) -> str:
        sent = Headers(scope=scope).getlist(REQUEST_ID_HEADER)
        if len(sent) == 1 and _WELL_FORMED_ID.fullmatch(sent[0]) and self._is_from_proxy(scope):
            return sent[0]
        return uuid4().hex

    def _is_from_proxy(self, scope: Scope) -> bool:
        try:
            peer = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False  # A socket without an address, or a test.
        return any(peer in network for network in self._proxies)


def _record(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = _find_route(scope)
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)
    level = logging.DEBUG if route in _QUIET_ROUTES else logging.INFO
    # Not the path: it may hold the secret of an invitation.
    fields = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
    log.log(level, "request answered", extra=fields)


def _find_route(scope: Scope) -> str:
    """Find the template of the route that answered; one name for all addresses that do not
    exist."""
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        return str(path)
    return "/static" if scope["path"].startswith("/static/") else "none"
