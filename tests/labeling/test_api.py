from typing import Any

from fastapi.testclient import TestClient

from app.db.session import write_session
from app.labeling.sessions.sessions import start_session
from app.models import LabelingSession, Project
from tests.conftest import client_of, make_project
from tests.labeling.conftest import Desk, add_records

API = "/api/v1/projects/letters"


def browser(desk: Desk) -> TestClient:
    return client_of(desk.ada)


def labeled(desk: Desk, key: str, position: int = 0, **more: Any) -> dict[str, Any]:
    say = {
        "record_id": desk.records[position],
        "verdict": "label",
        "label_ids": [desk.labels[1]],
        "milliseconds": 700,
    }
    return {"key": key, "votes": [say], **more}


def test_a_label_is_answered_with_what_it_changed(desk: Desk) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    body = labeled(desk, "k1", session_id=session.id)

    answer = browser(desk).post(f"{API}/annotations", json=body).json()

    assert answer["records"] == [
        {
            "record_id": desk.records[0],
            "verdict": "label",
            "label_ids": [desk.labels[1]],
            "consensus": [desk.labels[1]],
            "is_flagged": False,
            "n_comments": 0,
        }
    ]
    assert answer["progress"] == {
        "n_records": 12,
        "n_decided": 1,
        "n_labeled": 1,
        "by_label": [{"label_id": desk.labels[1], "n": 1}],
    }
    assert answer["undo_id"] == answer["action_id"]
    assert answer["redo_id"] is None


def test_a_long_session_is_counted_on_request_and_not_per_label(desk: Desk) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    with write_session() as db:
        db.get_one(LabelingSession, session.id).n_records = 1_001
    client = browser(desk)

    answer = client.post(f"{API}/annotations", json=labeled(desk, "k1", session_id=session.id))
    assert (answer.status_code, answer.json()["progress"]) == (200, None)

    progress = client.get(f"{API}/sessions/{session.id}/progress").json()
    assert (progress["n_decided"], progress["n_records"]) == (1, 1_001)
    assert progress["by_label"] == [{"label_id": desk.labels[1], "n": 1}]


def test_a_retry_returns_the_first_action(desk: Desk) -> None:
    client = browser(desk)

    first = client.post(f"{API}/annotations", json=labeled(desk, "k"))
    second = client.post(f"{API}/annotations", json=labeled(desk, "k"))

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()


def test_undo_by_key_may_be_sent_twice(desk: Desk) -> None:
    client = browser(desk)
    client.post(f"{API}/annotations", json=labeled(desk, "a", 0))
    client.post(f"{API}/annotations", json=labeled(desk, "b", 1))

    for _ in range(2):
        answer = client.post(f"{API}/annotations/undo", json={"action_key": "b"}).json()
        assert answer["is_undone"] is True
        assert answer["records"][0]["consensus"] == []
    assert desk.consensus(0) == [1]

    unknown = client.post(f"{API}/annotations/undo", json={"action_key": "never sent"}).json()
    assert unknown["action_id"] is None
    assert desk.consensus(0) == [1]

    answer = client.post(f"{API}/annotations/redo", json={"action_key": "b"}).json()
    assert answer["is_undone"] is False
    assert desk.consensus(1) == [1]


def test_a_flag_set_twice_is_off_again(desk: Desk) -> None:
    client, record = browser(desk), desk.records[0]
    flag = {"record_id": record, "kind": "flag"}

    on = client.post(f"{API}/comments", json={"key": "1", **flag}).json()
    again = client.post(f"{API}/comments", json={"key": "1", **flag}).json()
    off = client.post(f"{API}/comments", json={"key": "2", **flag}).json()

    assert [answer["records"][0]["is_flagged"] for answer in (on, again, off)] == [
        True,
        True,
        False,
    ]


def test_comments_are_stored_as_they_are_and_undone(desk: Desk) -> None:
    client = browser(desk)
    body = {"key": "1", "record_id": desk.records[0], "kind": "comment", "body": "<b>why?</b>"}

    assert client.post(f"{API}/comments", json=body).json()["records"][0]["n_comments"] == 1
    assert client.post(f"{API}/comments", json={**body, "key": "2", "body": " "}).status_code == 422
    undone = client.post(f"{API}/annotations/undo", json={}).json()
    assert undone["records"][0]["n_comments"] == 0


def test_what_makes_no_sense_is_one_sentence(desk: Desk) -> None:
    client = browser(desk)
    good = labeled(desk, "k")

    for body, status in (
        ({**good, "votes": []}, 422),
        ({**good, "key": ""}, 422),
        ({**good, "surprise": 1}, 422),
        ({**good, "source": "import"}, 422),
        ({**good, "session_id": 999}, 404),
        ({**good, "votes": [{"record_id": 2**40, "verdict": "none"}]}, 422),
        ({**good, "votes": [{"record_id": 999_999, "verdict": "none"}]}, 404),
        ({**good, "votes": [{**good["votes"][0], "label_ids": []}]}, 422),
    ):
        answer = client.post(f"{API}/annotations", json=body)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["title"]
    assert desk.consensus(0) is None


def test_a_closed_project_is_not_there_for_others(desk: Desk) -> None:
    theirs = closed_project()
    record = add_records(theirs, ["secret"])[0]
    ben = client_of(desk.ben)
    body = {"key": "k", "votes": [{"record_id": record, "verdict": "none"}]}

    for method, path in (
        ("POST", "annotations"),
        ("POST", "annotations/undo"),
        ("POST", "comments"),
        ("GET", "sessions"),
        ("GET", "labels"),
    ):
        answer = ben.request(method, f"/api/v1/projects/secrets/{path}", json=body)
        assert answer.status_code == 404
    through_mine = ben.post(f"{API}/annotations", json=body)
    assert through_mine.status_code == 404


def closed_project() -> Project:
    project = make_project("secrets")
    with write_session() as db:
        db.get_one(Project, project.id).is_open = False
    return project


def test_sessions_are_started_and_read(desk: Desk) -> None:
    client = browser(desk)

    started = client.post(f"{API}/sessions", json={"seed_kind": "random", "k": 4})
    session = started.json()
    rows = client.get(f"{API}/sessions/{session['id']}/items?start=1&limit=2").json()

    assert started.status_code == 201
    assert session["n_records"] == 4
    assert [row["rank"] for row in rows] == [1, 2]
    assert client.get(f"{API}/sessions").json() == [session]
    assert client.get(f"{API}/sessions/999/items").status_code == 404


def test_a_session_of_named_records_is_started_by_programs_and_by_a_form(desk: Desk) -> None:
    client = browser(desk)
    ids = [desk.records[i] for i in (5, 2, 9)]

    body = {"seed_kind": "given", "record_ids": ids, "title": "Three"}
    session = client.post(f"{API}/sessions", json=body).json()
    form = {"seed_kind": "given", "record_ids": [f"{ids[0]},{ids[1]}", str(ids[2])]}
    posted = client.post("/projects/letters/sessions", data=form)

    assert (session["title"], session["n_records"]) == ("Three", 3)
    by_form = int(posted.headers["location"].rsplit("/", 1)[1])
    for session_id in (session["id"], by_form):
        rows = client.get(f"{API}/sessions/{session_id}/items").json()
        assert [row["record_id"] for row in rows] == ids


def test_the_label_set_is_edited_by_those_who_may(desk: Desk) -> None:
    ada, ben, billing = browser(desk), client_of(desk.ben), desk.labels[0]

    assert ben.post(f"{API}/labels", json={"name": "praise"}).status_code == 201
    assert ben.post(f"{API}/labels", json={"name": "PRAISE"}).status_code == 409
    for method, path, body in (
        ("PATCH", f"labels/{billing}", {"name": "x"}),
        ("POST", f"labels/{billing}/merge", {"into_id": desk.labels[1]}),
        ("DELETE", f"labels/{billing}", None),
        ("POST", f"labels/{billing}/restore", None),
    ):
        assert ben.request(method, f"{API}/{path}", json=body).status_code == 403
        assert ada.request(method, f"{API}/{path}", json=body).status_code == 200
    names = [label["name"] for label in ada.get(f"{API}/labels").json()]
    assert names == ["x", "delivery", "returns", "praise"]
