from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.session import read_session
from app.search.matches import reciprocal_rank_fusion
from app.search.similar import Seed, find_neighbours
from tests.conftest import make_project
from tests.exchange.files import as_csv, imported
from tests.records.test_filters import make_records
from tests.search.conftest import Library

API = "/api/v1/projects/letters"
ROWS = [
    {"id": "a", "text": "my card", "label": "Card", "split": "x"},
    {"id": "b", "text": "my refund", "label": "", "split": "y"},
]


def found(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{API}/records:search", json=body)
    assert answer.status_code == 200, answer.text
    answered: dict[str, Any] = answer.json()
    return answered


def texts(answer: dict[str, Any]) -> list[str]:
    return [item["text"] for item in answer["items"]]


def test_words_phrases_filters_and_pages(annotator: TestClient) -> None:
    project = make_project()
    make_records(project.id, [f"late parcel {n}" for n in range(5)] + ["parcel late"])

    first = found(annotator, q='"late parcel" -3', sort="newest", limit=3)
    second = found(annotator, q='"late parcel" -3', sort="newest", limit=3, after=first["next"])

    assert (first["total"], texts(first)) == (
        4,
        ["late parcel 4", "late parcel 2", "late parcel 1"],
    )
    assert (texts(second), second["next"]) == (["late parcel 0"], None)
    assert [item["place"] for item in second["items"]] == [4]
    assert found(annotator, filters={"since": "2200-01-01"})["total"] == 0


def test_meaning_is_what_similar_search_finds(library: Library, admin: TestClient) -> None:
    answer = found(admin, q="my kettle", mode="meaning", limit=10)
    again = found(admin, q="my kettle", mode="meaning", limit=10, after=answer["next"])

    with read_session() as db:
        hits = find_neighbours(db, library.project, Seed("text", text="my kettle"), 20)
    assert [item["id"] for item in answer["items"] + again["items"]] == [
        hit.record_id for hit in hits
    ]
    assert [item["similarity"] for item in answer["items"]] == [hit.similarity for hit in hits[:10]]
    assert (answer["version"], answer["total"]) == (1, 40)


def test_both_fuses_by_reciprocal_rank(library: Library, admin: TestClient) -> None:
    answer = found(admin, q="is late", mode="both", limit=40)

    for item in answer["items"]:
        by_words = 1 / (60 + item["word_rank"]) if item["word_rank"] else 0
        assert item["score"] == pytest.approx(by_words + 1 / (60 + item["meaning_rank"]))
    assert sum(item["word_rank"] is not None for item in answer["items"]) == 8
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)


def test_shorter_texts_with_more_matches_rank_higher(annotator: TestClient) -> None:
    project = make_project()
    make_records(project.id, ["parcel " + "and much more " * 20, "parcel", "parcel parcel"])

    answer = found(annotator, q="PARCEL", sort="score")

    assert [item["external_id"] for item in answer["items"]] == ["id-2", "id-1", "id-0"]


def test_places_count_and_scores_do_not() -> None:
    fused = reciprocal_rank_fusion([[1, 2, 3], [3, 4]])

    assert fused == {
        1: 1 / 61,
        2: 1 / 62,
        3: pytest.approx(1 / 63 + 1 / 61),
        4: 1 / 62,
    }
    assert reciprocal_rank_fusion([]) == {}


def test_near_to_records_inside_words(library: Library, admin: TestClient) -> None:
    answer = found(admin, record_ids=library.records[:2], q="refund", limit=3)

    assert answer["total"] == 5
    assert all("refund" in text for text in texts(answer))


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "guess"},
        {"sort": "x"},
        {"limit": 0},
        {"filters": {"colour": "red"}},
        {"filters": {"least": 2}},
        {"filters": {"keyword": "x"}},
        {"after": "x"},
        {"record_ids": [1], "like_label_id": 1},
        {"more": 1},
    ],
)
def test_what_cannot_be_read_is_refused(annotator: TestClient, body: dict[str, Any]) -> None:
    make_records(make_project().id, ["one"])

    answer = annotator.post(f"{API}/records:search", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_saved_searches_over_the_api(annotator: TestClient, admin: TestClient) -> None:
    imported(make_project(), as_csv(ROWS))

    made = annotator.post(
        f"{API}/saved-searches", json={"name": "Open", "asked": {"state": "unlabeled"}}
    )
    taken = admin.post(f"{API}/saved-searches", json={"name": "open", "asked": {"q": "my"}})
    adas = admin.post(f"{API}/saved-searches", json={"name": "Mine", "asked": {"q": "my"}}).json()
    one = f"{API}/saved-searches/{made.json()['id']}"

    assert (made.status_code, taken.status_code) == (201, 409)
    assert made.json()["url"] == "/projects/letters/records?state=unlabeled"
    assert annotator.get(one).json()["n_records"] == 1
    assert annotator.patch(one, json={"name": "Rest"}).json()["name"] == "Rest"
    assert [each["name"] for each in annotator.get(f"{API}/saved-searches").json()] == [
        "Mine",
        "Rest",
    ]
    assert annotator.delete(f"{API}/saved-searches/{adas['id']}").status_code == 403
    assert admin.delete(one).status_code == 204
    assert annotator.get(one).status_code == 404


def test_a_program_reads_records_page_by_page(annotator: TestClient) -> None:
    project = make_project()
    imported(project, as_csv(ROWS))

    first = annotator.get(f"{API}/records?limit=1").json()
    after = first["next_after_id"]
    second = annotator.get(f"{API}/records?limit=1&after={after}").json()

    assert (first["n_matching"], first["records"][0]["labels"]) == (2, ["Card"])
    assert second["records"][0]["text"] == "my refund"
    assert second["next_after_id"] is None
    assert annotator.get(f"{API}/records?suggested=1").json()["n_matching"] == 0


def test_the_search_is_documented(admin: TestClient) -> None:
    paths = admin.get("/api/v1/openapi.json").json()["paths"]

    documented = paths["/api/v1/projects/{slug}/records:search"]["post"]
    assert documented["requestBody"]["content"]["application/json"]["schema"]
