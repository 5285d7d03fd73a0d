"""Addresses of earlier releases still lead to where things are now."""

import pytest
from fastapi.testclient import TestClient

from app.labeling.sessions.kinds import SessionKind
from tests.conftest import client_of
from tests.labeling.conftest import Desk, desk

__all__ = ["desk"]

API = "/api/v1/projects/letters"


@pytest.fixture
def client(desk: Desk) -> TestClient:
    client = client_of(desk.ada)
    client.follow_redirects = True
    return client


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/notices", "/notifications"),
        ("/api/v1/notices", "/api/v1/notifications"),
        ("/projects/letters/notices", "/projects/letters/notifications"),
        (f"{API}/slices?x=%C3%A9", f"{API}/saved-searches?x=%C3%A9"),
        (f"{API}/slices/7", f"{API}/saved-searches/7"),
        (f"{API}/overlap", f"{API}/multi-annotation"),
        (f"{API}/training/audit?version=1", f"{API}/training/holdout?version=1"),
        (f"{API}/runs/1/story", f"{API}/runs/1/summary"),
        (f"{API}/runs/1/plots/audit", f"{API}/runs/1/plots/holdout"),
        (f"{API}/versions/family", f"{API}/versions/lineage"),
    ],
)
def test_an_old_address_leads_to_the_new_one(client: TestClient, old: str, new: str) -> None:
    answer = client.get(old, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (308, new)


def test_a_write_to_an_old_address_with_old_field_names_is_stored(
    client: TestClient, desk: Desk
) -> None:
    flag = {"key": "f", "record_id": desk.records[0], "kind": "flag"}
    vote = {"record_id": desk.records[1], "verdict": "label", "label_ids": [desk.labels[0]]}

    flagged = client.post(f"{API}/remarks", json=flag)
    saved = client.post(f"{API}/slices", json={"name": "Late", "asked": {"q": "late"}})
    labeled = client.post(f"{API}/annotations", json={"key": "a", "says": [vote]})
    undone = client.post(f"{API}/annotations/undo", json={"act_key": "a"})

    assert flagged.json()["records"][0]["is_flagged"] is True
    assert (saved.status_code, saved.json()["request"]) == (201, {"q": "late"})
    assert (labeled.status_code, undone.status_code) == (200, 200)
    assert desk.consensus(1) is None
    assert client.get(f"{API}/saved-searches").json()[0]["name"] == "Late"


def test_a_project_may_be_called_like_an_old_address(client: TestClient) -> None:
    made = client.post("/api/v1/projects", json={"name": "Slices"})

    assert made.json()["slug"] == "slices"
    assert client.get("/api/v1/projects/slices").status_code == 200
    assert client.get("/projects/slices/records").status_code == 200


def test_session_kinds_have_their_old_names_too(client: TestClient) -> None:
    assert SessionKind("audit") is SessionKind.HOLDOUT
    assert SessionKind("suspects") is SessionKind.LIKELY_MISLABELED
    assert SessionKind("contradictions") is SessionKind.CONFLICTS
    begun = client.post(f"{API}/sessions", json={"seed_kind": "audit", "k": 2})

    assert begun.status_code == 201
    assert begun.json()["seed_kind"] == "holdout"
