"""A key sent again: the same request is answered as before, another one is refused, and nothing is
answered 2xx that was not stored."""

import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import func, select, update

from app.db.session import read_session, write_session
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import Annotation, Comment, LabelingSession, UserAction
from tests.conftest import client_of, make_project
from tests.labeling.conftest import Desk, add_labels, add_records
from tests.labeling.test_sessions import embed, suggest

API = "/api/v1/projects/letters"
PAGES = "/projects/letters"
REUSED = "This idempotency key was already used for another request. Use a new key."


def say(desk: Desk, position: int, label: int = 0, key: str = "k") -> dict[str, Any]:
    says = [
        {
            "record_id": desk.records[position],
            "verdict": "label",
            "label_ids": [desk.labels[label]],
        }
    ]
    return {"key": key, "votes": says}


def flag(desk: Desk, position: int, key: str = "k") -> dict[str, Any]:
    return {"key": key, "record_id": desk.records[position], "kind": "flag"}


def counted(table: type) -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def stored() -> tuple[int, int, int]:
    return counted(UserAction), counted(Annotation), counted(Comment)


Door = Callable[[Desk, LabelingSession], tuple[str, dict[str, Any], dict[str, Any]]]


def annotations(desk: Desk, _: LabelingSession) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return f"{API}/annotations", say(desk, 1), say(desk, 1, label=2)


def comments(desk: Desk, _: LabelingSession) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return f"{API}/comments", flag(desk, 1), flag(desk, 2)


def row(desk: Desk, session: LabelingSession) -> tuple[str, dict[str, Any], dict[str, Any]]:
    form = {"key": "k", "rank": "3", "vote": f"label:{desk.labels[1]}"}
    return f"{PAGES}/sessions/{session.id}/votes", form, form | {"rank": "4"}


def page(desk: Desk, session: LabelingSession) -> tuple[str, dict[str, Any], dict[str, Any]]:
    form = {"key": "k", "start": "0", "shown": [f"1:{desk.labels[0]}", f"2:{desk.labels[1]}"]}
    other = form | {"shown": [f"3:{desk.labels[0]}"]}
    return f"{PAGES}/sessions/{session.id}/accept", form, other


def row_remark(desk: Desk, session: LabelingSession) -> tuple[str, dict[str, Any], dict[str, Any]]:
    form = {"key": "k", "rank": "3", "kind": "comment", "body": "odd"}
    return f"{PAGES}/sessions/{session.id}/comments", form, form | {"body": "even"}


def record(desk: Desk, _: LabelingSession) -> tuple[str, dict[str, Any], dict[str, Any]]:
    form = {"key": "k", "vote": "none"}
    return f"{PAGES}/records/{desk.records[0]}/votes", form, form | {"vote": "skip"}


def record_remark(desk: Desk, _: LabelingSession) -> tuple[str, dict[str, Any], dict[str, Any]]:
    form = {"key": "k", "kind": "comment", "body": "odd"}
    return f"{PAGES}/records/{desk.records[0]}/comments", form, form | {"kind": "flag"}


DOORS = [annotations, comments, row, page, row_remark, record, record_remark]


def send(client: TestClient, url: str, body: dict[str, Any]) -> Response:
    return client.post(url, json=body) if url.startswith(API) else client.post(url, data=body)


@pytest.mark.parametrize("door", DOORS)
def test_each_door_replays_the_same_request_and_refuses_another(desk: Desk, door: Door) -> None:
    suggest(desk, embed(desk), np.full((12, 3), [0.9, 0.05, 0.05]))
    seed = build_seed("record", [desk.records[0]])
    session = start_session(desk.project, desk.ada, "record", seed=seed, k=11)
    client = client_of(desk.ada)
    url, body, other = door(desk, session)

    first = send(client, url, body)
    after_first = stored()
    again = send(client, url, body)
    refused = send(client, url, other)

    assert first.status_code in (200, 303), first.text
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert again.headers.get("location") == first.headers.get("location")
    assert refused.status_code == 409
    assert REUSED in refused.text
    assert after_first > (0, 0, 0)
    assert stored() == after_first
    assert send(client, url, other | {"key": "new"}).status_code == first.status_code
    assert stored() > after_first


def test_a_key_of_one_operation_is_refused_by_another(desk: Desk) -> None:
    client = client_of(desk.ada)
    client.post(f"{API}/annotations", json=say(desk, 0))

    refused = client.post(f"{API}/comments", json=flag(desk, 0))

    assert (refused.status_code, refused.json()["title"]) == (409, REUSED)
    assert counted(Comment) == 0


def test_the_same_body_written_otherwise_is_the_same_request(desk: Desk) -> None:
    client = client_of(desk.ada)
    body = say(desk, 0)
    full = {"source": "single", "session_id": None} | body
    full["votes"] = [{"milliseconds": None, "rank": None} | body["votes"][0]]

    first = client.post(f"{API}/annotations", json=body)
    again = client.post(f"{API}/annotations", json=full)

    assert again.json() == first.json()
    assert counted(UserAction) == 1


def test_the_same_key_in_another_project_is_stored_there(desk: Desk) -> None:
    other = make_project("mail")
    records, labels = add_records(other, ["a mail"]), add_labels(other, ["spam"])
    client = client_of(desk.ada)
    there = {"record_id": records[0], "verdict": "label", "label_ids": labels}

    here = client.post(f"{API}/annotations", json=say(desk, 0)).json()
    first = client.post("/api/v1/projects/mail/annotations", json={"key": "k", "votes": [there]})
    again = client.post("/api/v1/projects/mail/annotations", json={"key": "k", "votes": [there]})

    assert [each["record_id"] for each in first.json()["records"]] == records
    assert first.json()["action_id"] != here["action_id"]
    assert again.json() == first.json()
    undone = client.post("/api/v1/projects/mail/annotations/undo", json={"action_key": "k"}).json()
    assert undone["action_id"] == first.json()["action_id"]
    assert desk.consensus(0) == [0]


def test_the_same_key_of_another_user_is_stored_for_that_user(desk: Desk) -> None:
    for user in (desk.ada, desk.ben):
        answer = client_of(user).post(f"{API}/annotations", json=say(desk, 0))
        assert answer.status_code == 200

    assert stored() == (2, 2, 0)


AtOnce = Callable[[str, list[dict[str, Any]]], list[Response]]


@pytest.fixture
def at_once(desk: Desk) -> AtOnce:
    """Send all bodies to an address of the API at the same moment, each from its own browser."""

    def send_all(url: str, bodies: list[dict[str, Any]]) -> list[Response]:
        start = threading.Barrier(len(bodies))
        answers: dict[int, Response] = {}
        clients = [client_of(desk.ada) for _ in bodies]
        # Each builds its routes at its first request; pydantic's warnings are no thread's own.
        assert {client.post(f"{API}/{url}", json={}).status_code for client in clients} == {422}

        def send_one(i: int) -> None:
            start.wait()
            answers[i] = clients[i].post(f"{API}/{url}", json=bodies[i])

        threads = [threading.Thread(target=send_one, args=(i,)) for i in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [answers[i] for i in range(len(bodies))]

    return send_all


@pytest.mark.parametrize("n", [2, 8])
def test_the_same_request_at_once_is_stored_once_and_answered_alike(
    desk: Desk, at_once: AtOnce, n: int
) -> None:
    answers = at_once("annotations", n * [say(desk, 0)])

    assert [answer.status_code for answer in answers] == n * [200]
    assert len({answer.text for answer in answers}) == 1
    assert stored() == (1, 1, 0)


def test_two_requests_with_one_key_at_once_store_one_and_refuse_the_other(
    desk: Desk, at_once: AtOnce
) -> None:
    answers = at_once("annotations", [say(desk, 0), say(desk, 1)])

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    stored_for = [a.json()["records"][0]["record_id"] for a in answers if a.status_code == 200]
    with read_session() as db:
        assert list(db.scalars(select(Annotation.record_id))) == stored_for


def test_taking_a_flag_off_is_not_undone_by_sending_it_again(desk: Desk, at_once: AtOnce) -> None:
    client = client_of(desk.ada)
    client.post(f"{API}/comments", json=flag(desk, 0, key="on"))

    answers = at_once("comments", 2 * [flag(desk, 0, key="off")])
    again = client.post(f"{API}/comments", json=flag(desk, 0, key="off"))
    on_again = client.post(f"{API}/comments", json=flag(desk, 0, key="on"))

    assert {answer.text for answer in answers} == {again.text}
    assert [each["is_flagged"] for each in again.json()["records"]] == [False]
    # What the first key did is told as it stands now.
    assert on_again.json()["records"][0]["is_flagged"] is False
    assert counted(Comment) == 1
    redone = client.post(f"{API}/annotations/redo", json={"action_key": "on"}).json()
    assert redone["records"][0]["is_flagged"] is True
    undone = client.post(f"{API}/annotations/undo", json={}).json()
    assert (undone["kind"], undone["records"][0]["is_flagged"]) == ("comment", False)


def test_actions_without_a_stored_hash_are_replayed_in_their_project(desk: Desk) -> None:
    client = client_of(desk.ada)
    first = client.post(f"{API}/annotations", json=say(desk, 0)).json()
    with write_session() as db:
        db.execute(update(UserAction).values(request_hash=None))

    again = client.post(f"{API}/annotations", json=say(desk, 0))

    assert again.json() == first
    assert counted(UserAction) == 1


def test_a_key_that_an_import_has_is_no_answer(desk: Desk) -> None:
    with write_session() as db:
        db.add(UserAction(project_id=desk.project.id, user_id=desk.ada.id, kind="import", key="k"))

    refused = client_of(desk.ada).post(f"{API}/annotations", json=say(desk, 0))

    assert (refused.status_code, refused.json()["title"]) == (409, REUSED)


@pytest.mark.parametrize("key", ["a\u0000b", "\ud800", "line\nbreak"])
def test_a_key_that_cannot_be_stored_or_seen_is_refused(desk: Desk, key: str) -> None:
    client = client_of(desk.ada)

    for url, body in (
        ("annotations", say(desk, 0, key=key)),
        ("comments", flag(desk, 0, key=key)),
        ("annotations/undo", {"action_key": key}),
    ):
        # Written here: the client writes no half characters.
        answer = client.post(
            f"{API}/{url}", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, "key" in answer.json()["title"].lower()) == (422, True)
    assert stored() == (0, 0, 0)
