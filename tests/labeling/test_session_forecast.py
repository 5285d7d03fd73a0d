"""A session's forecast follows what is decided in it."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.labeling.sessions.session_forecast import Judged, correct_shares
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import LabelingSession
from tests.conftest import client_of
from tests.labeling.conftest import Desk, teach
from tests.labeling.test_sessions import embed, suggest

API = "/api/v1/projects/letters"


def start_sure_session(desk: Desk) -> LabelingSession:
    """All 12 records, surely billing by the suggestions, as the product offers them."""
    chances = np.tile([0.999, 0.001, 0.0], (12, 1))
    suggest(desk, embed(desk), chances)
    seed = build_seed("suggested", label_id=desk.labels[0])
    why = "Nearly all of these 12 are billing, at least 85 %."
    return start_session(desk.project, desk.ada, "suggested", seed=seed, why=why)


def decide(client: TestClient, session: LabelingSession, rank: int, label_id: int) -> None:
    data = {"rank": str(rank), "key": f"k{rank}-{label_id}", "vote": f"label:{label_id}"}
    answer = client.post(f"/projects/letters/sessions/{session.id}/votes", data=data)
    assert answer.status_code == 303


def forecast(client: TestClient, session: LabelingSession) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/sessions/{session.id}/forecast").json()
    return found


def test_corrected_rows_take_the_forecast_with_them(desk: Desk) -> None:
    session, client = start_sure_session(desk), client_of(desk.ada)
    teach(desk, 0)
    before = forecast(client, session)
    assert (before["label"], round(before["share"], 2)) == ("billing", 1.0)

    for rank in range(6):
        decide(client, session, rank, desk.labels[1])

    after = forecast(client, session)
    # 6 are delivery. Of the others, 2 in 8 are expected as suggested, the rest as corrected.
    assert after["label"] == "delivery"
    assert after["share"] == pytest.approx((6 + 6 * 0.75) / 12, abs=0.01)
    assert after["low"] > 0.5
    assert after["n_labeled"] == 6
    page = client.get(f"/projects/letters/sessions/{session.id}").text
    assert "Nearly all of these 12" not in page
    assert after["sentence"] in page
    sentence = client.get(f"/projects/letters/sessions/{session.id}/expectation")
    assert sentence.text == after["sentence"]


def test_rows_decided_as_suggested_leave_the_forecast_as_it_was(desk: Desk) -> None:
    session, client = start_sure_session(desk), client_of(desk.ada)
    page = client.get(f"/projects/letters/sessions/{session.id}").text
    assert "Nearly all of these 12" in page
    for rank in range(6):
        decide(client, session, rank, desk.labels[0])

    after = forecast(client, session)

    assert (after["label"], round(after["share"], 2)) == ("billing", 1.0)
    assert after["low"] > 0.8


def test_a_suggestion_that_is_renewed_stays_wrong(desk: Desk) -> None:
    session, client = start_sure_session(desk), client_of(desk.ada)
    for rank in range(6):
        decide(client, session, rank, desk.labels[1])
    wrong = forecast(client, session)["share"]

    # Undone, the session is forecast as before; changed once more, the first suggestion counts.
    decide(client, session, 0, desk.labels[2])
    changed = forecast(client, session)
    assert changed["share"] == pytest.approx(wrong - 1 / 12 - 6 * 0.75 / 6 / 12, abs=0.01)
    for _ in range(7):
        client.post(f"/projects/letters/sessions/{session.id}/undo")
    assert round(forecast(client, session)["share"], 2) == 1.0


def test_each_label_is_corrected_by_its_own_suggestions() -> None:
    shares = np.array([[0.9, 0.1, 0], [0.9, 0.1, 0], [0.2, 0.8, 0]], np.float32)
    suggested = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], bool)
    said = np.array([[0, 0, 1], [0, 0, 1], [0, 1, 0]], np.float32)
    scores = np.array([[0.9, 0, 0], [0.9, 0, 0], [0, 0.8, 0]], np.float32)
    judged = Judged(scores, (said > 0), said)

    doubts = correct_shares(shares, suggested, judged, is_multi=False).doubts

    # Both first suggestions were wrong, and are expected right in (0 + 2 * .9) / (2 + 2) of cases.
    np.testing.assert_allclose(shares[0], [0.45, 0.1, 0.45], atol=1e-6)
    np.testing.assert_allclose(shares[2], [0.2, 0.8, 0], atol=1e-6)
    assert doubts[0] > 0
    assert doubts[1] == 0


def test_many_labels_are_corrected_without_putting_others_in_their_place() -> None:
    shares = np.array([[0.9, 0.9], [0.9, 0.1]], np.float32)
    said = np.array([[0, 1]] * 4, np.float32)
    judged = Judged(np.full((4, 2), 0.9, np.float32), said > 0, said)

    correct_shares(shares, shares >= 0.5, judged, is_multi=True)

    np.testing.assert_allclose(shares, [[0.3, 0.9], [0.3, 0.1]], atol=1e-6)
