"""The map as a person meets it: points, hints, lasso, slider, search, and no need to point."""

import io
import re
from dataclasses import dataclass

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from app.db.session import read_session
from app.labeling.sessions.bulk_accept import N_SAMPLED
from app.labeling.sessions.sessions import find_session, load_record_ids
from app.maps.drawing import draw_sketch
from app.models import Project, User
from app.records.records import load_consensus
from tests.browser.conftest import Served
from tests.conftest import distinct_text, make_user
from tests.maps.conftest import draw_all, indexed_project, raw, tuned
from tests.training.conftest import N_CLASSES, label, label_ids, record_ids

pytestmark = pytest.mark.browser

N, N_LABELED, N_AUDITED = 40, 8, 90
BLUE, ORANGE = (0x27, 0x84, 0xD5), (0xCC, 0x6C, 0x13)


@dataclass
class Mapped:
    """A map of forty records in four clusters, open in a browser; eight carry a label."""

    page: Page
    url: str
    project: Project
    user: User

    def open(self, query: str = "") -> None:
        self.page.goto(self.url + query)
        expect(self.page.locator("#map[data-state=ready]")).to_be_visible()
        expect(self.page.locator("#map-list")).to_have_attribute("aria-busy", "false")
        expect(self.links).to_have_count(N)

    @property
    def links(self) -> Locator:
        return self.page.locator("#map-list a[data-record]")

    def place_of(self, record_id: int) -> tuple[float, float]:
        """Where the record is drawn, in CSS pixels of the canvas: its link is focused for that."""
        self.page.locator(f"#map-list a[data-record='{record_id}']").focus()
        return self.ring()

    def ring(self, name: str = "map-ring") -> tuple[float, float]:
        ring = self.page.locator(f"#{name}")
        expect(ring).not_to_have_attribute("cx", "-99")
        return float(ring.get_attribute("cx") or 0), float(ring.get_attribute("cy") or 0)

    def at(self, x: float, y: float) -> tuple[float, float]:
        box = self.page.locator("#map-canvas").bounding_box()
        assert box is not None
        return box["x"] + x, box["y"] + y

    def lasso(self, *corners: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*corners[0]))
        self.page.mouse.down()
        for corner in (*corners[1:], corners[0]):
            self.page.mouse.move(*self.at(*corner), steps=3)
        self.page.mouse.up()

    def n_pixels(self, colour: tuple[int, int, int]) -> int:
        """How many pixels of the map have that colour, or nearly."""
        return int(self._is(colour).sum())

    def halves(self, colour: tuple[int, int, int]) -> tuple[int, int]:
        """The same, left and right of the middle."""
        is_it = self._is(colour)
        middle = is_it.shape[1] // 2
        return int(is_it[:, :middle].sum()), int(is_it[:, middle:].sum())

    def _is(self, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
        shot = self.page.locator("#map-canvas").screenshot()
        pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), np.int64)
        return np.asarray(np.abs(pixels - colour).sum(axis=2) < 40)


@pytest.fixture
def mapped(context: BrowserContext, page: Page, served: Served) -> Mapped:
    user = make_user("ada", "admin")
    project = indexed_project(N)
    tuned(project)
    draw_all()
    label(project, user, range(N_LABELED))
    served.login(context, user)
    return Mapped(page, f"{served.url}/projects/letters/map", project, user)


def test_points_have_colours_and_show_their_texts(mapped: Mapped) -> None:
    mapped.open()
    page, ids = mapped.page, record_ids(mapped.project)

    assert mapped.n_pixels(BLUE) > 100
    assert mapped.n_pixels(ORANGE) > 100
    legend = page.locator("#map-legend button")
    expect(legend).to_have_count(N_CLASSES)

    page.mouse.move(*mapped.at(*mapped.place_of(ids[20])))
    expect(page.locator("#map-hint")).to_be_visible()
    expect(page.locator("#map-hint")).to_contain_text(distinct_text(20))
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("#map-card")).to_contain_text(distinct_text(20))
    expect(page.locator("#map-card")).to_contain_text("suggested")
    expect(page.locator("#map-hint")).to_be_hidden()

    legend.first.click()
    page.mouse.move(0, 0)
    expect(legend.first).to_have_attribute("aria-pressed", "false")
    expect(mapped.links).not_to_have_count(N)
    assert mapped.n_pixels(BLUE) == 0
    assert mapped.n_pixels(ORANGE) > 100

    page.get_by_text("Records in view", exact=True).click()  # Else each colouring asks for it.
    page.select_option("#map-colour", "label")
    expect(legend.last).to_contain_text("unlabeled")
    expect(legend.last).to_contain_text(str(N - N_LABELED))
    page.select_option("#map-colour", "annotator")
    expect(legend.first).to_contain_text("ada")
    page.select_option("#map-colour", "time")
    expect(legend.first).to_contain_text("in the last hour")
    page.select_option("#map-colour", "confidence")
    expect(legend).not_to_have_count(0)


def test_records_in_the_lasso_become_a_session(mapped: Mapped) -> None:
    mapped.open()
    page, ids = mapped.page, record_ids(mapped.project)
    places = {each: mapped.place_of(each) for each in ids}
    left = sorted(x for x, _ in places.values())
    border = (left[N // 2 - 1] + left[N // 2]) / 2
    size = page.locator("#map-canvas").bounding_box()
    assert size is not None

    page.get_by_role("button", name="Lasso").click()
    corners = [(3.0, 60.0), (border, 60.0), (border, size["height"] - 3), (3.0, size["height"] - 3)]
    mapped.lasso(*corners)

    inside = {each for each, (x, y) in places.items() if x < border and y > 60}
    still_open = inside - set(ids[:N_LABELED])
    expect(page.locator("#map-selection h2")).to_have_text(f"{len(inside)} selected")
    expect(page.locator("#map-selection label")).to_contain_text(f"({len(still_open)})")
    expect(page.get_by_role("button", name="Accept suggestions…")).to_be_disabled()
    page.get_by_role("button", name="Label as session").click()

    expect(page).to_have_url(re.compile(r"/sessions/\d+$"))
    with read_session() as db:
        session = find_session(db, mapped.project.id, int(page.url.rpartition("/")[2]))
        order = load_record_ids(db, session).tolist()
    middle = ((3 + border) / 2, (60 + size["height"] - 3) / 2)
    apart = [np.hypot(places[i][0] - middle[0], places[i][1] - middle[1]) for i in order]
    assert set(order) == still_open
    assert apart == sorted(apart)


def test_the_slider_moves_points_from_version_to_version(mapped: Mapped) -> None:
    mapped.open()
    page, first = mapped.page, record_ids(mapped.project)[0]
    after = mapped.place_of(first)

    page.select_option("#map-before", "1")
    expect(page.locator("#map-slide")).to_be_visible()
    expect(page.locator("#map-slide-before")).to_have_text("Version 1")
    page.get_by_label("Position between the two versions").fill("0")
    before = mapped.place_of(first)
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_label("Position between the two versions")).to_have_value("25")
    with page.expect_response(lambda answer: "/map/list?" in answer.url):
        page.select_option("#map-version", "1")
    page.select_option("#map-before", "")
    expect(page.locator("#map-slide")).to_be_hidden()
    expect(page.locator("#map-legend")).to_contain_text("no suggestion")
    raw = mapped.place_of(first)

    assert np.hypot(before[0] - after[0], before[1] - after[1]) > 3
    assert np.hypot(before[0] - raw[0], before[1] - raw[1]) < 1.5
    mapped.open("?before=1&after=2")
    expect(page.locator("#map-slide-before")).to_have_text("Version 1")
    expect(page.locator("#map-slide-after")).to_have_text("Version 2")


def test_two_versions_lie_side_by_side_and_move_as_one(mapped: Mapped) -> None:
    mapped.open("?before=1&after=2")
    page, first = mapped.page, record_ids(mapped.project)[0]
    toggle = page.get_by_role("button", name="Side by side")
    expect(page.locator(".map-name")).to_have_count(2)
    expect(page.locator(".map-name").first).to_be_hidden()

    toggle.press("Enter")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile(r"[?&]view=beside"))
    expect(page.locator(".map-name:visible")).to_have_text(["Version 1", "Version 2"])
    expect(page.locator("#map-slide-before")).to_be_hidden()
    stage = page.locator("#map-canvas").bounding_box()
    assert stage is not None
    half = stage["width"] / 2

    # Pointed at in the version after, the record is ringed in the version before, too.
    mapped.place_of(first)
    after = mapped.ring("map-ring-after")
    page.locator("#map-listed summary").focus()
    expect(page.locator("#map-ring")).to_have_attribute("cx", "-99")
    page.mouse.move(*mapped.at(*after))
    expect(page.locator("#map-hint")).to_contain_text(distinct_text(0))
    before, again = mapped.ring(), mapped.ring("map-ring-after")
    assert before[0] < half < again[0]
    assert again == pytest.approx(after, abs=0.1)
    assert np.hypot(before[0] + half - after[0], before[1] - after[1]) > 2
    page.mouse.move(0, 0)
    expect(page.locator("#map-ring")).to_have_attribute("cx", "-99")
    page.mouse.move(*mapped.at(*before))
    expect(page.locator("#map-hint")).to_contain_text(distinct_text(0))
    assert mapped.ring("map-ring-after") == pytest.approx(after, abs=0.1)

    # Both are moved by the same hand, and drawn with the same colours.
    page.locator("#map-canvas").press("ArrowUp")
    mapped.place_of(first)
    moved = mapped.ring(), mapped.ring("map-ring-after")
    assert moved[0] == pytest.approx((before[0], before[1] + 60), abs=0.1)
    assert moved[1] == pytest.approx((after[0], after[1] + 60), abs=0.1)
    left, right = mapped.halves(BLUE)
    assert min(left, right) > 50
    assert left == pytest.approx(right, rel=0.2)

    # The address holds all of it; on a phone the version after is below.
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    expect(page.locator(".map-name:visible")).to_have_text(["Version 1", "Version 2"])
    expect(page.locator("#map-list")).to_have_attribute("aria-busy", "false")
    mapped.place_of(first)
    above, below = mapped.ring(), mapped.ring("map-ring-after")
    high = (page.locator("#map-canvas").bounding_box() or {"height": 0.0})["height"] / 2
    assert above[1] < high < below[1]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    toggle.click()
    expect(page).not_to_have_url(re.compile("view="))
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_suggestions_in_a_lasso_are_accepted_after_a_spot_check(
    context: BrowserContext, page: Page, served: Served
) -> None:
    user, project = make_user("ada", "admin"), indexed_project(N_AUDITED)
    for version in (raw(project), tuned(project)):
        draw_sketch(version.id)
    served.login(context, user)
    mapped = Mapped(page, f"{served.url}/projects/letters/map", project, user)
    page.goto(mapped.url)
    expect(page.locator("#map[data-state=ready]")).to_be_visible()
    page.get_by_role("button", name="Zoom out").click()
    size = page.locator("#map-canvas").bounding_box()
    assert size is not None

    page.keyboard.down("Shift")
    wide, high = size["width"] - 3, size["height"] - 3
    mapped.lasso((3.0, 50.0), (wide, 50.0), (wide, high), (3.0, high))
    page.keyboard.up("Shift")
    expect(page.locator("#map-selection h2")).to_have_text(f"{N_AUDITED} selected")
    page.get_by_role("button", name="Accept suggestions…").click()

    expect(page.locator(".record-row")).to_have_count(N_SAMPLED)
    done = page.locator('[data-progress="decided"]')
    for n in range(N_SAMPLED):
        page.keyboard.press("Enter")
        expect(done).to_have_text(str(n + 1))
    page.locator("#accept-all").get_by_label("Minimum probability").select_option("50 %")
    acceptance = page.locator("#acceptance")
    expect(acceptance).to_contain_text("a probability of at least 50 %")
    told = re.match(rf"Accepts (\d+) of {N_AUDITED - N_SAMPLED} ", acceptance.text_content() or "")
    assert told is not None
    n_accepted = N_SAMPLED + int(told[1])
    assert n_accepted >= N_AUDITED - 2
    page.get_by_role("button", name="Accept the rest of the session").click()
    expect(done).to_have_text(str(n_accepted))
    ids, labels = record_ids(project), label_ids(project)
    with read_session() as db:
        agreed = load_consensus(db, ids)
    right = [
        agreed[each] == [labels[row % N_CLASSES]] for row, each in enumerate(ids) if each in agreed
    ]
    assert len(agreed) == n_accepted
    assert np.mean(right) > 0.9


def test_words_and_keys_find_records_without_pointing(mapped: Mapped) -> None:
    mapped.open()
    page, ids = mapped.page, record_ids(mapped.project)

    page.get_by_label("Find text").fill(distinct_text(33))
    page.keyboard.press("Enter")
    expect(page.locator("#map-matches")).to_have_text("1 match")
    expect(mapped.links).to_have_count(1)
    expect(mapped.links).to_have_text(distinct_text(33))
    page.get_by_label("Find text").fill("")
    page.keyboard.press("Enter")
    expect(mapped.links).to_have_count(N)

    second = mapped.links.nth(1).get_attribute("data-record")
    mapped.links.first.focus()
    page.keyboard.press("ArrowDown")
    expect(mapped.links.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#map-card [data-record]")).to_have_attribute("data-record", second or "")
    expect(page.locator("#map-card h2")).to_be_focused()
    page.get_by_role("button", name="Close this record").press("Enter")
    expect(page.locator("#map-card")).to_be_hidden()
    expect(page.locator("#map-canvas")).to_be_focused()

    page.locator("#map-canvas").focus()
    for _ in range(6):
        page.keyboard.press("+")
    expect(mapped.links).not_to_have_count(N)
    page.keyboard.press("0")
    expect(mapped.links).to_have_count(N)

    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{mapped.url}?record={ids[5]}")
    expect(page.locator("#map-card")).to_contain_text(distinct_text(5))
    expect(page.locator("#map-list")).to_have_attribute("aria-busy", "false")
    wide = page.evaluate("document.documentElement.scrollWidth")
    stage = page.locator(".map-stage").bounding_box()
    assert wide == 390
    assert stage is not None
    x, y = mapped.ring()
    assert abs(x - stage["width"] / 2) < 3
    assert abs(y - stage["height"] / 2) < 3


def test_a_browser_without_webgl_has_the_list(mapped: Mapped) -> None:
    page = mapped.page
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")

    page.goto(mapped.url)

    expect(page.locator("#map-trouble")).to_contain_text("does not support WebGL2")
    expect(page.locator("#map-canvas")).to_be_hidden()
    expect(mapped.links).to_have_count(N)
