"""The session page: long sessions, many labels, thresholds, re-ranking, any script, every eye."""

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import func, select

from app.db.session import read_session, write_session
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import Annotation, LabelingSession, Record, SessionItem, User, UserAction
from tests.browser.conftest import Served, new_context
from tests.browser.test_labeling import Labeling
from tests.conftest import make_project, make_user
from tests.labeling.conftest import add_labels, make_desk, publish_suggestions
from tests.labeling.test_sessions import embed

pytestmark = pytest.mark.browser

SCRIPTS = [
    "שלום, החבילה שלי לא הגיעה. Order 4711 is still missing!",
    "لم تصل الطلبية رقم ٤٧١١ حتى الآن (refund)",
    "我的包裹还没有到，请退款。订单号是 4711，我已经等了三个星期了。",
    "W" * 1_400,
    "x" * 1_000_000,
    "the parcel never came, please refund order 4711",
    "the parcel never came, please refund order 4712",
]
MANY_LABELS = [
    "Account access",
    "Address change",
    "Billing error",
    "Cancelled order",
    "Card declined",
    "Complaint",
    "Damaged item",
    "Delivery late",
    "Discount code",
    "Gift card",
    "Lost parcel",
    "Refund request",
    "Return label",
    "Élite club",
]


def open_rows(
    context: BrowserContext,
    page: Page,
    served: Served,
    texts: Sequence[str],
    labels: Sequence[str] = ("billing", "delivery"),
    is_suggesting: bool = False,
    **seed: object,
) -> Labeling:
    """A session of these texts in their order; the similarity falls, by a thousandth at most.

    is_suggesting  a version suggests a label for each, of every fourth record id with 0.9, else 0.5
    """
    project = make_project()
    step = 1 / max(len(texts), 1_000)
    ids = add_labels(project, labels)
    user = make_user("ada", "admin")
    session = LabelingSession(
        project_id=project.id,
        user_id=user.id,
        seed_kind=seed.pop("kind", "given"),
        seed=seed,
        title="Rows",
        n_records=len(texts),
    )
    with write_session() as db:
        db.add(session)
        records = [
            Record(
                project_id=project.id,
                external_id=f"r{i}",
                text=text,
                fields={"subject": f"<i>Ticket {i}</i>"},
                content_hash=hashlib.sha256(f"{i}".encode()).hexdigest(),
            )
            for i, text in enumerate(texts)
        ]
        db.add_all(records)
        db.flush()
        db.add_all(
            SessionItem(session_id=session.id, rank=i, record_id=each.id, similarity=1 - i * step)
            for i, each in enumerate(records)
        )
    if is_suggesting:
        record_ids = np.array([each.id for each in records])
        chances = np.zeros((len(records), len(ids)))
        chances[np.arange(len(records)), record_ids % 2] = np.where(record_ids % 4, 0.5, 0.9)
        encoder = publish_suggestions(project, record_ids.tolist(), ids, chances)
        with write_session() as db:
            db.get_one(LabelingSession, session.id).version_id = encoder.id
    served.login(context, user)
    labeling = Labeling(page, served, project, session, user, ids)
    page.goto(labeling.url)
    expect(labeling.row(0)).to_be_focused()
    return labeling


def actions() -> list[tuple[str, int]]:
    with read_session() as db:
        rows = db.execute(
            select(UserAction.kind, func.count(Annotation.id))
            .outerjoin(Annotation, Annotation.action_id == UserAction.id)
            .group_by(UserAction.id)
            .order_by(UserAction.id)
        )
        return [(kind, n) for kind, n in rows]


def test_ten_thousand_rows_stay_light_and_any_of_them_is_one_jump_away(
    context: BrowserContext, page: Page, served: Served
) -> None:
    labeling = open_rows(context, page, served, [f"message number {i}" for i in range(10_000)])
    told = page.locator("#announcer")

    labeling.press("1")
    labeling.saved(0)
    expect(told).to_have_text("Saved: billing.")
    labeling.press("End")
    expect(labeling.row(9_999)).to_be_focused()
    labeling.press("2", "k")
    labeling.saved(9_999)
    expect(labeling.row(9_998)).to_be_focused()
    expect(labeling.row(9_998)).to_have_attribute("aria-rowindex", "9999")
    page.locator("#view-settings summary").click()
    page.locator("#jump-at").fill("5001")
    page.locator("#jump-at").press("Enter")
    expect(labeling.row(5_000)).to_be_focused()
    labeling.press("v", "j", "j", "1")
    expect(page.locator("#toast")).to_contain_text("3 records: billing.")
    labeling.saved(5_002)
    assert page.locator(".record-row").count() <= 600

    labeling.press("z", "z")
    expect(labeling.row(9_999)).to_be_focused()
    labeling.saved(9_999)
    labeling.press("Home")
    expect(labeling.row(0)).to_be_focused()
    expect(labeling.row(0).locator(".own")).to_have_text("billing")
    page.reload()
    labeling.press("Control+z")
    expect(labeling.row(0)).to_be_focused()
    expect(told).to_have_text("Undone.")
    with read_session() as db:
        assert db.scalar(select(func.count()).where(Annotation.withdrawn_at.is_(None))) == 0


def test_rows_above_a_threshold_are_labeled_as_one_action(
    context: BrowserContext, page: Page, served: Served
) -> None:
    labeling = open_rows(
        context, page, served, [f"message number {i}" for i in range(260)], is_suggesting=True
    )
    panel = page.locator("#threshold")
    words = panel.locator("output")

    labeling.press("2", "t")
    labeling.saved(0)
    similarity = panel.get_by_label("Minimum similarity")
    expect(similarity).to_be_focused()
    similarity.fill("0.75")
    expect(words).to_have_text("254 of 259 undecided rows selected.")
    expect(page.locator("#chosen")).to_contain_text("254 rows selected")
    panel.get_by_label("Minimum probability").fill("0.8")
    expect(words).to_have_text("63 of 259 undecided rows selected.")
    labeling.press("1")
    expect(page.locator("#toast")).to_contain_text("63 records: billing.")
    expect(page.locator("#progress")).to_have_attribute("value", "64")
    assert actions() == [("single", 1), ("page", 63)]

    expect(words).to_have_text("Undecided rows left: 196.")
    panel.get_by_label("Minimum probability").fill("0.5")
    similarity.fill("0.99")
    expect(words).to_have_text("11 of 196 undecided rows selected.")
    page.keyboard.press("Escape")
    expect(page.locator("#chosen")).to_be_hidden()
    labeling.press("t")
    expect(panel).to_be_hidden()
    labeling.press("z")
    expect(page.locator("#progress")).to_have_attribute("value", "1")
    assert labeling.verdicts() == {0: "delivery"}

    labeling.press("Shift+A")
    rest = page.get_by_role("dialog", name="Accept suggestions")
    expect(rest.get_by_role("status")).to_contain_text(
        "Accepts 65 of 259 open suggestions: those with a probability of at least 80 %, 90 % on "
        "average. The other 194 stay open."
    )
    rest.get_by_label("Minimum probability").select_option("50 %")
    expect(rest.get_by_role("status")).to_contain_text("Accepts 259 of 259 open suggestions")
    rest.get_by_role("button", name="Accept 259").click()
    expect(page.locator("#toast")).to_contain_text("Accepted 259 suggestions.")
    expect(page.locator("#progress")).to_have_attribute("value", "260")
    labeling.press("z")
    expect(page.locator("#progress")).to_have_attribute("value", "1")
    labeling.press("Shift+A")
    rest.get_by_role("button", name="Only 99 near this row").click()
    expect(page.locator("#progress")).to_have_attribute("value", "100")


def test_one_of_many_labels_is_found_by_typing_and_digits_stay_where_they_were_put(
    context: BrowserContext, page: Page, served: Served
) -> None:
    labeling = open_rows(context, page, served, ["one", "two", "three", "four"], MANY_LABELS)
    field = page.get_by_role("combobox", name="Find a label")
    options = page.locator("#palette [role=option]")
    expect(page.locator("#legend button")).to_have_count(10)
    expect(page.locator(".all-labels")).to_contain_text("All 14 labels")

    labeling.press("l")
    expect(field).to_be_focused()
    expect(options).to_have_count(14)
    page.keyboard.type("rr")
    expect(options.locator(".name")).to_have_text(["Refund request", "Billing error"])
    active = options.first.get_attribute("id")
    expect(field).to_have_attribute("aria-activedescendant", active or "")
    labeling.press("Enter")
    labeling.saved(0)
    expect(labeling.row(1)).to_be_focused()

    labeling.press("l")
    expect(options.first).to_contain_text("Refund request")
    page.keyboard.type("elite")
    labeling.press("Enter", "l")
    expect(options.nth(1)).to_contain_text("Refund request")
    page.keyboard.type("nothing like this")
    expect(page.locator("#palette [role=status]")).to_have_text("No matching label.")
    labeling.press("Enter", "Escape")
    expect(field).to_be_hidden()
    labeling.saved(1)

    labeling.press("l")
    page.keyboard.type("return")
    labeling.press("Alt+2", "2", "3")
    labeling.saved(3)
    assert labeling.verdicts() == {
        0: "Refund request",
        1: "Élite club",
        2: "Return label",
        3: "Billing error",
    }


def test_a_label_more_than_there_are_digits_is_found_by_typing_as_soon_as_it_is_added(
    context: BrowserContext, page: Page, served: Served
) -> None:
    labeling = open_rows(context, page, served, ["one", "two", "three"], MANY_LABELS[:10])
    every = page.locator(".all-labels")
    expect(every).to_be_hidden()

    page.locator(".add-label [name=name]").fill("Praise")
    labeling.press("Enter", "l")
    page.keyboard.type("prai")
    labeling.press("Enter", "0")

    labeling.saved(1)
    expect(every).to_have_text(re.compile("All 11 labels"))
    assert labeling.verdicts() == {0: "Praise", 1: MANY_LABELS[9]}
    every.click()
    expect(page.get_by_role("button", name="Assign digits to the most used")).to_be_visible()


def test_texts_in_every_script_and_of_any_length_are_read_and_folded(
    context: BrowserContext, page: Page, served: Served
) -> None:
    labeling = open_rows(
        context, page, served, SCRIPTS, kind="selection", text="parcel", record_ids=[]
    )
    with write_session() as db:
        session = db.get_one(LabelingSession, labeling.session.id)
        first = db.scalar(select(Record.id).where(Record.external_id == "r5"))
        session.seed = {**session.seed, "record_ids": [first]}
    page.reload()
    text = labeling.row(0).locator(".record-text")

    assert text.evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert labeling.row(3).evaluate("e => e.scrollWidth <= e.clientWidth")
    expect(labeling.row(5).locator("mark")).to_have_text(["parcel"])
    expect(labeling.row(5).locator(".differs")).to_have_count(0)
    expect(labeling.row(6).locator(".differs")).to_have_text(["4712"])
    differs = labeling.row(6).locator(".differs")
    assert differs.evaluate("e => getComputedStyle(e).textDecorationLine") == "underline"
    with page.expect_response("**/me/preferences"):
        labeling.press("d")
    assert differs.evaluate("e => getComputedStyle(e).textDecorationLine") == "none"

    labeling.row(4).click()
    assert len(labeling.row(4).inner_text()) < 1_500
    labeling.press("e")
    whole = labeling.row(4).locator(".whole-text")
    expect(whole).to_have_attribute("aria-label", "Full text")
    assert whole.evaluate("e => e.textContent.length") == 1_000_000
    labeling.press("e")
    expect(whole).to_have_count(0)
    labeling.press("o")
    expect(labeling.row(4).locator(".fields")).to_contain_text("<i>Ticket 4</i>")
    labeling.press("o")
    expect(labeling.row(4).locator(".fields")).to_have_count(0)
    assert labeling.verdicts() == {}


def test_density_and_text_size_are_stored_per_user(
    context: BrowserContext, page: Page, served: Served
) -> None:
    labeling = open_rows(context, page, served, ["line one\nline two"] * 3)
    before = labeling.row(1).bounding_box()
    root = page.locator("#session")

    for name in ("Compact", "Largest", "No"):
        page.locator("#view-settings summary").click()
        with page.expect_response("**/me/preferences"):
            page.locator("#view-settings").get_by_role("button", name=name).last.click()
        page.keyboard.press("Escape")
    page.reload()

    for attribute, value in (("density", "compact"), ("text-size", "largest"), ("rerank", "no")):
        expect(root).to_have_attribute(f"data-{attribute}", value)
    after = labeling.row(1).bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] < before["height"]
    with read_session() as db:
        kept = db.scalars(select(User.preferences)).one()
    assert kept == {"density": "compact", "text_size": "largest", "is_reranked": False}


def test_what_is_below_moves_as_labels_arrive_and_never_the_focus_or_what_is_above(
    context: BrowserContext, page: Page, served: Served
) -> None:
    desk = make_desk()
    embed(desk)
    seed = build_seed("record", [desk.records[0]])
    session = start_session(desk.project, desk.ada, "record", seed=seed, k=11)
    served.login(context, desk.ada)
    labeling = Labeling(page, served, desk.project, session, desk.ada, desk.labels)
    # The page asks for the order when it begins, too: that one must know nothing of the labels.
    with page.expect_response("**/order"):
        page.goto(labeling.url)
    with read_session() as db:
        places = select(SessionItem.record_id).where(SessionItem.session_id == session.id)
        ids = list(db.scalars(places.order_by(SessionItem.rank)))
    truth = [desk.records.index(record_id) % 3 for record_id in ids]
    order = "rows => rows.map(row => Number(row.dataset.rank))"
    marker = page.locator("#reranked")
    # Rank 0, then every second row, so that rows of the seed's label stay open among the others.
    said = [0, 4, 6, 8]
    for rank in said:
        labeling.row(rank).click()
        labeling.press(str(truth[rank] + 1))
        labeling.saved(rank)
    assert page.locator(".record-row").evaluate_all(order) == list(range(12))
    labeling.row(1).click()
    with page.expect_response("**/order"):
        labeling.press(str(truth[1] + 1))
    expect(marker).to_have_text("re-ranked after 5 labels")

    now = page.locator(".record-row").evaluate_all(order)
    expect(labeling.row(2)).to_be_focused()
    assert now[:3] == [0, 1, 2]
    assert [now.index(rank) for rank in (4, 6, 8)] == [4, 6, 8]
    with read_session() as db:
        asked = np.array([row.rank for row in db.scalars(select(Annotation))])
    assert sorted(asked.tolist()) == [0, 1, 4, 6, 8]
    below = [rank for rank in now[3:] if rank not in said]
    likely = [truth[rank] == 0 for rank in below]
    assert likely == sorted(likely, reverse=True)

    with page.expect_response("**/me/preferences"):
        page.locator("#view-settings summary").click()
        page.locator("#view-settings [data-setting=rerank][data-value=no]").click()
    expect(marker).to_be_hidden()
    assert page.locator(".record-row").evaluate_all(order) == list(range(12))
    expect(labeling.row(2)).to_have_attribute("data-focused", "")


def test_the_proposed_end_is_a_line_and_what_is_above_is_selected_by_a_button(
    context: BrowserContext, page: Page, served: Served
) -> None:
    page.route(
        "**/order",
        lambda route: route.fulfill(
            json={
                "order": [4, 0, 1, 2, 3, 5],
                "is_reranked": True,
                "n_learned": 7,
                "suggestions": {"4": [[1, 0.875]]},
                "cut": 3,
                "cut_label_id": 1,
                "cut_sentence": "Below this line, fewer than half are probably billing.",
            }
        ),
    )
    labeling = open_rows(context, page, served, [f"message number {i}" for i in range(6)])
    line = page.locator(".divider")

    expect(line).to_contain_text("Below this line, fewer than half are probably billing.")
    expect(labeling.row(4).locator(".suggested")).to_contain_text("88 %")
    ranks = "rows => rows.map(row => row.dataset.rank ?? '-').join('')"
    assert page.locator("#rows [role=row]").evaluate_all(ranks) == "041-235"
    line.get_by_role("button", name="Select the 3 rows above").click()
    expect(page.locator("#chosen")).to_contain_text("3 rows selected")
    labeling.press("1")
    labeling.saved(4)
    assert labeling.verdicts() == {0: "billing", 1: "billing", 4: "billing"}
    assert actions() == [("page", 3)]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_is_usable_for_all_eyes_and_thumbs(
    chromium: Browser, served: Served, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = new_context(
        chromium,
        viewport={"width": width, "height": 844},
        color_scheme=scheme,
        has_touch=width < 400,
        reduced_motion="reduce",
    )
    page = context.new_page()
    labeling = open_rows(context, page, served, [*SCRIPTS, *["more"] * 20], MANY_LABELS)
    axe = Axe()

    for keys in (["1", "v", "j"], ["Escape", "t"], ["Escape", "l"], ["Escape", "?"]):
        labeling.press(*keys)
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()
    labeling.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width < 400:
        press = page.locator(".legend").get_by_role("button")
        press.filter(has_text="Complaint").tap()
        labeling.saved(2)
        press.filter(has_text="Undo").tap()
        expect(labeling.row(2).locator(".own")).to_have_text("")
        tall = press.filter(has_text="Skip").bounding_box()
        assert tall is not None
        assert tall["height"] >= 36
        assert tall["y"] + tall["height"] <= 844
    context.close()


def test_from_the_project_to_the_first_label_in_two_presses(
    context: BrowserContext, page: Page, served: Served
) -> None:
    desk = make_desk()
    embed(desk)
    served.login(context, desk.ada)
    page.goto(f"{served.url}/projects/{desk.project.slug}")

    page.locator(
        "form[action$='/sessions'] button, form[action$='/sessions/next'] button"
    ).first.click()
    expect(page.locator(".record-row[data-focused]")).to_be_focused()
    page.keyboard.press("1")

    expect(page.locator('.record-row[data-state="saved"]')).to_have_count(1)
    assert actions() == [("single", 1)]
