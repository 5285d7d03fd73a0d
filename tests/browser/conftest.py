"""A served application and a Chromium beside it."""

import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from app.accounts.access import cookie_name, hash_token
from app.db.session import write_session
from app.main import create_app
from app.models import Login, User
from tests.conftest import PATIENCE_SECONDS

MILLISECONDS = 1000
expect.set_options(timeout=PATIENCE_SECONDS * MILLISECONDS)
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SHUTDOWN_SECONDS = 5  # Then live streams of pages that are still open are cut off.
INTERCEPTED_FROM_THE_START = "**/no-page-asks-for-this"


@dataclass
class Served:
    """An application that listens."""

    url: str

    def login(self, context: BrowserContext, user: User) -> None:
        """From now on this browser is the user's."""
        token = uuid.uuid4().hex
        with write_session() as db:
            db.add(Login(token_hash=hash_token(token), user_id=user.id))
        context.add_cookies([{"name": cookie_name(), "value": token, "url": self.url}])


@pytest.fixture
def served(database: str) -> Iterator[Served]:
    # The socket is bound here and handed over, so that nobody else can take the port in between.
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        create_app(),
        log_level="error",
        lifespan="off",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Served(f"http://127.0.0.1:{port}")
    server.should_exit = True
    thread.join()
    listening.close()


# For a file, not for the whole run: while Playwright lives it keeps an event loop going in this
# thread, and the job engine refuses to start beside one.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def new_context(chromium: Browser, **options: Any) -> BrowserContext:
    """A browser profile of its own that waits as long as it takes; options are Playwright's."""
    context = chromium.new_context(**options)
    context.set_default_timeout(PATIENCE_SECONDS * MILLISECONDS)
    # Chromium tells an open page only after a delay that its requests are intercepted, and a key
    # pressed meanwhile is sent past the route. Intercepting before the first page closes that gap.
    context.route(INTERCEPTED_FROM_THE_START, lambda route: route.continue_())
    return context


@contextmanager
def requests_held(page: Page, pattern: str | re.Pattern[str]) -> Iterator[None]:
    """Requests for these addresses are answered only after this block."""
    held: list[Route] = []

    is_over = False

    def hold(route: Route) -> None:
        if is_over:
            route.continue_()
        else:
            held.append(route)

    page.route(pattern, hold)
    yield
    is_over = True
    for route in held:
        route.continue_()


@contextmanager
def opened_without_scripts(page: Page, url: str) -> Iterator[None]:
    """The page as it is seen while its scripts are on their way; they come after this block."""
    with requests_held(page, re.compile("/static/js/(?!held_keys|theme)")):
        page.goto(url, wait_until="commit")
        expect(page.locator("#notice")).to_be_attached()
        yield


# After the server and so closed before it: no request is then left half answered.
@pytest.fixture
def context(chromium: Browser, served: Served) -> Iterator[BrowserContext]:
    context = new_context(chromium, viewport={"width": 1280, "height": 800})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert errors == []
