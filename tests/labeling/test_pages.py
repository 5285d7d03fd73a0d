import re

from app.db.session import write_session
from app.labeling.sessions.sessions import start_session
from app.models import Record
from app.search.versions import publish
from tests.conftest import client_of
from tests.labeling.conftest import Desk


def test_a_session_is_started_by_a_form_and_shown_by_its_address(desk: Desk) -> None:
    client = client_of(desk.ada)

    started = client.post("/projects/letters/sessions", data={"seed_kind": "random", "k": "5"})

    assert started.status_code == 303
    page = client.get(started.headers["location"])
    assert page.text.count('class="record-row"') == 5
    assert '<b data-progress="decided">0</b>' in page.text
    assert "Random records" in client.get("/projects/letters/sessions").text


def test_invalid_forms_are_refused_with_a_message(desk: Desk) -> None:
    client = client_of(desk.ada)

    for data, status, words in (
        ({"seed_kind": "random", "k": "many"}, 422, "must be a whole number, not “many”"),
        (
            {"seed_kind": "record", "record_ids": "1;DROP"},
            422,
            "The record must be a whole number, not “1;DROP”",
        ),
        ({"seed_kind": "cold_start"}, 409, "Records are still being embedded (0 of 12)"),
        ({"seed_kind": "random", "q": "no such words"}, 409, "No record matches"),
    ):
        answer = client.post("/projects/letters/sessions", data=data)
        assert answer.status_code == status
        assert words in answer.text


def test_a_row_is_labeled_by_its_form_and_a_double_click_counts_once(desk: Desk) -> None:
    client = client_of(desk.ada)
    session = start_session(desk.project, desk.ada, "random", k=12)
    url = f"/projects/letters/sessions/{session.id}"
    page = client.get(url).text
    key = re.search(r'name="key" value="(form-[0-9a-f]+)"', page[page.index('id="row-0"') :])
    assert key is not None
    data = {"rank": "0", "key": key[1], "vote": f"label:{desk.labels[2]}"}

    answers = [client.post(f"{url}/votes", data=data) for _ in range(2)]

    assert [answer.headers["location"] for answer in answers] == [f"{url}?at=1#row-1"] * 2
    page = client.get(url).text
    assert '<b data-progress="decided">1</b>' in page
    assert "returns" in page[page.index('class="own"') : page.index('class="suggested"')]

    back = client.post(f"{url}/undo", data={"view": "card"})
    assert back.headers["location"] == f"{url}?view=card"
    assert '<b data-progress="decided">0</b>' in client.get(url).text
    client.post(f"{url}/redo")
    assert '<b data-progress="decided">1</b>' in client.get(url).text
    assert (
        client.post(f"{url}/votes", data={**data, "key": "x", "vote": "what?"}).status_code == 422
    )
    assert client.post(f"{url}/accept", data={"start": "0", "key": "y"}).status_code == 409


def test_names_and_texts_are_shown_as_they_are(desk: Desk) -> None:
    evil = "<script>alert(1)</script>"
    with write_session() as db:
        db.get_one(Record, desk.records[0]).text = evil
    client = client_of(desk.ada)
    client.post("/projects/letters/labels", data={"name": evil})
    session = start_session(desk.project, desk.ada, "random", k=12)

    for path in (f"sessions/{session.id}", "labels", "sessions"):
        page = client.get(f"/projects/letters/{path}").text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_the_label_page_edits_and_undoes(desk: Desk) -> None:
    client, (billing, delivery, _) = client_of(desk.ada), desk.labels
    root = "/projects/letters/labels"
    desk.label(desk.ada, (0, 0), key="k")

    client.post(f"{root}/{billing}/rename", data={"name": "invoices"})
    client.post(f"{root}/{billing}/recolour", data={"colour": "5"})
    client.post(f"{root}/{billing}/merge", data={"into_id": str(delivery)})
    page = client.get(root).text
    assert "ada renamed “billing” to “invoices”" in page
    assert "merged into delivery" in page
    assert desk.consensus(0) == [1]

    change = re.search(rf"{root}/changes/(\d+)/undo", page)
    assert change is not None
    client.post(f"{root}/changes/{change[1]}/undo")
    assert desk.consensus(0) == [0]
    client.post(f"{root}/{delivery}/move", data={"steps": "-1"})
    client.post(f"{root}/{billing}/retire")
    page = client.get(root).text
    assert "Not in use" in page
    assert page.index("delivery") < page.index("returns")
    client.post(f"{root}/{billing}/restore")
    assert "Not in use" not in client.get(root).text


def test_annotators_add_labels_and_change_none(desk: Desk) -> None:
    client = client_of(desk.ben)
    root = "/projects/letters/labels"

    assert client.post(root, data={"name": "praise"}).status_code == 303
    refused = client.post(f"{root}/{desk.labels[0]}/rename", data={"name": "x"})
    assert refused.status_code == 403
    assert "Only an admin or a reviewer" in refused.text
    assert client.get(root).text.count("/rename") == 0


def test_unknown_sessions_labels_and_ranks_are_not_found(desk: Desk) -> None:
    client = client_of(desk.ada)
    session = start_session(desk.project, desk.ada, "random", k=3)

    for path in ("sessions/999", "sessions/99999999999", "sessions/999/rows?start=0"):
        assert client.get(f"/projects/letters/{path}").status_code == 404
    assert client.post("/projects/letters/labels/999/retire").status_code == 404
    beyond = client.get(f"/projects/letters/sessions/{session.id}?at=77")
    assert 'id="row-2" tabindex="0"' in beyond.text


def test_a_record_that_was_deleted_leaves_the_session_usable(desk: Desk) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    with write_session() as db:
        db.delete(db.get_one(Record, desk.records[3]))

    page = client_of(desk.ada).get(f"/projects/letters/sessions/{session.id}")

    assert page.status_code == 200
    assert page.text.count('class="record-row"') == 11


def test_a_newer_version_is_announced_and_one_click_away(desk: Desk) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    with write_session() as db:
        encoder = publish(db, desk.project, kind="raw", base_version=None, files={}, n_records=0)
    client = client_of(desk.ada)
    url = f"/projects/letters/sessions/{session.id}"

    assert f"Version {encoder.number} is now active" in client.get(url).text
    again = client.post(f"{url}/restart")

    page = client.get(again.headers["location"]).text
    assert again.headers["location"] != url
    assert "is now active" not in page
    assert "version 1, raw" in page
    assert f'href="{url}">Back to the previous session' in page
