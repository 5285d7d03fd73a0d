"""The story: import, look, label, tune, find purer, go back, take away, all by users' own doors."""

import csv
import io
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.search import model_cache as base_models
from app.settings import settings
from app.worker import work_until
from tests.conftest import client_of, make_user
from tests.tiny_encoder import save_tiny_encoder

API = "/api/v1/projects/letters"
WORDS = {
    "Delivery": ("parcel", "courier", "package"),
    "Payment": ("invoice", "refund", "charge"),
    "Account": ("password", "login", "username"),
}
# Shared openings hide the kind well enough that raw vectors do not separate it by themselves.
OPENINGS = ("my {}", "why is {}", "hello {}", "please {}", "where {}")
MATTERS = [f"{a} {b} {a}" for words in WORDS.values() for a, b in permutations(words, 2)]
TEXTS = [opening.format(matter) for opening in OPENINGS for matter in MATTERS]
LATER = [f"once more {matter}" for matter in MATTERS]
PAIRS = [f"{one} {two}" for one, two in zip(MATTERS, MATTERS[6:] + MATTERS[:6], strict=True)]


@pytest.fixture
def ada(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """An admin's browser; new projects have a small base model."""
    model = save_tiny_encoder(tmp_path / "tiny", [*TEXTS, *LATER, *PAIRS])
    monkeypatch.setenv("LIKEWISE_BASE_MODEL", str(model))
    settings.cache_clear()
    yield client_of(make_user("ada", "admin"))
    base_models._loaded.clear()


def sheet(texts: list[str], batch: str) -> dict[str, tuple[str, str]]:
    rows = [f"{batch}-{i},{text},{batch}" for i, text in enumerate(texts)]
    return {"file": (f"{batch}.csv", "\n".join(["id,message,batch", *rows]))}


def truth(text: str) -> list[str]:
    return [label for label, words in WORDS.items() if set(words) & set(text.split())]


def get(ada: TestClient, path: str, **asked: Any) -> Any:
    answer = ada.get(API + path, params=asked)
    assert answer.is_success, answer.text
    return answer.json()


def post(ada: TestClient, path: str, **body: Any) -> Any:
    answer = ada.post(API + path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def start_project(ada: TestClient, *, is_multi_label: bool = False) -> None:
    ada.post("/api/v1/projects", json={"name": "Letters", "is_multi_label": is_multi_label})
    for label in WORDS:
        post(ada, "/labels", name=label)


def is_whole(ada: TestClient, n: int, text: str = TEXTS[0]) -> bool:
    """Whether search knows all n records, the one with this text included."""
    answer = ada.get(f"{API}/similar", params={"text": text, "k": 1000})
    found = answer.json()["results"] if answer.is_success else []
    return len(found) == n and found[0]["text"] == text


def last_run(ada: TestClient) -> dict[str, Any]:
    runs: list[dict[str, Any]] = get(ada, "/runs")
    return runs[0] if runs else {"status": "not asked for"}


def carry_run_out(ada: TestClient) -> dict[str, Any]:
    work_until(lambda: last_run(ada)["status"] in {"succeeded", "failed"})
    return last_run(ada)


def label_all(ada: TestClient, **start: Any) -> dict[str, list[str]]:
    """Label every record of a new session; external id → labels."""
    ids = {each["name"]: each["id"] for each in get(ada, "/labels")}
    session = post(ada, "/sessions", **start)["id"]
    items = get(ada, f"/sessions/{session}/items")
    for item in items:
        label_ids = [ids[name] for name in truth(item["text"])]
        say = {"record_id": item["record_id"], "verdict": "label", "label_ids": label_ids}
        body = {"key": f"{session}-{item['rank']}", "session_id": session, "votes": [say]}
        answer = post(ada, "/annotations", **body)
        if item["rank"] == 3:  # As if the answer had been lost on its way.
            assert post(ada, "/annotations", **body)["action_id"] == answer["action_id"]
    return {item["external_id"]: truth(item["text"]) for item in items}


def table(ada: TestClient, **asked: str) -> list[dict[str, str]]:
    exported = ada.get(f"{API}/exports", params={"format": "csv"} | asked).text
    return list(csv.DictReader(io.StringIO(exported)))


def purity(ada: TestClient, version: int) -> float:
    """Of what is most similar to a labeled record, the share of its own kind; over all of them."""
    labeled = get(ada, "/records", state="labeled")["records"]
    pairs = [
        (record["text"], found["text"])
        for record in labeled
        for found in get(ada, "/similar", record=record["id"], k=29, version=version)["results"]
    ]
    return sum(truth(one) == truth(other) for one, other in pairs) / len(pairs)


def test_labels_make_the_next_search_purer_and_none_is_lost(ada: TestClient) -> None:
    start_project(ada)
    page = ada.post("/projects/letters/imports", files=sheet(TEXTS, "first")).headers["location"]
    assert TEXTS[3] in ada.get(page).text
    assert get(ada, "/records")["n_matching"] == 0  # It was only shown.
    ada.post(f"{page}/start", data={"text_columns": "message", "id_column": "id"})
    work_until(lambda: is_whole(ada, len(TEXTS)))

    said = label_all(ada, seed_kind="cold_start")
    said |= label_all(ada, seed_kind="text", text="parcel refund login", k=5)
    assert len(said) == 25 + 5
    labeled = get(ada, "/records", state="labeled")["records"][0]["id"]
    asked = {"record": labeled, "field": "batch", "value": "first", "k": 29}
    raw = get(ada, "/similar", **asked)
    assert raw["version"] == 1
    assert not any(each["suggestion"] for each in raw["results"])

    assert get(ada, "/readiness")["is_due"]  # Nobody asks for the run.
    run = carry_run_out(ada)
    assert (run["status"], run["version"], run["requested_by"]) == ("succeeded", 2, None)
    tuned = get(ada, "/similar", **asked)
    assert tuned["version"] == 2
    assert all(each["suggestion"] for each in tuned["results"])
    assert purity(ada, version=2) > purity(ada, version=1)

    ada.post(f"{API}/imports", files=sheet(LATER, "later"))
    work_until(lambda: is_whole(ada, len(TEXTS + LATER), LATER[-1]))
    sent = [{"external_id": "later-0", "text": "once more refund"}, {"text": "hello login"}]
    assert post(ada, "/records", records=sent)["n_updated"] == 1
    work_until(lambda: is_whole(ada, len(TEXTS + LATER) + 1, "once more refund"))
    kept = ada.get(f"{API}/exports", params={"format": "parquet", "vectors": True}).content
    rows = pq.read_table(io.BytesIO(kept)).to_pylist()
    assert len(rows) == len(TEXTS + LATER) + 1
    assert {len(row["vector"]) for row in rows} == {32 + 3}  # The raw one, and 3 labels' evidence.
    assert all(row["suggestion"] for row in rows)

    post(ada, "/rollback")
    assert get(ada, "/similar", **asked) == raw
    labels = [(row["id"], row["label"]) for row in table(ada, rows="records") if row["label"]]
    assert sorted(labels) == sorted((record, name) for record, [name] in said.items())
    assert sorted(row["id"] for row in table(ada, rows="annotations")) == sorted(said)


def test_records_with_two_labels_teach_both(ada: TestClient) -> None:
    start_project(ada, is_multi_label=True)
    texts = TEXTS[:54] + PAIRS * 2
    ada.post(f"{API}/imports", files=sheet(texts, "first"))
    work_until(lambda: is_whole(ada, len(texts)))

    said = label_all(ada, seed_kind="cold_start", k=24)
    assert {len(labels) for labels in said.values()} == {1, 2}
    assert not get(ada, "/readiness")["is_due"]
    post(ada, "/runs", is_forced=True)  # An admin asks early, and wants it in any case.
    run = carry_run_out(ada)

    assert (run["status"], run["version"], run["requested_by"]) == ("succeeded", 2, "ada")
    rows = table(ada, rows="records")
    assert {row["suggestion"] for row in rows} == set(WORDS)
    assert {row["id"]: row["label"].split("|") for row in rows if row["label"]} == said
