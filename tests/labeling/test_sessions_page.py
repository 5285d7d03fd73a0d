import re

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.db.session import write_session
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import Project
from tests.conftest import client_of, make_user
from tests.labeling.conftest import Desk
from tests.labeling.test_sessions import embed, suggest

PAGE = "/projects/letters/sessions"
API = "/api/v1/projects/letters"


def by_direction(likely: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Each record's own label has this chance; the other two share the rest."""
    shares = np.full((12, 3), (1 - likely) / 2)
    shares[np.arange(12), np.arange(12) % 3] = likely
    return shares


def forecast(client: TestClient, **asked: str) -> str:
    text = client.get(f"{PAGE}/forecast", params=asked).text
    return " ".join(re.sub("<[^>]*>", "", text).split())


@pytest.fixture
def ada(desk: Desk) -> TestClient:
    return client_of(desk.ada)


def test_a_forecast_is_one_sentence_and_offers_the_likely_part(desk: Desk, ada: TestClient) -> None:
    suggest(desk, embed(desk), by_direction(0.9))
    seed = {"seed_kind": "record", "record_ids": str(desk.records[0]), "k": "11"}

    words = forecast(ada, **seed)

    assert words.startswith("12 records. About 3")
    assert "4 of these 12 are probably billing. Start with only these 4" in words
    fragment = ada.get(f"{PAGE}/forecast", params=seed).text
    assert 'name="k" value="3"' in fragment, "the record itself is the fourth"
    shorter = ada.post(PAGE, data=seed | {"k": "3"}).headers["location"]
    rows = ada.get(f"/api/v1{shorter}/items").json()
    assert {desk.records.index(row["record_id"]) % 3 for row in rows} == {0}


def test_a_forecast_is_about_the_label_that_is_looked_for(desk: Desk, ada: TestClient) -> None:
    suggest(desk, embed(desk), by_direction(0.9))
    desk.label(desk.ada, (0, 0), (1, 1), (4, 1), key="a")

    for asked in (
        {"seed_kind": "label", "label_id": str(desk.labels[0])},
        {"seed_kind": "record", "record_ids": str(desk.records[0])},
    ):
        assert " % billing (95 % interval " in forecast(ada, **asked)
    assert " % delivery (95 % interval " in forecast(
        ada, seed_kind="label", label_id=str(desk.labels[1])
    )


def test_a_forecast_counts_labeled_records_or_shows_why_there_is_none(
    desk: Desk, ada: TestClient
) -> None:
    embed(desk)
    desk.label(desk.ada, (0, 0), key="a")
    given = ",".join(map(str, desk.records[:3]))

    assert forecast(ada, seed_kind="given", record_ids=given) == (
        "3 records. No suggestions yet; 1 already labeled."
    )
    mislabeled = forecast(ada, seed_kind="likely_mislabeled")
    assert mislabeled == "No likely mislabeled records found."
    assert forecast(ada, seed_kind="random", k="5") == "5 records."
    assert "must be a whole number, not “many”" in forecast(ada, seed_kind="random", k="many")
    assert forecast(ada, seed_kind="random", q="number 7") == "1 record."


def test_the_page_lists_what_is_assigned_and_what_is_under_way(desk: Desk) -> None:
    embed(desk)
    seed = build_seed("given", desk.records[:3])
    start_session(desk.project, desk.ada, "given", seed=seed, title="For Ben")
    start_session(desk.project, desk.ben, "given", seed=seed, title="Of Ben")
    ada, ben = client_of(desk.ada), client_of(desk.ben)

    given = ada.post(f"{PAGE}/1/assignments", data={"user_ids": [str(desk.ben.id)]})
    refused = ben.post(f"{PAGE}/2/assignments", data={"user_ids": [str(desk.ada.id)]})
    page = ben.get(PAGE).text

    assert (given.status_code, refused.status_code) == (303, 403)
    assigned, others = page.split('id="assigned"')[1].split("Continue where you left off")
    assert "For Ben" in assigned
    assert "you 0 of 3" in assigned
    assert "Of Ben" in others
    assert 'name="user_ids"' not in page
    assert 'name="user_ids"' in ada.get(PAGE).text
    assert "Assigned to you" in ben.get("/projects/letters").text


def test_a_session_is_hidden_and_found_again(desk: Desk, ada: TestClient) -> None:
    start_session(desk.project, desk.ada, "random", k=3)

    ada.post(f"{PAGE}/1/hide")
    without = ada.get(PAGE).text
    with_hidden = ada.get(f"{PAGE}?hidden=yes").text

    assert ("Random records" in without, "Show 1 hidden session</a>" in without) == (False, True)
    assert "Random records" in with_hidden
    ada.post(f"{PAGE}/1/hide", data={"is_hidden": "no"})
    assert "Random records" in ada.get(PAGE).text
    assert client_of(desk.ben).post(f"{PAGE}/1/hide").status_code == 403


def test_an_admin_turns_on_multi_annotation(desk: Desk, ada: TestClient) -> None:
    saved = ada.post("/projects/letters/multi-annotation", data={"percent": "25", "n_people": "3"})

    assert saved.status_code == 303
    assert ada.get(f"{API}/multi-annotation").json() == {"share": 0.25, "n_people": 3}
    assert 'value="25"' in ada.get(PAGE).text
    ben = client_of(desk.ben)
    assert ben.post("/projects/letters/multi-annotation", data={"percent": "0"}).status_code == 403
    assert "Multiple annotators" not in ben.get(PAGE).text
    assert (
        ada.post("/projects/letters/multi-annotation", data={"percent": "101"}).status_code == 422
    )


def test_programs_assign(desk: Desk, ada: TestClient) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    desk.label(desk.ben, (0, 0), (1, 1), key="b")
    path = f"{API}/sessions/{session.id}/assignments"

    answer = ada.put(path, json={"user_ids": [desk.ben.id]})
    stranger = make_user("vera", "annotator")
    with write_session() as db:
        db.get_one(Project, desk.project.id).is_open = False

    assert answer.json() == ada.get(path).json()
    assert answer.json()[0] == {
        "user_id": desk.ben.id,
        "name": "ben",
        "n_decided": 2,
        "n_records": 12,
        "is_done": False,
    }
    assert ada.put(path, json={"user_ids": [stranger.id]}).status_code == 404
