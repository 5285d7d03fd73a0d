"""HTTP to addresses that others typed in, without letting them reach what is inside.

A webhook's host is looked up once, each address that came back is checked, and the connection goes
to a checked address, so that a name which changes its mind in between (DNS rebinding) gains
nothing. Redirects are not followed. OWASP, "Server-Side Request Forgery Prevention Cheat Sheet".
"""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from app.errors import AppError, Invalid

TIMEOUT_SECONDS = 10.0
PORTS = (80, 443, *range(1024, 65536))


class Unreachable(AppError):
    """The address could not be told; the sentence says why."""

    status = 502


class GuardedBackend(httpcore2.SyncBackend):
    """Connects to public addresses alone, or with `allows_private` to any."""

    def __init__(self, *, allows_private: bool) -> None:
        self._allows_private = allows_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """To the first address of the host, once all of them are allowed. Raises Unreachable."""
        addresses = resolve_host(host, port)
        if not self._allows_private:
            require_public(host, addresses)
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)


def validate_url(url: str) -> str:
    """The URL, if something can be posted there at all. Raises Invalid.

    Where the host leads is looked at when something is sent: names change their mind.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Invalid(f"“{url[:80]}” is not an address.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("An address begins with https:// (or http://) and names a host.")
    if parts.username or parts.password:
        raise Invalid("Leave user name and password out of the address: deliveries are signed.")
    if port not in PORTS:
        raise Invalid(f"Port {port} is kept for other services: use 80, 443 or one from 1024 on.")
    if len(url) > 500 or not url.isascii():
        raise Invalid("An address has at most 500 characters, all ASCII.")
    return url.strip()


def post(url: str, headers: dict[str, str], content: bytes, *, allows_private: bool) -> None:
    """Post once. Raises Unreachable unless the answer is 2xx; redirects are not followed."""
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_SECONDS)
    backend = GuardedBackend(allows_private=allows_private)
    try:
        with (
            httpcore2.ConnectionPool(network_backend=backend) as pool,
            pool.stream(
                "POST",
                url,
                headers=list(headers.items()),
                content=content,
                extensions={"timeout": timeouts},
            ) as answer,
        ):
            status = answer.status
    except httpcore2.TimeoutException as error:
        raise Unreachable(f"No answer within {TIMEOUT_SECONDS:.0f} seconds.") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
        raise Unreachable(f"The connection failed: {str(error)[:200] or 'it was cut'}.") from error
    if not 200 <= status < 300:
        raise Unreachable(f"It answered {status} instead of 2xx.")


def resolve_host(host: str, port: int) -> list[str]:
    """The host's addresses. Raises Unreachable when it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The host {host} is not known.") from error
    return [str(address[0]) for *_, address in found]


def require_public(host: str, addresses: list[str]) -> None:
    """Raises Unreachable if any of them is not a public one."""
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or address
        if not inner.is_global or inner.is_multicast:
            raise Unreachable(f"{host} leads into a private network; the operator can allow that.")
