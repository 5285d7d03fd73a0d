"""Whoever shows a suggestion shows it in a label that can be given now."""

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.labeling.labels.label_set import merge, retire
from app.models import Project, Record, User
from tests.conftest import client_of
from tests.training.conftest import NAMES, label_ids

API = "/api/v1/projects/letters"
RECORDS = [f"r{i}" for i in range(40, 80)]  # Those that nobody labeled.


def get_searched(client: TestClient) -> dict[str, str | None]:
    body = {"text": "parcel", "k": 100, "filters": {"state": "unlabeled"}}
    found = client.post(f"{API}/similar", json=body).json()["results"]
    return {
        each["external_id"]: each["suggestion"] and each["suggestion"]["label"] for each in found
    }


def get_listed(client: TestClient) -> dict[str, str | None]:
    body = {"filters": {"state": "unlabeled"}, "limit": 100}
    found = client.post(f"{API}/records:search", json=body).json()["items"]
    return {each["external_id"]: _first(each["suggestions"]) for each in found}


def _first(suggestions: list[dict[str, Any]]) -> str | None:
    return suggestions[0]["label"] if suggestions else None


def get_filtered(client: TestClient, label_id: int) -> set[str]:
    query = f"state=unlabeled&suggested={label_id}&limit=100"
    found = client.get(f"{API}/records?{query}").json()["records"]
    return {each["external_id"] for each in found}


def get_in_session(client: TestClient, names: dict[int, str]) -> dict[str, str | None]:
    session = client.post(f"{API}/sessions", json={"seed_kind": "random", "k": 40}).json()
    items = client.get(f"{API}/sessions/{session['id']}/items?limit=100").json()
    with read_session() as db:
        ids = {record.id: record.external_id for record in db.scalars(select(Record))}
    return {
        ids[each["record_id"]]: names[each["suggestions"][0][0]] if each["suggestions"] else None
        for each in items
    }


def test_merged_and_retired_labels_read_alike_everywhere(project: Project, ada: User) -> None:
    client, ids = client_of(ada), label_ids(project)
    before = get_listed(client)
    assert set(before.values()) == set(NAMES)
    delivery, payment, account, praise = ids
    with write_session() as db:
        merge(db, project.id, delivery, payment, None)
        merge(db, project.id, payment, account, None)
        retire(db, project.id, praise, None)

    given = dict.fromkeys(("Delivery", "Payment", "Account"), "Account")
    expected = {record: given.get(name or "") for record, name in before.items()}
    assert sorted(expected) == sorted(RECORDS)
    assert get_searched(client) == expected
    assert get_listed(client) == expected
    assert get_in_session(client, dict(zip(ids, NAMES, strict=True))) == expected
    of_account = {record for record, name in expected.items() if name == "Account"}
    assert get_filtered(client, account) == of_account
    assert [get_filtered(client, each) for each in (delivery, payment, praise)] == [set()] * 3
    tried = client.post(f"{API}/try", json={"text": "parcel courier van"}).json()
    assert [[name for name, _ in trial["scores"]] for trial in tried] == [[], ["Account"]]
