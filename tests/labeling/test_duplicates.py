"""One key labels one text: rows stand for copies of their text and for nothing else."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from app.db.session import read_session, write_session
from app.labeling.sessions.duplicates import MOST_FOLDED, fold_duplicates
from app.ml.index import VectorIndex
from app.models import LabelingSession, Record, SessionItem, hash_normalized
from app.records.records import load_consensus
from app.search.versions import publish
from app.storage import store_file
from tests.conftest import client_of, make_project, make_user
from tests.labeling.conftest import Desk, add_labels, add_records

LONG = "The customer agrees that this item is read, understood and kept on file. " * 60
FAMILIES = {
    "emoji": ["New menu 😍", "New menu 😡", "New menu 🤮", "New menu"],
    "late words": [LONG + "I am happy.", LONG + "I am angry.", LONG],
    "scripts": ["ร้านนี้ดีมาก", "ร้านนี้แย่มาก", "ጥሩ ነው", "መጥፎ ነው"],
    "numbers": ["Refund 100 €", "Refund 1000 €", "Refund 10² €", "Refund 102 €", "Refund ① €"],
    "signs": ["It works.", "It works!", "It works?", "It works"],
}


def desk_of(texts: Sequence[str]) -> Desk:
    """Records with these texts, all with one and the same vector."""
    project = make_project()
    ids = add_records(project, texts)
    index = VectorIndex.build(np.array(ids, np.int64), np.ones((len(ids), 8), np.float32))
    with write_session() as db:
        files = {"index": store_file("index", index.save)}
        publish(db, project, kind="raw", base_version=None, files=files, n_records=len(ids))
    labels = add_labels(project, ["good", "bad"])
    return Desk(project, ids, labels, make_user("ada", "admin"), make_user("ben", "annotator"))


def start(client: TestClient) -> int:
    body = {"seed_kind": "coverage", "k": 100}
    started = client.post("/api/v1/projects/letters/sessions", json=body)
    assert started.status_code == 201
    return int(started.json()["id"])


def label(client: TestClient, session_id: int, rank: int, label_id: int) -> None:
    data = {"rank": str(rank), "key": f"k{rank}", "vote": f"label:{label_id}"}
    answer = client.post(f"/projects/letters/sessions/{session_id}/votes", data=data)
    assert answer.status_code == 303


def labeled(desk: Desk) -> list[int]:
    with read_session() as db:
        return sorted(load_consensus(db, desk.records))


@pytest.mark.parametrize("family", FAMILIES)
def test_different_texts_with_one_vector_are_rows_of_their_own(database: str, family: str) -> None:
    desk = desk_of(FAMILIES[family])
    client = client_of(desk.ada)

    session_id = start(client)

    path = f"/api/v1/projects/letters/sessions/{session_id}/items"
    rows = client.get(path).json()
    assert sorted(row["text"] for row in rows) == sorted(FAMILIES[family])
    assert [row["n_folded"] for row in rows] == [0] * len(rows)
    label(client, session_id, 0, desk.labels[0])
    assert labeled(desk) == [rows[0]["record_id"]]


@pytest.mark.parametrize(
    "copies",
    [
        ["Great fit", "great fit", "GREAT FIT "],
        ["Great fit", "\tGreat\n\n fit", "Great\u00a0fit\u3000"],
        ["Straße nach Köln", "STRASSE NACH KÖLN", "straße  nach Ko\u0308ln"],
    ],
)
def test_capitals_and_blanks_make_no_other_text(database: str, copies: list[str]) -> None:
    desk = desk_of([*copies, "Something else"])
    client = client_of(desk.ada)

    session_id = start(client)

    rows = client.get(f"/api/v1/projects/letters/sessions/{session_id}/items").json()
    assert sorted(row["n_folded"] for row in rows) == [0, 2]
    stands = next(row for row in rows if row["n_folded"])
    page = client.get(f"/projects/letters/sessions/{session_id}").text
    assert "Also labels 2 identical copies" in page
    label(client, session_id, stands["rank"], desk.labels[1])
    assert labeled(desk) == desk.records[:3]


def test_a_session_of_older_days_labels_no_other_text(database: str) -> None:
    desk = desk_of(["New menu 😍", "New menu 😡", "new menu 😍"])
    session = LabelingSession(
        project_id=desk.project.id,
        user_id=desk.ada.id,
        seed_kind="coverage",
        title="Old",
        n_records=1,
        seed={"folded": {str(desk.records[0]): [*desk.records[1:], 10**6]}},
    )
    with write_session() as db:
        db.add(session)
        db.flush()
        db.add(SessionItem(session_id=session.id, rank=0, record_id=desk.records[0]))
    client = client_of(desk.ada)

    assert (
        "Also labels 1 identical copy<"
        in client.get(f"/projects/letters/sessions/{session.id}").text
    )
    label(client, session.id, 0, desk.labels[0])

    assert labeled(desk) == [desk.records[0], desk.records[2]]


def test_a_copy_whose_text_changed_does_not_follow(database: str) -> None:
    desk = desk_of(["Great fit", "great fit", "Something else"])
    client = client_of(desk.ada)
    session_id = start(client)
    changed = desk.records[1]
    with read_session() as db:
        rows = select(SessionItem.record_id).where(SessionItem.session_id == session_id)
        if changed in set(db.scalars(rows)):
            changed = desk.records[0]
    with write_session() as db:
        name = db.get_one(Record, changed).external_id

    body = {"records": [{"external_id": name, "text": "Great fit? No!", "fields": {}}]}
    answer = client.post("/api/v1/projects/letters/records", json=body)
    assert answer.status_code == 200, answer.text

    rank = next(
        row["rank"]
        for row in client.get(f"/api/v1/projects/letters/sessions/{session_id}/items").json()
        if row["text"].casefold() == "great fit"
    )
    label(client, session_id, rank, desk.labels[0])
    assert labeled(desk) == [({*desk.records[:2]} - {changed}).pop()]


def test_copies_far_beyond_the_session_follow_too(database: str) -> None:
    desk = desk_of([f"text {i}" for i in range(3)])
    copies = [
        {
            "project_id": desk.project.id,
            "external_id": f"c{i}",
            "text": f" TEXT {i % 2}",
            "content_hash": hashlib.sha256(b"x").hexdigest(),
        }
        for i in range(300)
    ]
    with write_session() as db:
        db.execute(insert(Record), copies)
        everyone = np.array(db.scalars(select(Record.id)).all(), np.int64)
    with read_session() as db:
        groups = fold_duplicates(db, desk.project.id, desk.records, everyone)

    assert [len(groups[each]) for each in desk.records] == [150, 150, 0]


def test_a_row_never_covers_more_copies_than_one_action_can_label(database: str) -> None:
    desk = desk_of(["ok"])
    with write_session() as db:
        db.execute(
            insert(Record),
            [
                {
                    "project_id": desk.project.id,
                    "external_id": f"c{i}",
                    "text": "OK",
                    "content_hash": "",
                }
                for i in range(MOST_FOLDED + 5)
            ],
        )
        everyone = db.scalars(select(Record.id).order_by(Record.id)).all()
    with read_session() as db:
        groups = fold_duplicates(db, desk.project.id, everyone, np.array(everyone, np.int64))

    assert [len(members) for members in groups.values()] == [MOST_FOLDED, 4]


def test_an_import_keeps_the_hash_up_to_date(database: str) -> None:
    desk = desk_of(["one"])
    client = client_of(desk.ada)
    for text in ("Two  words", "three WORDS"):
        body = {"records": [{"external_id": "a", "text": text}]}
        assert client.post("/api/v1/projects/letters/records", json=body).status_code == 200
        with read_session() as db:
            stored = db.scalar(select(Record.normalized_hash).where(Record.external_id == "a"))
        assert stored == hash_normalized(text.lower())
