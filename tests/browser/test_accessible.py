"""Every page for everybody: no violation that axe finds, none of the content security policy, and
nothing to scroll sideways for on a phone; wide and narrow, light and dark."""

import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Served, new_context
from tests.browser.furnished import ROOT, House, furnish, routes_for_people

pytestmark = pytest.mark.browser

Scheme = Literal["light", "dark"]
Look = tuple[int, Scheme]
WIDE_LIGHT: Look = (1280, "light")
NARROW_DARK: Look = (390, "dark")
EVERY: tuple[Look, ...] = (WIDE_LIGHT, (1280, "dark"), (390, "light"), NARROW_DARK)
PHONE = 390
# Files that only exist under names of their own.
NAMED_FILES = re.compile(r"\{name\}\.\w+$")
LISTENS = """
window.refusals = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.refusals.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""


class Walk:
    """A browser that looks at pages and notes what is wrong with them.

    is_thorough  in every look; else each page in one, wide and narrow by turns
    """

    def __init__(self, page: Page, served: Served, *, is_thorough: bool = False) -> None:
        self.page, self.served, self.is_thorough = page, served, is_thorough
        self.axe = Axe()
        self.n_seen = 0
        self.found: list[str] = []
        self.is_listening = True
        page.add_init_script(LISTENS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.found.append(f"{page.url}: {error}"))

    def look(self, address: str) -> None:
        """Open the page and look at it."""
        self.page.set_viewport_size({"width": PHONE, "height": 844})
        self.page.goto(self.served.url + address)
        expect(self.page.locator(".htmx-request")).to_have_count(0)
        self.here(address)

    def here(self, name: str) -> None:
        """Look at the page as it is now."""
        self.found += [f"{name}: refused {each}" for each in self.page.evaluate("refusals")]
        self.n_seen += 1
        turn = (WIDE_LIGHT, NARROW_DARK)[self.n_seen % 2]
        for width, scheme in EVERY if self.is_thorough else (turn,):
            where = f"{name} at {width} px, {scheme}"
            for each in {width, PHONE}:
                self.page.set_viewport_size({"width": each, "height": 844})
                if (wide := self.page.evaluate("document.documentElement.scrollWidth")) > each:
                    self.found.append(f"{name} at {each} px is {wide} px wide")
            self.page.set_viewport_size({"width": width, "height": 844})
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.found += [f"{where}: {each}" for each in self._violations()]

    def _violations(self) -> Iterator[str]:
        # axe tries inline styles of its own, which the policy refuses: they are not the page's.
        self.is_listening = False
        violations: list[dict[str, Any]] = self.axe.run(self.page).response["violations"]
        self.page.evaluate("window.refusals = []")
        self.is_listening = True
        for violation in violations:
            for node in violation["nodes"]:
                why = " ".join(each["message"] for each in node["any"] + node["all"] + node["none"])
                yield f"{violation['id']}: {node['target']} {node['html'][:160]} {why[:200]}"

    def _hear(self, message: Any) -> None:
        # Pages that are not there, or not for everybody, are asked for on purpose.
        is_told = re.search(r"40[34] \((Not Found|Forbidden)\)", message.text)
        if self.is_listening and message.type == "error" and not is_told:
            self.found.append(f"{self.page.url}: {message.text}")


@pytest.fixture
def house(database: str) -> House:
    return furnish()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    # Without motion: a colour halfway between two says nothing about contrast.
    context = new_context(chromium, reduced_motion="reduce")
    yield context
    context.close()


def walk_everywhere(walk: Walk, house: House) -> None:
    context = walk.page.context
    routes = [route for route in routes_for_people() if not NAMED_FILES.search(route)]
    for route in routes:
        if route.startswith(("/login", "/welcome")):
            walk.look(house.address(route))
            routes.remove(route)
    walk.served.login(context, house.admin)
    for address in (house.address(route) for route in routes):
        answer = context.request.get(walk.served.url + address)
        if not answer.ok:
            walk.found.append(f"{address} answers {answer.status}")
        # The others are files, and parts that pages hold.
        if "<html" in answer.text():
            walk.look(address)
    for address in house.states.values():
        walk.look(address)
    look_into_the_session(walk, house)


def look_into_the_session(walk: Walk, house: House) -> None:
    """What keys and buttons open over the session's page."""
    page = walk.page
    page.goto(walk.served.url + house.address(ROOT + "/sessions/{session_id}"))
    expect(page.locator("#row-0")).to_be_focused()
    for key, dialog in (("?", "#help"), ("c", "#comment"), ("l", "#palette")):
        page.keyboard.press(key)
        expect(page.locator(dialog)).to_be_visible()
        walk.here(f"session with {dialog}")
        page.keyboard.press("Escape")
        expect(page.locator(dialog)).to_be_hidden()
    page.keyboard.press("v")
    page.keyboard.press("1")
    walk.here("session after a label")


def test_every_page_is_for_everybody(context: BrowserContext, served: Served, house: House) -> None:
    walk = Walk(context.new_page(), served)

    walk_everywhere(walk, house)
    served.login(context, house.annotator)
    for address in (ROOT, f"{ROOT}/labels", f"{ROOT}/progress", f"{ROOT}/training", "/users"):
        walk.look(address)

    assert not walk.found, "\n".join(walk.found)


@pytest.mark.slow
def test_every_page_is_for_everybody_in_every_look(
    context: BrowserContext, served: Served, house: House
) -> None:
    walk = Walk(context.new_page(), served, is_thorough=True)

    walk_everywhere(walk, house)

    assert not walk.found, "\n".join(walk.found)
