"""Accepting together takes what is sure enough, says so before, and never in a first session."""

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from app.db.session import read_session
from app.labeling.sessions.acceptance import sum_up
from app.labeling.sessions.bulk_accept import draw_sample_ranks
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import Annotation, LabelingSession, UserAction
from app.records.records import load_consensus
from tests.conftest import client_of
from tests.labeling.conftest import Desk, make_desk
from tests.labeling.test_next_best import label_ranks, shares, start_long_session
from tests.labeling.test_sessions import embed, order, suggest

# 0.8 stands in the files with half precision, a little below.
SCORES = (0.97, 0.95, 0.9, 0.85, 0.8, 0.79, 0.7, 0.6, 0.55, 0.93, 0.91, 0.52)
N_SURE = 7


def start_mixed_session(desk: Desk) -> LabelingSession:
    """Every record in its order, each suggested billing with its own score."""
    suggest(desk, embed(desk), shares(*SCORES))
    seed = build_seed("given", desk.records)
    return start_session(desk.project, desk.ada, "given", seed=seed)


def address(session: LabelingSession) -> str:
    return f"/projects/letters/sessions/{session.id}"


def n_actions() -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).select_from(UserAction)) or 0


def labeled(desk: Desk) -> list[int]:
    with read_session() as db:
        return sorted(load_consensus(db, desk.records))


def accept_page(client: TestClient, desk: Desk, session: LabelingSession, **more: str) -> int:
    shown = [f"{rank}:{desk.labels[0]}" for rank in range(12)]
    data = {"start": "0", "key": "page", "shown": shown, **more}
    return client.post(f"{address(session)}/accept", data=data).status_code


def test_accepting_a_page_takes_suggestions_above_the_threshold_only(desk: Desk) -> None:
    session, client = start_mixed_session(desk), client_of(desk.ada)
    page = client.get(address(session)).text
    mean = round(100 * sum(s for s in SCORES if s >= 0.8) / N_SURE)
    assert f"Accepts {N_SURE} of 12 open suggestions" in page
    assert f"at least 80 %, {mean} % on average. The other 5 stay open." in page

    assert accept_page(client, desk, session) == 303

    assert labeled(desk) == [desk.records[i] for i in range(12) if SCORES[i] >= 0.8]
    none_left = "No open suggestion has a probability of at least 80 %."
    assert none_left in client.get(address(session)).text
    assert accept_page(client, desk, session, key="again") == 409
    assert accept_page(client, desk, session, key="low", min_score="0.5") == 303
    assert len(labeled(desk)) == 12


def test_a_program_sets_the_threshold_for_accepting(desk: Desk) -> None:
    session, client = start_mixed_session(desk), client_of(desk.ada)
    says = [
        {
            "record_id": desk.records[i],
            "verdict": "label",
            "label_ids": [desk.labels[0]],
            "rank": i,
            "suggestion_id": desk.labels[0],
            "suggestion_score": SCORES[i],
        }
        for i in (0, 5)
    ]
    body = {"key": "a", "session_id": session.id, "source": "page", "votes": says}
    url = "/api/v1/projects/letters/annotations"

    refused = client.post(url, json=body | {"min_score": 0.8})
    other = client.post(
        url,
        json=body | {"min_score": 0.5, "votes": [says[0] | {"label_ids": [desk.labels[1]]}]},
    )

    assert (refused.status_code, other.status_code, labeled(desk)) == (422, 422, [])
    assert "(1 of 2 do not)" in refused.json()["title"]
    assert client.post(url, json=body | {"min_score": 0.75}).status_code == 200
    assert len(labeled(desk)) == 2


@pytest.mark.parametrize("kind", ["cold_start", "random"])
def test_a_first_session_is_labeled_row_by_row(desk: Desk, kind: str) -> None:
    embed(desk)
    client = client_of(desk.ada)
    session = start_session(desk.project, desk.ada, kind, k=12)
    say = {
        "record_id": order(session)[0],
        "verdict": "label",
        "label_ids": [desk.labels[0]],
        "suggestion_id": desk.labels[0],
        "suggestion_score": 0.99,
    }
    body = {"key": "a", "session_id": session.id, "votes": [say], "min_score": 0.8}
    api = f"/api/v1{address(session)}"

    answers = [
        client.post("/api/v1/projects/letters/annotations", json=body),
        client.post(f"{api}/accept", json={"key": "b"}),
        client.post(f"{address(session)}/accept", data={"start": "0", "key": "c", "shown": "0:1"}),
        client.post(f"{address(session)}/accept-rest", data={"key": "d"}),
    ]

    assert [answer.status_code for answer in answers] == [409] * 4
    assert all("row by row" in answer.text for answer in answers)
    assert "row by row" in client.get(f"{api}/accept").json()["obstacle"]
    assert f'action="{address(session)}/accept"' not in client.get(address(session)).text
    assert n_actions() == 0


def test_representative_records_are_not_accepted_even_when_a_version_suggests(desk: Desk) -> None:
    suggest(desk, embed(desk), shares(*SCORES))
    session = start_session(desk.project, desk.ada, "cold_start", k=12)

    assert accept_page(client_of(desk.ada), desk, session) == 409
    assert labeled(desk) == []


def test_a_whole_session_is_accepted_above_the_threshold_only(database: str) -> None:
    desk = make_desk(n_records=100)
    session, client = start_long_session(desk), client_of(desk.ada)
    label_ranks(desk, session, draw_sample_ranks(session), 0)
    api = f"/api/v1{address(session)}/accept"
    told = client.get(api).json()
    assert (told["n_taken"], told["n_left"], told["obstacle"]) == (60, 0, "")
    assert told["mean_score"] == pytest.approx(0.9, abs=1e-3)
    assert told["sentence"] in client.get(address(session)).text
    strict = client.get(f"{address(session)}/acceptance?min_score=0.95").text
    assert strict == "No open suggestion has a probability of at least 95 %."

    refused = client.post(api, json={"key": "a", "min_score": 0.95})
    assert (refused.status_code, len(labeled(desk))) == (409, 40)
    assert client.post(api, json={"key": "b", "min_score": 2}).status_code == 422
    assert client.post(api, json={"key": "c"}).status_code == 200
    assert len(labeled(desk)) == 100


def test_a_decided_row_is_not_accepted_over(desk: Desk) -> None:
    session, client = start_mixed_session(desk), client_of(desk.ada)
    desk.label(desk.ada, (0, 2), key="own")
    before = n_actions()

    data = {"rank": "0", "key": "x", "vote": f"accept:{desk.labels[0]}"}
    assert client.post(f"{address(session)}/votes", data=data).status_code == 303

    assert (n_actions(), desk.consensus(0)) == (before, [2])
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Annotation)) == 1


def test_what_reads_eighty_percent_is_eighty_percent() -> None:
    half = float(np.float16(0.8))

    assert half < 0.8
    assert sum_up([half, 0.7949, 0.8], 0.8).n_taken == 2
    assert sum_up([], 0.8).sentence == "No open suggestion has a probability of at least 80 %."
