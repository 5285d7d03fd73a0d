"""Behind a proxy: X-Forwarded headers are believed from the proxies that are named, alone."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from app.accounts.users import create_user
from app.db.session import write_session
from app.settings import Settings

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "a sentence to remember"
PROXY, STRANGER = "127.0.0.1", "127.0.0.5"
N_TRIES = 10


class Served:
    """A server of its own process, and requests to it that come from a chosen address."""

    def __init__(self, url: str) -> None:
        self.where = urlsplit(url).netloc

    def post(
        self, path: str, form: dict[str, str], came_from: str = PROXY, **headers: str
    ) -> tuple[int, str, str]:
        """Status, cookies and page."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | {
            "Content-Type": "application/x-www-form-urlencoded",
            "Sec-Fetch-Site": "same-origin",
        }
        connection = http.client.HTTPConnection(self.where, source_address=(came_from, 0))
        connection.request("POST", path, urlencode(form), sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, " ".join(answer.msg.get_all("set-cookie", [])), text

    def guess(self, came_from: str, address: Callable[[int], str]) -> list[int]:
        """Statuses of wrong passwords, each with another X-Forwarded-For."""
        return [
            self.post(
                "/login",
                {"name": "Ada", "password": "wrong"},
                came_from,
                X_Forwarded_For=address(number),
            )[0]
            for number in range(N_TRIES)
        ]


@contextmanager
def serving(**environment: str) -> Iterator[Served]:
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--json", "--no-worker"],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield Served(json.loads(server.stdout.readline())["url"])
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


@pytest.fixture(autouse=True)
def ada(database: str) -> None:
    with write_session() as db:
        create_user(db, "Ada", "admin", SECRET)


def many(number: int) -> str:
    return f"198.51.100.{number}"


def test_headers_are_not_believed_where_no_proxy_is_named() -> None:
    # Uvicorn's own setting must not open the door again.
    with serving(FORWARDED_ALLOW_IPS="*") as served:
        assert 429 in served.guess(PROXY, many)
        assert link_scheme(served, PROXY, "https") == "http"


def test_headers_are_believed_from_a_named_proxy_and_from_nobody_else() -> None:
    with serving(LIKEWISE_TRUSTED_PROXIES="192.0.2.0/24, 127.0.0.1") as served:
        assert served.guess(PROXY, many) == N_TRIES * [401]
        # A client writes the first part of the header itself; the proxy adds the last.
        forged = served.guess(PROXY, lambda number: f"{many(100 + number)}, 203.0.113.66")
        assert 429 in forged
        entered, _, _ = served.post(
            "/login", {"name": "Ada", "password": SECRET}, PROXY, X_Forwarded_For="203.0.113.7"
        )
        assert entered == 303
        assert 429 in served.guess(STRANGER, many)
        assert link_scheme(served, PROXY, "https") == "https"
        assert link_scheme(served, "127.0.0.6", "https") == "http"


def link_scheme(served: Served, came_from: str, proto: str) -> str:
    """The scheme of an invitation's link, asked for by Ada."""
    address = {"X_Forwarded_For": "203.0.113.9"}
    status, cookies, _ = served.post(
        "/login", {"name": "Ada", "password": SECRET}, "127.0.0.7", **address
    )
    assert status == 303
    login = re.search(r"likewise=[^;]+", cookies)
    assert login is not None
    _, _, page = served.post(
        "/users/invitations",
        {"role": "annotator"},
        came_from,
        Cookie=login[0],
        X_Forwarded_Proto=proto,
        **address,
    )
    found = re.search(r"(https?)://[^<]*/welcome/", page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("written", "networks"),
    [
        ("", []),
        (" 10.0.0.5 ", ["10.0.0.5/32", "::ffff:10.0.0.5/128"]),
        ("10.1.2.3/16,2001:db8::/32", ["10.1.0.0/16", "2001:db8::/32", "::ffff:10.1.0.0/112"]),
    ],
)
def test_addresses_and_networks_are_read(written: str, networks: list[str]) -> None:
    assert Settings(trusted_proxies=written).proxy_networks == networks


@pytest.mark.parametrize("written", ["*", "proxy.example", "10.0.0.0/40", "10.0.0.1;10.0.0.2"])
def test_what_is_no_address_stops_the_server_with_one_sentence(written: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--no-worker"],
        cwd=ROOT,
        env=os.environ | {"LIKEWISE_TRUSTED_PROXIES": written},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("trusted_proxies: ")
    assert "Use IP addresses or networks separated by commas" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
