import json
import re

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.cli import app
from app.db.session import read_session, write_session
from app.search.index_revisions import write_index
from app.search.versions import find_active_version, find_version, publish
from tests.conftest import client_of, make_user
from tests.search.conftest import TEXTS, Library, label_records

API = "/api/v1/projects/letters"


def publish_another(library: Library) -> int:
    with write_session() as db:
        raw = find_version(db, library.project.id, 1)
        encoder = publish(db, library.project, kind="raw", base_version=raw, files={}, n_records=0)
    write_index(encoder.id)
    return encoder.number


def active_number(library: Library) -> int:
    with read_session() as db:
        encoder = find_active_version(db, library.project.id)
    assert encoder is not None
    return encoder.number


def test_the_three_request_forms_give_the_same(library: Library, admin: TestClient) -> None:
    record_id = library.records[3]

    by_record = admin.get(f"{API}/records/{record_id}/similar?k=7").json()
    by_query = admin.get(f"{API}/similar?record={record_id}&k=7").json()
    by_body = admin.post(f"{API}/similar", json={"record_ids": [record_id], "k": 7}).json()

    assert by_record == by_query == by_body
    assert by_record["version"] == 1
    assert [each["rank"] for each in by_record["results"]] == [1, 2, 3, 4, 5, 6, 7]
    first = by_record["results"][0]
    assert first["text"] == TEXTS[library.records.index(first["record_id"])]
    assert first["similarity"] >= by_record["results"][1]["similarity"]
    assert (first["labels"], first["suggestion"]) == ([], None)


def test_filters_and_labels_in_the_answer(library: Library, admin: TestClient) -> None:
    label_records(library.project, "Lamps", library.records[20:25])

    answer = admin.post(
        f"{API}/similar", json={"text": TEXTS[0], "filters": {"state": "labeled"}, "k": 100}
    ).json()

    assert {each["record_id"] for each in answer["results"]} == set(library.records[20:25])
    assert all(each["labels"] == ["Lamps"] for each in answer["results"])


def test_a_body_needs_exactly_one_seed_and_no_unknown_names(
    library: Library, admin: TestClient
) -> None:
    bodies = [
        {},
        {"text": "x", "record_ids": [1]},
        {"text": "x", "limit": 3},
        {"text": "x", "k": 100_000},
        {"record_ids": [10**30]},
        {"text": "x", "filters": {"state": "sometimes"}},
    ]

    answers = [admin.post(f"{API}/similar", json=body) for body in bodies]

    assert [answer.status_code for answer in answers] == [422] * 6
    assert answers[0].json()["title"] == "Give exactly one of text, record_ids and label_id."
    assert answers[0].headers["content-type"] == "application/problem+json"


def test_an_unknown_record_is_not_found(library: Library, admin: TestClient) -> None:
    assert admin.get(f"{API}/records/999999/similar").status_code == 404
    assert admin.get(f"{API}/similar?record=999999").status_code == 404
    assert admin.get(f"{API}/similar?record={library.records[0]}&version=9").status_code == 404


def test_versions_are_activated_and_rolled_back_by_admins(
    library: Library, admin: TestClient
) -> None:
    number = publish_another(library)

    activated = admin.post(f"{API}/versions/{number}/activate").json()
    listed = admin.get(f"{API}/versions").json()
    assert (activated["number"], activated["is_active"]) == (2, True)
    assert [(each["number"], each["is_active"]) for each in listed] == [(2, True), (1, False)]
    assert active_number(library) == 2

    assert admin.post(f"{API}/rollback").json()["number"] == 1
    assert active_number(library) == 1
    again = admin.post(f"{API}/rollback")
    assert (again.status_code, again.json()["title"]) == (
        409,
        "There is no earlier version to roll back to.",
    )


@pytest.mark.usefixtures("admin")
def test_annotators_may_not_change_the_version(library: Library) -> None:
    ben = client_of(make_user("ben", "annotator"))

    assert ben.post(f"{API}/versions/1/activate").status_code == 403
    assert ben.post(f"{API}/rollback").status_code == 403
    assert ben.get(f"{API}/versions").status_code == 200


@pytest.mark.parametrize("by_record", [False, True])
def test_page_api_and_command_line_find_the_same(
    library: Library, admin: TestClient, by_record: bool
) -> None:
    external_ids = {record_id: f"r{n}" for n, record_id in enumerate(library.records)}
    first = library.records[3]
    query = {"record": str(first)} if by_record else {"text": "my kettle"}
    options = ["--record", external_ids[first]] if by_record else ["--text", "my kettle"]

    page = admin.get("/projects/letters/records", params=query | {"now": "1"}).text
    listed = admin.get(f"{API}/similar", params=query).json()["results"]
    command = CliRunner().invoke(app, ["similar", "letters", *options, "-k", "50", "--json"])

    found = [(each["external_id"], each["similarity"]) for each in listed]
    printed = [(each["id"], each["similarity"]) for each in json.loads(command.stdout)]
    assert len(found) == 40 - by_record
    assert printed == [(each, round(similarity, 6)) for each, similarity in found]
    shown = re.findall(r'<bdi class="mono">(r\d+)</bdi>.*?similarity (-?\d\.\d{3})<', page, re.S)
    assert shown == [(each, f"{similarity:.3f}") for each, similarity in found]
    if not by_record:
        body = {"q": "my kettle", "mode": "meaning"}
        items = admin.post(f"{API}/records:search", json=body).json()["items"]
        assert [(each["external_id"], each["similarity"]) for each in items] == found


def test_a_search_near_a_text_is_kept_in_the_page_and_its_chip(
    library: Library, admin: TestClient
) -> None:
    query = {"text": "my kettle", "q": "lamp", "now": "1"}

    page = admin.get("/projects/letters/records", params=query).text

    assert '<input type="hidden" name="text" value="my kettle">' in page
    assert "similar to a text" in page
    assert len(re.findall(r'<bdi class="mono">r\d+</bdi>', page)) == 5
