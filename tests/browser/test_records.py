"""The records page and the page of a record as a person meets them, with scripts and without."""

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.db.session import read_session
from app.models import User
from app.records.records import load_consensus
from app.search import model_cache as base_models
from tests.browser.conftest import Served, new_context
from tests.conftest import make_user
from tests.search.conftest import (
    Library,
    encoder,
    label_records,
    library,
    loaded_tiny,
    new_project,
    tiny_model,
)

__all__ = ["encoder", "library", "loaded_tiny", "new_project", "tiny_model"]
pytestmark = pytest.mark.browser


@pytest.fixture
def ada(context: BrowserContext, served: Served, library: Library) -> User:
    """Logged in; five records about lamps carry the label Lamps."""
    label_records(library.project, "Lamps", library.records[20:25])
    user = make_user("ada", "annotator")
    served.login(context, user)
    return user


def at(served: Served, rest: str = "") -> str:
    return f"{served.url}/projects/letters/records{rest}"


def consensus(library: Library, rows: slice) -> list[list[int | None]]:
    with read_session() as db:
        agreed = load_consensus(db, library.records[rows])
    return list(agreed.values())


@pytest.mark.usefixtures("ada")
def test_what_is_found_follows_the_typing(page: Page, served: Served) -> None:
    page.goto(at(served))
    found = page.locator("#results h2")
    expect(found).to_have_text("40 records")

    page.keyboard.press("/")
    page.keyboard.type('kettle -"is late"', delay=5)

    expect(found).to_have_text("4 records")
    expect(page.locator("#results mark").first).to_have_text("kettle")
    expect(page).to_have_url(at(served, "?q=kettle+-%22is+late%22"))
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_text("Filters").click()
    page.get_by_label("State").select_option("labeled")
    expect(page.get_by_role("heading", name="No matching records")).to_be_visible()
    page.get_by_label("Remove filter: labeled").click()
    expect(found).to_have_text("4 records")
    page.go_back()
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value('kettle -"is late"')


@pytest.mark.usefixtures("ada")
def test_search_by_meaning_shows_what_it_waits_for(page: Page, served: Served) -> None:
    base_models._loaded.clear()
    page.goto(at(served))

    page.get_by_role("searchbox").fill("my lamp")
    page.get_by_text("Meaning", exact=True).click()

    expect(page.locator("#results .about").first).to_contain_text("similarity")
    page.get_by_text("Both", exact=True).click()
    expect(page.locator("#results .about").first).to_contain_text("word rank")
    expect(page).to_have_url(at(served, "?q=my+lamp&mode=both"))
    page.get_by_label("Records similar to").first.click()
    expect(page.locator(".record-search-seed")).to_contain_text("lamp")
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile("/sessions/1$"))


@pytest.mark.usefixtures("ada")
def test_many_are_labeled_after_a_look_and_taken_back_at_once(
    page: Page, served: Served, library: Library
) -> None:
    page.goto(at(served, "?q=kettle"))
    boxes = page.locator("#selection input[name=record_ids]")
    page.get_by_label("Select page").check()
    expect(boxes.nth(4)).to_be_checked()
    boxes.nth(1).uncheck()
    boxes.nth(4).click(modifiers=["Shift"])
    page.get_by_label("Bulk action").select_option(label="Label as Lamps")
    page.get_by_role("button", name="Apply to selected").click()

    expect(page.locator(".bulk-sentence")).to_contain_text("This labels 1 record as Lamps")
    page.go_back()
    page.get_by_label("Bulk action").select_option(label="Label as Lamps")
    page.get_by_role("button", name="Apply to all 5").click()
    page.get_by_role("button", name="Label 5 records").click()

    expect(page.locator(".notice")).to_contain_text("5 records: Lamps.")
    assert consensus(library, slice(25, 30)) == [[1]] * 5
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".notice")).to_contain_text("Undone: 5 records: Lamps.")
    assert consensus(library, slice(25, 30)) == []
    page.get_by_text("Save search").click()
    page.locator(".saved-search-new input[name=name]").fill("Kettles <b>")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".saved-search")).to_have_text("Kettles <b> 5")
    expect(page.locator(".saved-search")).to_have_attribute("aria-current", "true")


@pytest.mark.usefixtures("ada")
def test_a_record_is_labeled_by_a_key_and_left_by_a_key(
    page: Page, served: Served, library: Library
) -> None:
    page.goto(at(served, "?q=kettle&sort=newest"))
    page.locator(".record-line").first.click()
    expect(page.locator(".around")).to_contain_text("1 of 5")

    page.keyboard.press("1")
    expect(page.locator(".notice")).to_contain_text("1 record: Lamps.")
    expect(page.locator(".annotation-form [aria-pressed=true]")).to_contain_text("Lamps")
    assert consensus(library, slice(29, 30)) == [[1]]
    page.keyboard.press("z")
    expect(page.locator(".notice")).to_contain_text("Undone")
    page.keyboard.press("j")
    expect(page.locator(".around")).to_contain_text("2 of 5")
    page.keyboard.press("c")
    page.keyboard.type("1 <i>odd</i>")
    page.get_by_role("button", name="Add comment").click()
    expect(page.locator(".comments li")).to_contain_text("1 <i>odd</i>")
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Remove my flag")).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator(".around")).to_contain_text("1 of 5")
    expect(page.locator("#neighbours .rank")).to_have_count(10)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_everything_works_without_scripts(
    chromium: Browser, served: Served, ada: User, library: Library
) -> None:
    context = new_context(chromium, java_script_enabled=False)
    served.login(context, ada)
    page = context.new_page()
    page.goto(at(served))
    page.get_by_role("searchbox").fill("refund")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#results h2")).to_have_text("5 records")
    page.get_by_label("Bulk action").select_option(label="Label as none of these")
    page.locator("#selection input[name=record_ids]").first.check()
    page.get_by_role("button", name="Apply to selected").click()
    page.get_by_role("button", name="Label 1 record").click()
    expect(page.locator(".notice")).to_contain_text("1 record: none of these.")
    page.locator(".record-line").nth(1).click()
    page.get_by_role("button", name="Lamps").click()
    expect(page.locator(".notice")).to_contain_text("1 record: Lamps.")
    assert consensus(library, slice(5, 10)) == [[None], [1]]
    context.close()
