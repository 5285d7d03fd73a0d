"""HTTP requests to URLs that users typed in, without access to the internal network.

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
    """The recipient could not be reached; the sentence says why."""

    status = 502


class GuardedBackend(httpcore2.SyncBackend):
    """Connects only to public addresses, or with `allows_private` to any."""

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
    """Check that messages can be posted to the URL. Raises Invalid.

    Where the host leads is looked at when something is sent: names change their mind.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Invalid(f"“{url[:80]}” is not a valid URL.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("The URL must start with https:// or http:// and contain a host.")
    if parts.username or parts.password:
        raise Invalid("Remove user name and password from the URL; messages are signed instead.")
    if port not in PORTS:
        raise Invalid(f"Port {port} is not allowed: use 80, 443 or a port from 1024.")
    if len(url) > 500 or not url.isascii():
        raise Invalid("The URL must have at most 500 characters, ASCII only.")
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
        raise Unreachable(f"No response within {TIMEOUT_SECONDS:.0f} seconds.") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
        raise Unreachable(
            f"The connection failed: {str(error)[:200] or 'connection closed'}."
        ) from error
    if not 200 <= status < 300:
        raise Unreachable(f"The response was {status} instead of 2xx.")


def resolve_host(host: str, port: int) -> list[str]:
    """Return the host's addresses. Raises Unreachable if it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"Unknown host: {host}.") from error
    return [str(address[0]) for *_, address in found]


def require_public(host: str, addresses: list[str]) -> None:
    """Raise Unreachable if any address is not public."""
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or address
        if not inner.is_global or inner.is_multicast:
            raise Unreachable(
                f"{host} is in a private network. "
                "The operator can allow it with `likewise webhook --private`."
            )
