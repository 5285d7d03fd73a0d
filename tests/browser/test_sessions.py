"""Where sessions are started, foretold, handed out and put away."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.db.session import read_session
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import UserAction
from app.records.records import load_consensus
from tests.browser.conftest import Served, requests_held
from tests.labeling.conftest import Desk, make_desk
from tests.labeling.test_next_best import folded_session, start_long_session
from tests.labeling.test_sessions import embed, suggest

pytestmark = pytest.mark.browser


def told(desk: Desk) -> None:
    """A tuned version that knows each record's label, and is quite sure of it."""
    shares = np.full((12, 3), 0.05)
    shares[np.arange(12), np.arange(12) % 3] = 0.9
    suggest(desk, embed(desk), shares)


def test_sessions_are_foretold_started_handed_out_and_put_away(
    database: str, served: Served, page: Page
) -> None:
    desk = make_desk()
    told(desk)
    desk.label(desk.ben, (0, 0), key="b")
    start_session(desk.project, desk.ada, "given", seed=build_seed("given", desk.records[:3]))
    served.login(page.context, desk.ada)
    url = f"{served.url}/projects/letters/sessions"
    page.goto(url)

    # What each way holds is told without a click, and what cannot be had is said in place.
    uncertain = page.locator("form.way", has_text="Uncertain")
    expect(uncertain.locator(".forecast")).to_contain_text("11 records. About")
    suspects = page.locator("form.way", has_text="Likely mislabeled")
    expect(suspects.locator(".forecast")).to_have_text("No likely mislabeled records found.")
    expect(suspects.locator("button")).to_be_hidden()
    expect(uncertain.locator("button")).to_be_visible()

    # The session is handed to both; each of them has a state of their own.
    line = page.locator(".session-line", has_text="3 chosen records")
    line.get_by_label("More about 3 chosen records").click()
    line.get_by_label("ada").check()
    line.get_by_label("ben").check()
    line.get_by_role("button", name="Assign").click()
    assigned = page.locator("#assigned .session-line")
    expect(assigned).to_contain_text("you 0 of 3 · ben 1 of 3")

    # Put away, it is in no list but that of the hidden ones.
    assigned.get_by_label("More about 3 chosen records").click()
    line.get_by_label("ada").uncheck()
    line.get_by_role("button", name="Assign").click()
    expect(page.locator("#assigned")).to_have_count(0)
    line.get_by_label("More about 3 chosen records").click()
    line.get_by_role("button", name="Hide").click()
    expect(line).to_have_count(0)
    page.get_by_role("link", name="Show 1 hidden").click()
    expect(page.locator("#hidden .session-line")).to_have_count(1)

    # More like a label: the forecast follows the choice, and its likely part is one click.
    page.get_by_label("More like the label").select_option(label="billing")
    seed = page.locator("form.seed", has=page.locator("select"))
    expect(seed.locator(".forecast")).to_contain_text("3 of these 11 are probably billing")
    seed.get_by_role("button", name="Start with only these 3").click()
    expect(page).to_have_url(re.compile(r"/sessions/\d+$"))
    expect(page.locator(".record-row")).to_have_count(3)


def test_identical_copies_follow_their_row(database: str, served: Served, page: Page) -> None:
    desk = make_desk()
    session = folded_session(desk)
    served.login(page.context, desk.ada)
    page.goto(f"{served.url}/projects/letters/sessions/{session.id}")

    # One key labels the row and both that it stands for; one more takes all of it back.
    row = page.locator(".record-row", has_text="Also labels 2 identical copies")
    row.get_by_text("Also labels 2 identical copies").click()
    expect(row.locator(".copies li")).to_have_count(2)
    expect(row.locator(".copies")).to_contain_text("message NUMBER 0")
    row.get_by_text("Also labels 2 identical copies").click()
    expect(row.locator(".copies")).to_have_count(0)
    page.keyboard.press("2")
    expect(row).to_have_attribute("data-verdict", "label")
    expect(page.locator('[data-progress="decided"]')).to_have_text("1")
    alike = [desk.records[i] for i in (0, 3, 6)]
    with read_session() as db:
        assert load_consensus(db, alike) == {i: [desk.labels[1]] for i in alike}
    page.keyboard.press("z")
    expect(row).to_have_attribute("data-verdict", "")
    expect(page.locator('[data-progress="decided"]')).to_have_text("0")
    with read_session() as db:
        assert load_consensus(db, alike) == {}


def test_the_forecast_in_the_header_follows_what_is_decided(
    database: str, served: Served, page: Page
) -> None:
    desk = make_desk()
    suggest(desk, embed(desk), np.tile([0.999, 0.001, 0.0], (12, 1)))
    seed, why = build_seed("suggested", label_id=desk.labels[0]), "Nearly all of these are billing."
    session = start_session(desk.project, desk.ada, "suggested", seed=seed, why=why)
    served.login(page.context, desk.ada)
    page.goto(f"{served.url}/projects/letters/sessions/{session.id}")
    forecast = page.locator("#forecast")
    expect(forecast).to_have_text(why)

    for _ in range(6):
        page.keyboard.press("2")
    expect(forecast).to_contain_text("delivery")
    expect(forecast).to_contain_text("6 already labeled")
    for _ in range(6):
        page.keyboard.press("z")
    expect(forecast).to_contain_text("About 100 % billing")


def test_a_checked_session_is_accepted_and_undone_as_a_whole(
    database: str, served: Served, page: Page
) -> None:
    desk = make_desk(n_records=100)
    session = start_long_session(desk)
    served.login(page.context, desk.ada)
    page.goto(f"{served.url}/projects/letters/sessions/{session.id}")
    done = page.locator('[data-progress="decided"]')
    accept = page.get_by_role("button", name="Accept the rest of the session")

    # Before anything is known, it is refused where one stands.
    page.get_by_text("Accept the whole session after a spot check").click()
    accept.click()
    expect(page.get_by_role("alert")).to_contain_text("Label the 40 rows of the spot check first")
    page.get_by_role("button", name="Show the sampled rows").click()
    expect(page.locator(".record-row")).to_have_count(40)
    expect(page.locator(".record-row:focus")).to_have_count(1)
    # Refused again, it is nothing that an undo would take back: the label before it is.
    page.keyboard.press("Enter")
    accept.click()
    expect(page.get_by_role("alert")).to_contain_text("1 labeled so far")
    page.keyboard.press("z")
    expect(done).to_have_text("0")
    for n in range(40):
        page.keyboard.press("Enter")
        expect(done).to_have_text(str(n + 1))
    expect(page.locator("#n-sampled")).to_have_text("40")
    expect(page.locator("#acceptance")).to_have_text(
        "Accepts 60 of 60 open suggestions: those with a probability of at least 80 %, 90 % on "
        "average."
    )
    page.locator("#accept-all").get_by_label("Minimum probability").select_option("95 %")
    expect(page.locator("#acceptance")).to_have_text(
        "No open suggestion has a probability of at least 95 %."
    )
    page.locator("#accept-all").get_by_label("Minimum probability").select_option("80 %")
    expect(page.locator("#acceptance")).to_contain_text("Accepts 60 of 60")

    # What is pressed while it is being accepted follows it, in its order.
    with requests_held(page, "**/accept"):
        accept.click()
        for key in ("z", "z", "Enter"):
            page.keyboard.press(key)
    expect(page.locator('.record-row[data-state="saving"]')).to_have_count(0)
    expect(done).to_have_text("40")
    with read_session() as db:
        assert len(load_consensus(db, desk.records)) == 40
        actions = db.execute(
            select(UserAction.kind, UserAction.undone_at.is_not(None)).order_by(UserAction.id)
        ).all()
    assert [tuple(each) for each in actions[-3:]] == [
        ("single", True),
        ("page", True),
        ("single", False),
    ]

    # The rows that are shown say at once what was accepted for them, and that it was taken back.
    page.get_by_role("button", name="Show all rows").click()
    page.get_by_text("Accept the whole session after a spot check").click()
    accept.click()
    expect(page.locator("#toast")).to_contain_text("Accepted 60 suggestions.")
    expect(done).to_have_text("100")
    expect(page.locator('.record-row[data-verdict="label"]')).to_have_count(100)
    page.keyboard.press("z")
    expect(done).to_have_text("40")
    expect(page.locator('.record-row[data-verdict="label"]')).to_have_count(40)
    with read_session() as db:
        assert len(load_consensus(db, desk.records)) == 40
