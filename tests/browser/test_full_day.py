"""A day of labeling in a browser: every key, every way to begin, two people at once, a server that
is killed, and everything taken back."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect
from sqlalchemy import func, insert, select

from app.db.session import read_session, write_session
from app.exchange.imports.imports import run_import
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import (
    Annotation,
    Consensus,
    Label,
    Project,
    Record,
    SessionItem,
    TrainingRun,
    User,
    UserAction,
)
from app.projects.sample import sample_messages
from app.records.records import load_consensus
from app.search.embedding import embed_missing
from app.search.index_revisions import write_index
from app.search.versions import find_active_version
from app.training.pipeline import steps as loop
from tests.browser.conftest import Served, new_context
from tests.conftest import client_of, free_port, make_project, make_user
from tests.labeling.conftest import Desk, add_labels, add_records, make_desk
from tests.tiny_encoder import save_tiny_encoder

pytestmark = pytest.mark.browser

MARKUP = "<b>&\"'"
N_MESSAGES = 240
N_LABELED = 60
# What the sessions page starts by a button each; the others begin from records, words or labels.
BY_BUTTON = (
    "cold_start",
    "uncertain",
    "coverage",
    "recent",
    "likely_mislabeled",
    "conflicts",
    "random",
    "holdout",
)
KEYS = {
    "accept",
    "palette",
    "none",
    "skip",
    "not_similar",
    "undo",
    "redo",
    "flag",
    "comment",
    "select",
    "threshold",
    "invert",
    "accept_page",
    "next",
    "previous",
    "first",
    "last",
    "whole",
    "fields",
    "differences",
    "similar",
    "map",
    "search",
    "help",
}


@dataclass
class Day:
    """A browser page at the sample project, and what the database holds of what was done there."""

    page: Page
    url: str
    project: Project
    user: User

    @property
    def focused(self) -> Locator:
        return self.page.locator(".record-row[data-focused]")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.url}/projects/{self.project.slug}/{path}")

    def say(self, key: str) -> int:
        """Press a key that says something; the focused record, once that is saved."""
        record_id = int(self.focused.get_attribute("data-record") or 0)
        self.press(key)
        row = self.page.locator(f'.record-row[data-record="{record_id}"]')
        expect(row).to_have_attribute("data-state", "saved")
        return record_id

    def take_back(self, key: str = "z") -> None:
        with self.page.expect_response("**/annotations/*do"):
            self.press(key)

    def said(self) -> dict[int, str]:
        """Record → verdict, of what the user said and did not take back."""
        with read_session() as db:
            rows = db.execute(
                select(Annotation.record_id, Annotation.verdict).where(
                    Annotation.user_id == self.user.id, Annotation.withdrawn_at.is_(None)
                )
            )
            return dict(rows.all())

    def n_actions(self, *, is_undone: bool) -> int:
        with read_session() as db:
            undone = (
                UserAction.undone_at.is_not(None) if is_undone else UserAction.undone_at.is_(None)
            )
            theirs = select(func.count()).where(UserAction.user_id == self.user.id, undone)
            return db.scalar(theirs) or 0


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [message.text for message in sample_messages(N_MESSAGES)]
    return save_tiny_encoder(tmp_path_factory.mktemp("tiny"), texts)


@pytest.fixture
def sample(database: str, tiny_model: Path) -> Project:
    """The sample's messages; Ben labeled some, two equal ones differently, and a run is behind."""
    project = make_project("sample")
    with write_session() as db:
        db.get_one(Project, project.id).base_model = str(tiny_model)
    messages = sample_messages(N_MESSAGES)
    ids = add_records(project, [message.text for message in [*messages, messages[0]]])
    intents = sorted({message.intent for message in messages})
    labels = dict(zip(intents, add_labels(project, [MARKUP, *intents[1:]]), strict=True))
    eve = client_of(make_user("eve", "admin"))
    _import(project, eve)
    embed_missing(project.id, lambda *_: None)
    with read_session() as db:
        raw = find_active_version(db, project.id)
    assert raw is not None
    write_index(raw.id)
    ben = make_user("ben", "annotator")
    says = [
        AnnotationInput(ids[i], "label", (labels[message.intent],))
        for i, message in enumerate(messages[:N_LABELED])
    ]
    other = next(each for intent, each in labels.items() if intent != messages[0].intent)
    with write_session() as db:
        annotate(
            db, project, ben.id, [*says, AnnotationInput(ids[-1], "label", (other,))], key="ben"
        )
    _run(project, eve)
    return project


def _import(project: Project, client: TestClient) -> None:
    """Five more messages come with a file."""
    file = "".join(f"{message.text!r}\n" for message in sample_messages(N_MESSAGES + 5)[-5:])
    sent = client.post(
        f"/projects/{project.slug}/imports", files={"file": ("more.csv", f"text\n{file}")}
    )
    place = sent.headers["location"]
    client.post(f"{place}/start", data={"text_columns": "text"})
    run_import(int(place.rpartition("/")[2]))


def _run(project: Project, client: TestClient) -> None:
    asked = client.post(f"/api/v1/projects/{project.slug}/runs", json={"is_forced": True})
    assert asked.status_code == 201, asked.text
    with read_session() as db:
        run_id = db.scalars(select(TrainingRun.id)).one()
    for _, step in loop.STEPS:
        step(run_id)


@pytest.fixture
def day(sample: Project, context: BrowserContext, page: Page, served: Served) -> Day:
    user = make_user("ada", "admin")
    served.login(context, user)
    return Day(page, served.url, sample, user)


def labeled_and_taken_back(day: Day, kind: str) -> None:
    """In the session that is open: two keys, saved; two undos, and nothing is said any more."""
    expect(day.focused).to_be_focused()
    with read_session() as db:
        session_id = int(day.page.url.partition("?")[0].rpartition("/")[2])
        newest = db.scalar(select(UserAction.id).order_by(UserAction.id.desc()).limit(1)) or 0
    said = {day.say("1"): "label", day.say("n"): "none"}
    assert len(said) == 2
    assert day.said() == said
    with read_session() as db:
        actions = db.scalars(select(UserAction).where(UserAction.id > newest)).all()
    assert [action.session_id for action in actions] == [session_id, session_id], kind
    day.take_back()
    day.take_back()
    assert day.said() == {}


def test_every_way_to_begin_and_all_of_it_taken_back(day: Day) -> None:
    page = day.page
    for kind in BY_BUTTON:
        day.go("sessions")
        page.locator(f'form:has(input[name=seed_kind][value="{kind}"]) button').click()
        labeled_and_taken_back(day, kind)

    day.go("sessions")
    page.get_by_role("button", name="Start it").click()
    labeled_and_taken_back(day, "next best")
    day.go("sessions")
    page.locator("[name=text]").fill(sample_messages(1)[0].text)
    page.locator("form:has([name=text]) button").click()
    labeled_and_taken_back(day, "text")
    day.go("sessions")
    page.locator("select[name=label_id]").select_option(label=MARKUP)
    page.locator("form:has(select[name=label_id]) button").click()
    labeled_and_taken_back(day, "label")
    # From the session that is open: from its focused row, then from three of its rows.
    for keys in ("s",), ("v", "j", "j", "s"):
        with page.expect_navigation():
            day.press(*keys)
        labeled_and_taken_back(day, "record")

    with read_session() as db:
        given = db.scalars(select(Record.id).order_by(Record.id.desc()).limit(3)).all()
    session = start_session(day.project, day.user, "given", seed=build_seed("given", list(given)))
    day.go(f"sessions/{session.id}")
    labeled_and_taken_back(day, "given")
    assert (day.n_actions(is_undone=False), day.n_actions(is_undone=True)) == (0, 28)


def test_every_key_and_all_of_it_taken_back(day: Day) -> None:
    page = day.page
    session = start_session(day.project, day.user, "random", k=30)
    day.go(f"sessions/{session.id}")
    expect(day.focused).to_be_focused()

    day.press("?")
    deeds = page.locator("#key-list [data-command]")
    assert set(deeds.evaluate_all("all => all.map((each) => each.dataset.command)")) == KEYS
    day.press("Escape")
    said = {
        day.say(key): verdict
        for key, verdict in (
            ("1", "label"),
            ("Enter", "label"),
            ("a", "label"),
            ("n", "none"),
            ("Space", "skip"),
            ("x", "not_similar"),
        )
    }
    expect(page.locator("#row-0 .own .name")).to_have_text(MARKUP)
    expect(page.locator("#legend b, #rows b:not(mark b)")).to_have_count(0)
    day.press("l")
    page.keyboard.type(MARKUP)
    by_name = int(day.focused.get_attribute("data-record") or 0)
    day.press("Enter")
    expect(page.locator("#row-6 .own .name")).to_have_text(MARKUP)
    said[by_name] = "label"
    expect(page.locator("#row-6")).to_have_attribute("data-state", "saved")
    assert day.said() == said

    for key, rank in (
        ("j", 8),
        ("ArrowDown", 9),
        ("ArrowRight", 10),
        ("k", 9),
        ("ArrowUp", 8),
        ("ArrowLeft", 7),
        ("End", 29),
        ("Home", 0),
        ("e", 0),
        ("o", 0),
        ("d", 0),
        ("o", 0),
        ("d", 0),
    ):
        day.press(key)
        expect(page.locator(f"#row-{rank}")).to_be_focused()
    day.press("v", "j", "Escape", "i")
    expect(page.locator('#rows [aria-selected="true"]')).to_have_count(30 - len(said))
    day.press("Escape", "t", "Escape")
    with page.expect_response("**/comments"):
        day.press("f")
    day.press("c")
    page.locator("#comment textarea").fill("n1 <b>?")
    with page.expect_response("**/comments"):
        page.get_by_role("button", name="Save comment").click()
    # The tiny model is sure of nothing: what it suggests stays open.
    day.press("Shift+A")
    dialog = page.get_by_role("dialog", name="Accept suggestions")
    dialog.get_by_label("Minimum probability").select_option("95 %")
    expect(dialog.get_by_role("status")).to_contain_text("No open suggestion has a probability")
    day.press("Escape")
    assert day.said() == said

    done = day.n_actions(is_undone=False)
    assert done == len(said) + 2
    for _ in range(done):
        day.take_back()
    assert day.said() == {}
    for _ in range(done):
        day.take_back("Shift+Z")
    assert day.said() == said
    for key in ("Control+z", *["z"] * (done - 1)):
        day.take_back(key)
    day.press("z")
    expect(page.locator("#toast")).to_contain_text("There is nothing to undo.")
    assert (day.said(), day.n_actions(is_undone=False)) == ({}, 0)

    record_id = day.focused.get_attribute("data-record")
    day.press("g")
    page.wait_for_url(f"**/map?record={record_id}")
    page.go_back()
    expect(day.focused).to_be_focused()
    day.press("/")
    expect(page.locator("input[type=search]").first).to_be_visible()


@pytest.fixture
def desk(database: str) -> Desk:
    return make_desk()


def row(page: Page, rank: int) -> Locator:
    return page.locator(f"#row-{rank}")


def labeled_with(page: Page, *keys: str) -> None:
    """Press each key on its row; all are saved."""
    first = int(page.locator(".record-row[data-focused]").get_attribute("data-rank") or 0)
    for key in keys:
        page.keyboard.press(key)
    for rank in range(first, first + len(keys)):
        expect(row(page, rank)).to_have_attribute("data-state", "saved")


def test_two_people_at_one_session_each_see_their_own_and_agree_where_they_do(
    desk: Desk, chromium: Browser, context: BrowserContext, page: Page, served: Served
) -> None:
    session = start_session(desk.project, desk.ada, "random", k=6)
    url = f"{served.url}/projects/{desk.project.slug}/sessions/{session.id}"
    theirs = new_context(chromium)
    served.login(context, desk.ada)
    served.login(theirs, desk.ben)
    other = theirs.new_page()
    for each in (page, other):
        each.goto(url)
        expect(row(each, 0)).to_be_focused()

    for mine, yours in ("1", "1"), ("1", "2"), ("2", "2"), ("2", "n"):
        page.keyboard.press(mine)
        other.keyboard.press(yours)
    for each in (page, other):
        expect(row(each, 3)).to_have_attribute("data-state", "saved")
    assert agreed(session.id) == {0: 0, 2: 1}
    expect(row(page, 1).locator(".own")).to_contain_text("billing")
    expect(row(other, 1).locator(".own")).to_contain_text("delivery")

    # Each takes back what is their own; what the other one said stands alone then.
    with other.expect_response("**/undo"):
        other.keyboard.press("z")
    with page.expect_response("**/undo"):
        page.keyboard.press("z")
    assert agreed(session.id) == {0: 0, 2: 1}
    with page.expect_response("**/undo"):
        page.keyboard.press("z")
    labeled_with(other, "1")
    assert agreed(session.id) == {0: 0, 2: 1, 3: 0}
    for each in (page, other):
        each.reload()
    expect(row(page, 2)).to_be_focused()
    expect(row(other, 4)).to_be_focused()
    expect(row(page, 1).locator(".own")).to_contain_text("billing")
    expect(row(other, 2).locator(".own")).to_contain_text("delivery")
    theirs.close()


def agreed(session_id: int) -> dict[int, int | None]:
    """Rank → place of the label that the record's people agree on."""
    with read_session() as db:
        items = select(SessionItem.record_id, SessionItem.rank).where(
            SessionItem.session_id == session_id
        )
        ranks = dict(db.execute(items).all())
        places = dict(db.execute(select(Label.id, Label.position)).all())
        found = load_consensus(db, list(ranks))
    return {ranks[i]: places.get(labels[0] or 0) for i, labels in found.items()}


@dataclass
class OwnServer:
    """The product's server as a process of its own, at one address, to be killed and begun anew."""

    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        command = [sys.executable, "-m", "app.cli", "serve", "--no-worker", "--json"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert b"url" in self.process.stdout.readline()

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    server = OwnServer(free_port())
    yield server
    server.kill()


def test_a_server_that_is_killed_in_between_loses_nothing_and_stores_nothing_twice(
    desk: Desk, context: BrowserContext, page: Page, own_server: OwnServer
) -> None:
    session = start_session(desk.project, desk.ada, "random", k=8)
    own_server.begin()
    Served(own_server.url).login(context, desk.ada)
    page.goto(f"{own_server.url}/projects/{desk.project.slug}/sessions/{session.id}")
    labeled_with(page, "1")
    killed: list[str] = []

    def store_and_die(route: Route) -> None:
        if not killed:
            killed.append(str((route.request.post_data_json or {})["key"]))
            assert route.fetch().ok
            own_server.kill()
        route.abort()

    page.route("**/annotations", store_and_die)
    for key in ("2", "3", "n"):
        page.keyboard.press(key)
    expect(page.locator("#unsaved")).to_contain_text("3 changes are not saved yet")
    for rank in (1, 2, 3):
        expect(row(page, rank)).to_have_attribute("data-state", "unsaved")
    expect(row(page, 4)).to_be_focused()
    page.unroute("**/annotations")
    own_server.begin()
    page.locator("#unsaved button").dispatch_event("click")

    for rank in (1, 2, 3):
        expect(row(page, rank)).to_have_attribute("data-state", "saved")
    expect(page.locator("#unsaved")).to_be_hidden()
    with read_session() as db:
        rows = db.execute(select(Annotation.rank, Annotation.verdict).order_by(Annotation.id)).all()
        keys = db.scalars(select(UserAction.key)).all()
    assert [tuple(each) for each in rows] == [(0, "label"), (1, "label"), (2, "label"), (3, "none")]
    assert len(set(keys)) == len(keys) == 4
    assert killed[0] in keys


def test_ten_thousand_labels_the_back_button_and_a_reload_on_the_way(
    desk: Desk, context: BrowserContext, page: Page, served: Served
) -> None:
    ids = add_many(desk.project, 10_000)
    for start in range(0, len(ids), 1_000):
        says = [
            AnnotationInput(each, "label", (desk.labels[0],)) for each in ids[start : start + 1_000]
        ]
        with write_session() as db:
            annotate(db, desk.project, desk.ada.id, says, key=f"page {start}", source="page")
    session = start_session(desk.project, desk.ada, "random", k=12)
    served.login(context, desk.ada)
    url = f"{served.url}/projects/{desk.project.slug}/sessions/{session.id}"
    page.goto(url)
    labeled_with(page, "2", "2")

    page.goto(f"{served.url}/projects/{desk.project.slug}/records/{desk.records[0]}")
    page.go_back()
    expect(row(page, 1).locator(".own")).to_contain_text("delivery")
    page.goto(url)
    expect(row(page, 2)).to_be_focused()
    labeled_with(page, "2")
    page.reload()
    expect(row(page, 3)).to_be_focused()
    expect(page.locator("[data-progress=decided]")).to_have_text("3")
    assert n_agreed() == 10_003

    # Back over what this page did, and over a thousand labels that were one act.
    for left in (10_002, 10_001, 10_000, 9_000):
        with page.expect_response("**/undo"):
            page.keyboard.press("z")
        assert n_agreed() == left
    expect(page.locator("#notice")).to_contain_text("from outside this session")
    with page.expect_response("**/redo"):
        page.keyboard.press("Shift+Z")
    assert n_agreed() == 10_000
    page.goto(f"{served.url}/projects/{desk.project.slug}/labels")
    expect(page.locator("main")).to_contain_text("10,000")


def add_many(project: Project, n: int) -> list[int]:
    with write_session() as db:
        db.execute(
            insert(Record),
            [
                {
                    "project_id": project.id,
                    "external_id": f"many-{i}",
                    "text": f"letter {i}",
                    "content_hash": f"{i:064x}",
                    "fields": {},
                }
                for i in range(n)
            ],
        )
        many = select(Record.id).where(Record.text.startswith("letter")).order_by(Record.id)
        return list(db.scalars(many))


def n_agreed() -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).select_from(Consensus)) or 0
