"""Keys pressed before a page's scripts are there, or while it is left: none is lost or misread."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from app.db.session import read_session
from app.models import Annotation, LabelingSession
from app.records.records import load_consensus
from tests.browser.conftest import Served, opened_without_scripts, requests_held
from tests.browser.test_labeling import MARKUP, Labeling, labeling, suggesting
from tests.browser.test_map import Mapped, mapped
from tests.browser.test_records import ada, at
from tests.search.conftest import Library, encoder, library, loaded_tiny, new_project, tiny_model

__all__ = [
    "ada",
    "encoder",
    "labeling",
    "library",
    "loaded_tiny",
    "mapped",
    "new_project",
    "suggesting",
    "tiny_model",
]
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("view", ["list", "card"])
def test_labels_are_given_to_the_rows_in_the_order_of_the_keys(
    labeling: Labeling, view: str
) -> None:
    with opened_without_scripts(labeling.page, f"{labeling.url}?view={view}"):
        expect(labeling.row(0)).to_be_visible()
        labeling.press("1", "2", "x", "z", "3", "j", "j", "n", "Space", "Home", "2")

    expect(labeling.row(1)).to_be_focused()
    labeling.saved(0)
    assert labeling.verdicts() == {0: "delivery", 1: "delivery", 2: MARKUP, 5: "none", 6: "skip"}


def test_enter_and_undo_act_on_what_the_page_shows(suggesting: Labeling) -> None:
    suggesting.press("n", "n")
    suggesting.saved(1)

    with opened_without_scripts(suggesting.page, suggesting.url):
        expect(suggesting.row(2)).to_be_visible()
        suggesting.press("Enter", "a", "z", "z", "Control+z")

    suggesting.saved(1)
    expect(suggesting.row(1)).to_have_attribute("data-verdict", "")
    expect(suggesting.row(2)).to_have_attribute("data-verdict", "")
    assert suggesting.verdicts() == {0: "none"}


def test_what_follows_a_key_that_opens_something_is_for_that(labeling: Labeling) -> None:
    page = labeling.page
    with opened_without_scripts(page, labeling.url):
        labeling.press("?", "1", "Escape", "l")
        page.keyboard.type("biln")
        labeling.press("Backspace", "Enter", "c")
        page.keyboard.type("1 or 2?")

    labeling.saved(0)
    expect(page.locator("#comment textarea")).to_have_value("1 or 2?")
    page.get_by_role("button", name="Save comment").click()
    expect(labeling.row(1).locator(".comment")).to_have_text("“1 or 2?”")
    labeling.saved(1)
    assert labeling.verdicts() == {0: "billing"}


def test_the_keys_are_shown_early_and_wait_for_escape(labeling: Labeling) -> None:
    with opened_without_scripts(labeling.page, labeling.url):
        labeling.press("?")

    expect(labeling.page.locator("#help")).to_be_visible()
    labeling.press("Escape")
    expect(labeling.page.locator("#help")).to_be_hidden()
    assert labeling.verdicts() == {}


def test_who_writes_in_a_field_goes_on_writing(labeling: Labeling) -> None:
    field = labeling.page.locator(".add-label [name=name]")
    with opened_without_scripts(labeling.page, labeling.url):
        labeling.press("2")
        field.click()
        labeling.page.keyboard.type("1 n z/?")

    labeling.saved(0)
    expect(field).to_be_focused()
    labeling.page.keyboard.type(" x")
    expect(field).to_have_value("1 n z/? x")
    assert labeling.verdicts() == {0: "delivery"}


def test_the_browsers_own_keys_do_what_they_always_do(labeling: Labeling) -> None:
    page = labeling.page
    menu = page.locator("header.top details.menu")
    with opened_without_scripts(page, labeling.url):
        labeling.press("Tab")
        expect(page.locator(".skip-link")).to_be_focused()
        labeling.press("Enter")
        expect(page).to_have_url(re.compile("#main$"))
        menu.locator("summary").focus()
        labeling.press("Space")
        expect(menu).to_have_attribute("open", "")
        page.locator("[name=name]").focus()
        labeling.press("Shift+Tab")
        expect(page.locator("[name=name]")).not_to_be_focused()

    expect(page.locator("#session")).to_have_class("is-scripted")
    assert labeling.verdicts() == {}

    with opened_without_scripts(page, labeling.url):
        page.locator("form[data-do=redo] button").focus()
        with page.expect_navigation(wait_until="commit"):
            labeling.press("Enter")
    expect(labeling.row(0)).to_be_focused()
    assert labeling.verdicts() == {}


def test_a_label_that_is_just_being_added_has_its_key(labeling: Labeling) -> None:
    field = labeling.page.locator(".add-label [name=name]")
    labeling.press("j")
    with requests_held(labeling.page, "**/labels"):
        field.fill("praise")
        labeling.press("Enter", "4", "1")

    labeling.saved(2)
    expect(labeling.page.locator("#legend button")).to_have_count(4)
    expect(field).to_have_value("")
    assert labeling.verdicts() == {1: "praise", 2: "billing"}


def test_a_key_just_given_to_a_label_gives_it(labeling: Labeling) -> None:
    labeling.press("j", "l")
    labeling.page.keyboard.type("bill")
    labeling.press("Alt+b", "b", "2", "b")

    labeling.saved(3)
    expect(labeling.row(4)).to_be_focused()
    expect(labeling.page.locator("#legend kbd")).to_have_text(["b", "2", "3"])
    assert labeling.verdicts() == {1: "billing", 2: "delivery", 3: "billing"}


def test_words_after_a_slash_are_sought_and_label_nothing(labeling: Labeling) -> None:
    page = labeling.page
    labeling.press("1", "/")
    page.keyboard.type("number 1")

    expect(page.get_by_role("searchbox")).to_have_value("number 1")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.locator("#results h2")).to_have_text("3 records")
    assert labeling.verdicts() == {0: "billing"}

    with opened_without_scripts(page, labeling.url):
        labeling.press("n", "/")
        page.keyboard.type("number 11")
    expect(page.get_by_role("searchbox")).to_have_value("number 11")
    expect(page.locator("#results h2")).to_have_text("1 record")
    assert labeling.verdicts() == {0: "billing", 1: "none"}


@pytest.mark.usefixtures("ada")
def test_a_search_begins_before_its_scripts_are_there(page: Page, served: Served) -> None:
    with opened_without_scripts(page, at(served)):
        page.keyboard.press("/")
        page.keyboard.type("kettles")
        for key in ("Backspace", "Enter"):
            page.keyboard.press(key)

    expect(page.locator("#results h2")).to_have_text("5 records")
    expect(page.get_by_role("searchbox")).to_have_value("kettle")
    expect(page.get_by_role("searchbox")).to_be_focused()

    with opened_without_scripts(page, at(served)):
        page.get_by_role("searchbox").click()
        page.keyboard.type("kettle -late")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page).to_have_url(at(served, "?q=kettle+-late"))


@pytest.mark.usefixtures("ada")
def test_one_session_is_started_and_seen_before_a_key_labels_in_it(
    page: Page, served: Served, library: Library
) -> None:
    with opened_without_scripts(page, at(served, f"?record={library.records[0]}")):
        for key in ("s", "s", "1"):
            page.keyboard.press(key)

    expect(page).to_have_url(re.compile("/sessions/1$"))
    expect(page.locator("#notice")).to_contain_text("Keys pressed before this page had loaded")
    expect(page.locator("[data-progress=decided]")).to_have_text("0")
    page.keyboard.press("1")
    expect(page.locator("[data-progress=decided]")).to_have_text("1")
    with read_session() as db:
        assert db.scalar(select(func.count(LabelingSession.id))) == 1


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("is_early", [True, False])
def test_records_are_gone_through_by_keys_as_fast_as_one_types(
    page: Page, served: Served, library: Library, is_early: bool
) -> None:
    records = library.records
    url = at(served, f"/{records[29]}?q=kettle&sort=newest")
    keys = ("1", "j", "n", "j", "j", "1", "f")
    if is_early:
        with opened_without_scripts(page, url):
            for key in keys:
                page.keyboard.press(key)
    else:
        page.goto(url)
        for key in keys:
            page.keyboard.press(key)

    expect(page.get_by_role("button", name="Remove my flag")).to_be_visible()
    expect(page.locator(".around")).to_contain_text("4 of 5")
    with read_session() as db:
        agreed = load_consensus(db, records[25:30])
        labeled = db.scalars(select(Annotation.record_id).order_by(Annotation.id)).all()
    assert agreed == {records[29]: [1], records[28]: [None], records[26]: [1]}
    assert labeled[-3:] == [records[29], records[28], records[26]]


def test_the_map_is_moved_by_keys_that_come_before_its_points(mapped: Mapped) -> None:
    page = mapped.page
    zoom_in = page.get_by_role("button", name="Zoom in")
    with requests_held(page, "**/map/points*"):
        page.goto(mapped.url)
        page.locator("#map-canvas").focus()
        for key in "++":
            page.keyboard.press(key)
        for _ in range(3):
            zoom_in.press("Enter")

    expect(page.locator("#map[data-state=ready]")).to_be_visible()
    expect(mapped.links).not_to_have_count(40)
    page.locator("#map-canvas").press("0")
    expect(mapped.links).to_have_count(40)
