"""The labeling page as a person meets it: keys, honest saving, undo, no connection, no script."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, Route, expect
from sqlalchemy import func, select

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.sessions import rows as shown_items
from app.labeling.sessions.sessions import start_session
from app.models import Annotation, Label, LabelingSession, Project, User, UserAction
from tests.browser.conftest import Served, new_context
from tests.conftest import make_project, make_user
from tests.labeling.conftest import add_labels, add_records, publish_suggestions

pytestmark = pytest.mark.browser

MARKUP = "<img src=x onerror=alert(1)> & <b>bold</b>"


@dataclass
class Labeling:
    """A session that is open in a browser, and what the database holds about it."""

    page: Page
    served: Served
    project: Project
    session: LabelingSession
    user: User
    labels: list[int]

    @property
    def url(self) -> str:
        return f"{self.served.url}/projects/{self.project.slug}/sessions/{self.session.id}"

    def row(self, rank: int) -> Locator:
        return self.page.locator(f"#row-{rank}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def verdicts(self) -> dict[int, str]:
        """Rank → what the database says the user says."""
        with read_session() as db:
            standing = shown_items.load_items(db, self.project, self.session, self.user.id, 0, 500)
            names = {label.id: label.name for label in db.scalars(select(Label))}
        return {
            item.rank: (
                ",".join(names[i] for i in item.state.own_label_ids) or item.state.own_verdict
            )
            for item in standing
            if item.state.own_verdict
        }

    def saved(self, rank: int) -> None:
        expect(self.row(rank)).to_have_attribute("data-state", "saved")


def open_session(
    context: BrowserContext,
    page: Page,
    served: Served,
    *,
    n: int = 12,
    is_multi: bool = False,
    score: float = 0.0,
) -> Labeling:
    """score: with it, a version suggests billing for even record ids and delivery for odd ones."""
    project = make_project(is_multi_label=is_multi)
    ids = add_records(project, [f"message number {i}" for i in range(n)])
    labels = add_labels(project, ["billing", "delivery", MARKUP])
    user = make_user("ada", "admin")
    if score:
        chances = np.zeros((n, 3))
        chances[np.arange(n), np.array(ids) % 2] = score
        publish_suggestions(project, ids, labels, chances)
    session = start_session(project, user, "random", k=n)
    served.login(context, user)
    labeling = Labeling(page, served, project, session, user, labels)
    page.goto(labeling.url)
    expect(labeling.row(0)).to_be_focused()
    return labeling


@pytest.fixture
def labeling(context: BrowserContext, page: Page, served: Served) -> Labeling:
    return open_session(context, page, served)


@pytest.fixture
def suggesting(context: BrowserContext, page: Page, served: Served) -> Labeling:
    """A session whose version suggests a label with a score of 0.9 for every row."""
    return open_session(context, page, served, score=0.9)


def test_one_key_labels_saves_and_moves_on(labeling: Labeling) -> None:
    labeling.press("1", "2", "3", "n", "Space", "x")

    expect(labeling.row(6)).to_be_focused()
    labeling.saved(5)
    assert labeling.verdicts() == {
        0: "billing",
        1: "delivery",
        2: MARKUP,
        3: "none",
        4: "skip",
        5: "not_similar",
    }
    expect(labeling.page.locator("[data-progress=decided]")).to_have_text("6")
    expect(labeling.row(0).locator(".own")).to_contain_text("billing")
    expect(labeling.row(2).locator(".own .name")).to_have_text(MARKUP)
    expect(labeling.page.locator("#rows img, #legend img")).to_have_count(0)


def test_a_row_shows_agreement_at_once(labeling: Labeling) -> None:
    record_id = int(labeling.row(0).get_attribute("data-record") or 0)
    said = AnnotationInput(record_id, "label", (labeling.labels[0],))
    with write_session() as db:
        annotate(db, labeling.project, make_user("ben").id, [said], key="b")
    labeling.page.reload()
    expect(labeling.row(0).locator(".other")).to_have_text("ben: billing")
    tie = labeling.row(0).locator(".tie")
    expect(tie).to_be_hidden()

    labeling.press("2")
    expect(tie).to_have_text("no consensus yet")
    expect(tie).to_be_visible()
    labeling.press("z")
    expect(tie).to_be_hidden()


def test_moving_keys(labeling: Labeling) -> None:
    for key, rank in (
        ("j", 1),
        ("ArrowDown", 2),
        ("k", 1),
        ("ArrowUp", 0),
        ("End", 11),
        ("j", 11),
        ("Home", 0),
    ):
        labeling.press(key)
        expect(labeling.row(rank)).to_be_focused()
    assert labeling.verdicts() == {}

    labeling.press("1")
    labeling.press("k", "Space")
    expect(labeling.row(1)).to_be_focused()
    labeling.saved(0)
    assert labeling.verdicts() == {0: "billing"}


def test_backspace_tab_and_typing_do_nothing_to_labels(labeling: Labeling) -> None:
    labeling.press("1")
    labeling.saved(0)

    labeling.press("Backspace", "Delete", "Control+1")
    labeling.page.locator(".add-label [name=name]").fill("")
    labeling.page.locator(".add-label [name=name]").type("1 2 n x")

    assert labeling.verdicts() == {0: "billing"}


def test_undo_and_redo_without_end(labeling: Labeling) -> None:
    labeling.press("1", "2", "n")
    labeling.saved(2)

    labeling.press("z")
    expect(labeling.row(2)).to_be_focused()
    labeling.press("Control+z", "z")
    expect(labeling.row(0)).to_be_focused()
    labeling.saved(0)
    assert labeling.verdicts() == {}
    expect(labeling.row(0).locator(".own")).to_have_text("")

    labeling.press("Shift+Z", "Control+y", "Shift+Z")
    labeling.saved(2)
    assert labeling.verdicts() == {0: "billing", 1: "delivery", 2: "none"}


def test_undo_goes_back_further_than_this_page(labeling: Labeling) -> None:
    labeling.press("1", "2")
    labeling.saved(1)
    labeling.page.reload()
    expect(labeling.row(2)).to_be_focused()

    labeling.press("z")
    expect(labeling.row(1)).to_be_focused()
    labeling.saved(1)
    labeling.press("z")
    expect(labeling.row(0)).to_be_focused()
    labeling.saved(0)

    assert labeling.verdicts() == {}


def test_the_suggestion_is_accepted_by_one_key(suggesting: Labeling) -> None:
    suggesting.press("Enter", "a")

    suggesting.saved(1)
    expect(suggesting.row(2)).to_be_focused()
    assert set(suggesting.verdicts()) == {0, 1}
    with read_session() as db:
        rows = db.scalars(select(Annotation)).all()
    assert [row.label_id == row.suggestion_id for row in rows] == [True, True]
    assert [row.suggestion_score for row in rows] == pytest.approx([0.9, 0.9], abs=1e-3)
    assert all(row.milliseconds is not None for row in rows)


def test_the_rest_of_the_page_is_accepted_as_one_action(suggesting: Labeling) -> None:
    suggesting.press("n", "Shift+A")
    dialog = suggesting.page.get_by_role("dialog", name="Accept suggestions")
    expect(dialog.get_by_role("status")).to_have_text(
        "Accepts 11 of 11 open suggestions: those with a probability of at least 80 %, 90 % on "
        "average. One undo reverts this."
    )
    expect(dialog.get_by_role("button", name="Accept 11")).to_be_focused()
    dialog.get_by_label("Minimum probability").select_option("95 %")
    expect(dialog.get_by_role("status")).to_have_text(
        "No open suggestion has a probability of at least 95 %."
    )
    expect(dialog.get_by_role("button", name="Accept 0")).to_be_disabled()
    suggesting.press("Escape")
    suggesting.saved(0)
    assert set(suggesting.verdicts()) == {0}

    suggesting.press("Shift+A")
    dialog.get_by_label("Minimum probability").select_option("80 %")
    dialog.get_by_role("button", name="Accept 11").click()
    suggesting.saved(11)
    expect(suggesting.page.locator("#toast")).to_contain_text("Accepted 11 suggestions")
    assert len(suggesting.verdicts()) == 12
    with read_session() as db:
        kinds = db.scalars(select(UserAction.kind).order_by(UserAction.id)).all()
    assert kinds == ["single", "page"]

    # Pressed from within: the note hides itself after some seconds.
    suggesting.page.locator("#toast button").dispatch_event("click")
    suggesting.saved(11)
    assert suggesting.verdicts() == {0: "none"}
    suggesting.press("Shift+Z")
    suggesting.saved(11)
    assert len(suggesting.verdicts()) == 12


def test_enter_on_a_decided_row_writes_nothing(suggesting: Labeling) -> None:
    suggesting.press("3", "Space", "n")
    suggesting.saved(2)
    before = suggesting.verdicts()

    sent: list[str] = []
    suggesting.page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    suggesting.press("Home", "Enter", "a", "Enter")
    expect(suggesting.page.locator("#toast")).to_contain_text("This row is already decided")
    expect(suggesting.row(3)).to_be_focused()
    suggesting.press("Enter")
    suggesting.saved(3)

    assert len([each for each in sent if each.endswith("/annotations")]) == 1
    after = suggesting.verdicts()
    assert {rank: after[rank] for rank in before} == before
    assert set(after) == {0, 1, 2, 3}
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(UserAction)) == 4
        assert db.scalar(select(func.count()).select_from(Annotation)) == 4


def test_only_open_rows_above_the_threshold_are_accepted(
    suggesting: Labeling,
) -> None:
    suggesting.press("3", "k", "v", "j", "j", "Enter")
    dialog = suggesting.page.get_by_role("dialog", name="Accept suggestions")
    expect(dialog.get_by_role("status")).to_contain_text("Accepts 2 of 2 open suggestions")
    suggesting.press("Enter")

    suggesting.saved(2)
    assert set(suggesting.verdicts()) == {0, 1, 2}
    assert suggesting.verdicts()[0] == MARKUP


def test_a_first_session_is_not_accepted_together(labeling: Labeling) -> None:
    labeling.press("Shift+A")

    expect(labeling.page.locator("#toast")).to_contain_text("Label this session row by row")
    expect(labeling.page.get_by_role("button", name="Accept the rest")).to_have_count(0)
    assert labeling.verdicts() == {}


def test_a_range_is_labeled_as_one_action(labeling: Labeling) -> None:
    labeling.press("v", "j", "j", "2")

    labeling.saved(2)
    assert labeling.verdicts() == {0: "delivery", 1: "delivery", 2: "delivery"}
    labeling.row(3).click()
    labeling.row(5).click(modifiers=["Shift"])
    expect(labeling.page.locator('[aria-selected="true"]')).to_have_count(3)
    labeling.press("1")
    labeling.saved(5)

    labeling.press("i")
    expect(labeling.page.locator('[aria-selected="true"]')).to_have_count(6)
    labeling.press("Escape")
    expect(labeling.page.locator('[aria-selected="true"]')).to_have_count(0)

    labeling.press("z", "z")
    labeling.saved(0)
    assert labeling.verdicts() == {}


def test_flags_and_comments(labeling: Labeling) -> None:
    labeling.press("f", "c")
    labeling.page.locator("#comment textarea").fill("What is 1 <b>meant</b> here?")
    labeling.page.get_by_role("button", name="Save comment").click()

    expect(labeling.row(0).locator(".comment")).to_have_text("“What is 1 <b>meant</b> here?”")
    expect(labeling.row(0).locator(".flag")).to_be_visible()
    labeling.saved(0)
    labeling.page.reload()
    expect(labeling.row(0).locator(".flag")).to_be_visible()
    expect(labeling.row(0).locator(".comment")).to_contain_text("<b>meant</b>")

    for _ in range(2):
        with labeling.page.expect_response("**/undo"):
            labeling.press("z")
    expect(labeling.row(0).locator(".flag")).to_be_hidden()
    labeling.page.reload()
    expect(labeling.row(0).locator(".flag")).to_be_hidden()
    expect(labeling.row(0).locator(".comment")).to_have_count(0)
    assert labeling.verdicts() == {}


def test_nothing_is_called_saved_without_a_connection_and_all_of_it_is_sent_once(
    labeling: Labeling, context: BrowserContext
) -> None:
    context.set_offline(True)
    labeling.press("1", "2", "n")

    expect(labeling.page.locator("#unsaved")).to_contain_text("3 changes are not saved yet")
    for rank in (0, 1, 2):
        expect(labeling.row(rank)).to_have_attribute("data-state", "unsaved")
    assert labeling.verdicts() == {}

    context.set_offline(False)
    # Pressed from within: the page may have saved by itself already, and hidden the button.
    labeling.page.locator("#unsaved button").dispatch_event("click")
    for rank in (0, 1, 2):
        labeling.saved(rank)
    expect(labeling.page.locator("#unsaved")).to_be_hidden()
    assert labeling.verdicts() == {0: "billing", 1: "delivery", 2: "none"}


def test_a_lost_response_is_retried_with_the_same_key(labeling: Labeling) -> None:
    lost: list[str] = []

    def lose_two_answers(route: Route) -> None:
        if len(lost) < 2:
            lost.append(route.request.post_data or "")
            route.fetch()
            route.abort()
        else:
            route.continue_()

    labeling.page.route("**/annotations", lose_two_answers)
    labeling.press("1")
    labeling.saved(0)

    assert len(lost) == 2
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Annotation)) == 1


def test_an_undo_with_a_lost_response_undoes_one_action_only(labeling: Labeling) -> None:
    labeling.press("1", "2")
    labeling.saved(1)
    lost: list[bool] = []

    def lose_one_answer(route: Route) -> None:
        if not lost:
            lost.append(True)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    labeling.page.route("**/undo", lose_one_answer)
    labeling.press("z")
    labeling.saved(1)

    assert lost == [True]
    assert labeling.verdicts() == {0: "billing"}


def test_what_was_not_saved_survives_the_page_and_is_sent_by_the_next(
    labeling: Labeling, context: BrowserContext
) -> None:
    labeling.page.on("dialog", lambda dialog: dialog.accept())
    labeling.page.route("**/annotations", lambda route: route.abort())
    labeling.press("1", "2")
    expect(labeling.page.locator("#unsaved")).to_contain_text("2 changes are not saved yet")
    labeling.page.close(run_before_unload=False)

    again = context.new_page()
    again.goto(labeling.url)

    expect(again.locator("#row-1")).to_have_attribute("data-state", "saved")
    expect(again.locator("#row-2")).to_be_focused()
    assert labeling.verdicts() == {0: "billing", 1: "delivery"}
    assert (
        again.evaluate("Object.keys(localStorage).filter(k => k.includes('unsaved')).length") == 0
    )


def test_leaving_with_unsaved_work_is_warned_of(labeling: Labeling) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    labeling.page.on("dialog", stay)
    labeling.page.route("**/annotations", lambda route: route.abort())
    labeling.press("1")
    expect(labeling.page.locator("#unsaved")).to_be_visible()

    with labeling.page.expect_event("dialog"):
        labeling.page.evaluate("setTimeout(() => location.reload(), 0)")
    expect(labeling.row(0)).to_have_attribute("data-state", "unsaved")

    assert asked == ["beforeunload"]


def test_a_refused_label_is_removed_and_explained(labeling: Labeling) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=409, json={"title": "The label “billing” is retired."})

    labeling.page.route("**/annotations", refuse)
    labeling.press("1")

    expect(labeling.row(0)).to_have_attribute("data-state", "refused")
    expect(labeling.row(0).locator(".own")).to_have_text("")
    expect(labeling.page.locator("#notice")).to_contain_text("The label “billing” is retired.")


def test_a_session_is_gone_on_with_where_one_stopped(labeling: Labeling) -> None:
    labeling.press("1", "1", "1")
    labeling.saved(2)

    labeling.page.goto(labeling.url)
    expect(labeling.row(3)).to_be_focused()
    labeling.page.goto(f"{labeling.url}?at=7&view=card")
    expect(labeling.row(7)).to_be_focused()
    expect(labeling.row(6)).to_be_hidden()
    labeling.press("2")
    expect(labeling.row(8)).to_be_visible()
    expect(labeling.row(7)).to_be_hidden()
    labeling.page.get_by_role("link", name="List").click()
    expect(labeling.row(7)).to_be_visible()
    labeling.saved(7)


def test_keys_can_be_chosen_and_collisions_are_refused(labeling: Labeling) -> None:
    labeling.press("?")
    line = labeling.page.locator('#key-list [data-command="none"]')
    line.get_by_role("button").click()
    labeling.press("x")
    expect(labeling.page.locator("#key-trouble")).to_contain_text(
        "x is already used for: Not similar"
    )

    line.get_by_role("button").click()
    with labeling.page.expect_response("**/me/preferences"):
        labeling.press("q")
    labeling.press("Escape")
    labeling.page.reload()
    expect(labeling.page.locator('.command [data-cap="none"]')).to_have_text("q")
    labeling.press("n", "q")

    labeling.saved(0)
    assert labeling.verdicts() == {0: "none"}

    with write_session() as db:
        letters = {f"letters_{labeling.project.id}": {str(labeling.labels[1]): "t"}}
        db.get_one(User, labeling.user.id).preferences = {"keys": {"flag": "t"}} | letters
    labeling.page.reload()
    expect(labeling.page.locator('.command [data-cap="flag"]')).to_be_hidden()
    labeling.press("t")
    labeling.saved(1)
    assert labeling.verdicts()[1] == "delivery"

    with write_session() as db:
        db.get_one(User, labeling.user.id).preferences = {"keys": {"flag": "t"}}
    labeling.page.reload()
    labeling.press("t")
    expect(labeling.row(2).locator(".flag")).to_be_visible()
    expect(labeling.page.locator("#threshold")).to_be_hidden()
    expect(labeling.page.locator('.session-tools [data-cap="threshold"]')).to_be_hidden()


def test_a_label_is_given_a_letter_which_no_other_key_may_have(labeling: Labeling) -> None:
    page, name = labeling.page, "delivery"
    line = page.locator(f'#key-list [data-label="{labeling.labels[1]}"]')
    first = page.locator(f'#key-list [data-label="{labeling.labels[0]}"]')
    button = page.locator("#legend").get_by_role("button", name=name)

    labeling.press("?")
    line.get_by_role("button").click()
    labeling.press("s")
    expect(page.locator("#key-trouble")).to_contain_text(
        "s is already used for: Start a session of records similar"
    )
    line.get_by_role("button").click()
    labeling.press("p")
    expect(line.locator("kbd")).to_have_text(["p", "2"])
    first.get_by_role("button").click()
    labeling.press("p")
    expect(page.locator("#key-trouble")).to_contain_text(f"It applies the label “{name}”.")
    labeling.press("Escape")
    expect(button.locator("kbd")).to_have_text("p")
    labeling.press("p")
    labeling.saved(0)
    labeling.press("2")
    labeling.saved(1)
    assert labeling.verdicts() == {0: "delivery", 1: "delivery"}

    labeling.press("l")
    page.keyboard.type("bill")
    labeling.press("Alt+b")
    expect(page.locator("#legend kbd")).to_have_text(["b", "p", "3"])
    labeling.press("?")
    line.get_by_role("button").click()
    labeling.press("Delete", "Escape")
    expect(page.locator("#legend kbd")).to_have_text(["b", "2", "3"])


def test_a_session_is_started_from_the_row(labeling: Labeling) -> None:
    sent: list[str] = []

    def catch(route: Route) -> None:
        sent.append(route.request.post_data or "")
        route.fulfill(status=200, body="started")

    labeling.page.route(f"**/projects/{labeling.project.slug}/sessions", catch)
    labeling.press("j", "s")
    labeling.page.get_by_text("started").wait_for()

    with read_session() as db:
        second = shown_items.load_items(
            db, labeling.project, labeling.session, labeling.user.id, 1, 1
        )
    assert f"record_ids={second[0].record.id}&" in sent[0]
    assert f"from_session_id={labeling.session.id}" in sent[0]


def test_long_sessions_have_their_next_rows_ahead(
    context: BrowserContext, page: Page, served: Served
) -> None:
    labeling = open_session(context, page, served, n=230)
    expect(page.locator("#more")).to_have_count(0)

    labeling.press("End")
    expect(labeling.row(229)).to_be_focused()
    labeling.press("1")
    labeling.saved(229)
    labeling.press("Home")
    expect(labeling.row(0)).to_be_focused()
    for _ in range(101):
        labeling.press("j")
    expect(labeling.row(101)).to_be_focused()
    labeling.press("2")
    labeling.saved(101)
    assert labeling.verdicts() == {101: "delivery", 229: "billing"}


def test_several_labels_are_switched_and_saved_together(
    context: BrowserContext, page: Page, served: Served
) -> None:
    labeling = open_session(context, page, served, is_multi=True)

    labeling.press("1", "2", "1", "3")
    expect(labeling.row(0).locator(".state")).to_have_text("Enter to save")
    labeling.press("Enter")

    expect(labeling.row(1)).to_be_focused()
    labeling.saved(0)
    assert labeling.verdicts() == {0: f"delivery,{MARKUP}"}

    labeling.press("1", "l")
    labeling.page.keyboard.type("bill")
    labeling.press("Enter")
    expect(labeling.row(1).locator(".state")).to_have_text("")
    expect(labeling.row(1)).to_be_focused()
    labeling.press("k", "2", "3")
    expect(labeling.row(0).locator(".state")).to_have_text("Enter to save")
    labeling.press("Enter")
    labeling.saved(0)
    assert labeling.verdicts() == {0: "none"}


def test_a_label_is_added_without_leaving_the_session(labeling: Labeling) -> None:
    labeling.press("j", "j")
    labeling.page.locator(".add-label [name=name]").fill("praise")
    labeling.page.locator(".add-label button").click()

    expect(labeling.page.locator("#legend button")).to_have_count(4)
    expect(labeling.row(2)).to_be_focused()
    labeling.press("4")
    labeling.saved(2)
    assert labeling.verdicts() == {2: "praise"}


@pytest.fixture
def plain_page(chromium: Browser) -> Iterator[Page]:
    context = new_context(chromium, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_everything_works_without_a_script(plain_page: Page, served: Served) -> None:
    project = make_project()
    add_records(project, [f"message number {i}" for i in range(4)])
    labels = add_labels(project, ["billing", "delivery"])
    user = make_user("ada", "admin")
    session = start_session(project, user, "random", k=4)
    served.login(plain_page.context, user)
    labeling = Labeling(plain_page, served, project, session, user, labels)
    plain_page.goto(labeling.url)

    for rank, say, shown in (
        (0, "delivery", "delivery"),
        (1, "None of these", "none"),
        (2, "billing", "billing"),
    ):
        labeling.row(rank).get_by_role("button", name=say).click()
        expect(labeling.row(rank).locator(".own")).to_contain_text(shown, ignore_case=True)
    plain_page.locator("form").filter(has_text="Undo").get_by_role("button").click()
    expect(labeling.row(2).locator(".own")).to_have_text("")

    assert labeling.verdicts() == {0: "delivery", 1: "none"}
    expect(labeling.row(0).locator(".own")).to_contain_text("delivery")
