from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy.orm import Session

from app.db.session import read_session
from app.labeling.sessions.kinds import SESSION_KINDS, KindDefinition, SessionKind
from app.labeling.sessions.selection import STRATEGIES, Selection, SelectionRequest
from app.models import Project, Record
from app.records.record_ids import find_matching_ids
from tests.conftest import client_of
from tests.labeling.conftest import Desk

PAGE = "/projects/letters/sessions"
API = "/api/v1/projects/letters"
TITLE = "The newest records"
NEWEST = KindDefinition(
    "newest",
    "Newest first",
    title=TITLE,
    description="What was added last comes first.",
    empty="There is nothing newer.",
    default_size=4,
    has_forecast=True,
    obstacle="Look at each of the newest records.",
)


def select_newest(db: Session, project: Project, request: SelectionRequest) -> Selection:
    newest = np.sort(find_matching_ids(db, project.id, request.filters))[::-1]
    return Selection([(int(each), None) for each in newest[: request.k]], None)


@pytest.fixture
def newest() -> Iterator[KindDefinition]:
    SESSION_KINDS[NEWEST.kind] = NEWEST
    STRATEGIES[NEWEST.kind] = select_newest
    yield NEWEST
    SESSION_KINDS.pop(NEWEST.kind, None)
    STRATEGIES.pop(NEWEST.kind, None)


def test_each_kind_has_one_definition_and_one_selection_function() -> None:
    assert list(SESSION_KINDS) == list(SessionKind)
    assert set(STRATEGIES) == set(SessionKind)
    assert all(SESSION_KINDS[kind].kind == kind for kind in SessionKind)
    names = [each.name for each in SESSION_KINDS.values()]
    assert len(set(names)) == len(names)


def test_an_added_session_kind_has_a_button_a_forecast_and_a_session(
    desk: Desk, newest: KindDefinition
) -> None:
    client = client_of(desk.ada)
    offered = client.get(PAGE).text
    assert f"<h3>{newest.name}</h3><p>{newest.description}</p>" in offered
    assert f"{PAGE}/forecast?seed_kind=newest" in offered
    assert "4 records." in client.get(f"{PAGE}/forecast?seed_kind=newest").text

    started = client.post(PAGE, data={"seed_kind": "newest"})

    assert started.status_code == 303
    address = started.headers["location"]
    page = client.get(address).text
    assert ("<h1" in page, TITLE in page, newest.obstacle in page) == (True, True, True)
    rows = client.get(f"/api/v1{address}/items").json()
    assert [row["record_id"] for row in rows] == desk.records[:-5:-1]


def test_an_added_session_kind_works_over_the_api(desk: Desk, newest: KindDefinition) -> None:
    client = client_of(desk.ada)
    body = {"seed_kind": "newest", "k": 2}

    session = client.post(f"{API}/sessions", json=body).json()

    assert (session["seed_kind"], session["title"]) == ("newest", TITLE)
    assert client.get(f"{API}/sessions").json()[0]["seed_kind"] == "newest"
    annotation = {"record_id": desk.records[-1], "verdict": "label", "label_ids": desk.labels[:1]}
    says = {"key": "a", "session_id": session["id"], "votes": [annotation | {"rank": 0}]}
    assert client.post(f"{API}/annotations", json=says).status_code == 200
    ways = client.get(f"{API}/progress").json()["ways"]
    assert [(row["seed_kind"], row["hand"]) for row in ways] == [("newest", "single")]
    assert newest.name in client.get("/projects/letters/progress").text
    filters = {"state": "unlabeled", "q": "no such words"}
    refused = client.post(f"{API}/sessions", json=body | {"filters": filters})
    assert (refused.status_code, newest.empty in refused.text) == (409, True)


def test_an_unknown_kind_is_refused_with_the_kinds_there_are(desk: Desk) -> None:
    client = client_of(desk.ada)

    for answer in (
        client.post(f"{API}/sessions", json={"seed_kind": "newest"}),
        client.post(f"{API}/sessions/forecast", json={"seed_kind": "newest"}),
        client.post(PAGE, data={"seed_kind": "newest"}),
    ):
        assert answer.status_code == 422
        assert "given, cold_start, suggested, uncertain, coverage" in answer.text


def test_a_session_of_a_kind_that_is_gone_can_still_be_labeled(
    desk: Desk, newest: KindDefinition
) -> None:
    client = client_of(desk.ada)
    address = client.post(PAGE, data={"seed_kind": "newest"}).headers["location"]
    del SESSION_KINDS[newest.kind], STRATEGIES[newest.kind]

    page = client.get(address)

    with read_session() as db:
        text = db.get_one(Record, desk.records[-1]).text
    assert (page.status_code, text in page.text) == (200, True)
    again = client.post(f"{address}/restart")
    assert again.status_code == 422
