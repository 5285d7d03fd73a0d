import pytest

from app.labeling.sessions.sessions import start_session
from tests.conftest import client_of
from tests.labeling.conftest import Desk, make_desk


@pytest.fixture
def desk(database: str) -> Desk:
    return make_desk()


# A digit that is no decimal one, more digits than Python reads, and more than a column holds.
NO_NUMBERS = ["²", "9" * 5000, str(2**31)]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_form_that_sends_no_number_is_refused(desk: Desk, text: str) -> None:
    client = client_of(desk.ada)
    session = start_session(desk.project, desk.ada, "random")
    row = {"rank": 0, "key": "one", "vote": f"label:{text}"}
    shown = {"key": "two", "rows": [f"{text}:"]}

    answers = [
        client.post(f"/projects/letters/sessions/{session.id}/votes", data=row),
        client.post(f"/projects/letters/sessions/{session.id}/accept", data=shown),
        client.post("/projects/letters/map/sessions", data={"record_ids": text}),
        client.post("/projects/letters/progress/goal", data={"goal": text[:40]}),
        client.get(f"/api/v1/projects/letters/records?label={text}"),
    ]

    assert [answer.status_code for answer in answers] == [422] * len(answers)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_no_ticked_record(desk: Desk, text: str) -> None:
    form = {"key": "one", "do": "none", "fingerprint": "", "n": 1, "ticked": text}

    answer = client_of(desk.ada).post("/projects/letters/records/bulk", data=form)

    assert answer.status_code < 500
    assert desk.consensus(0) is None
