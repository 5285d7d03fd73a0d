"""An open session keeps its version, and says what another one would change."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.session import write_session
from app.labeling.sessions.sessions import SessionChange
from app.models import Project, User
from app.search import index_maintenance as upkeep
from app.search.versions import roll_back
from app.training.pipeline import steps as loop
from app.training.runs import runs
from tests.conftest import client_of
from tests.training.conftest import embedded_project, label, record_ids

API = "/api/v1/projects/letters"
N_LABELED = 32


@pytest.fixture
def tuned_project(ada: User) -> Project:
    """Version 1 is raw, version 2 a head, active."""
    made = embedded_project(noise=0.5)
    upkeep.index_if_due(made.id)
    label(made, ada, range(N_LABELED))
    with write_session() as db:
        run_id = runs.request_run(db, made, is_forced=True).id
    for _, step in loop.STEPS:
        step(run_id)
    return made


def session_of(browser: TestClient, **body: Any) -> Any:
    return browser.post(f"{API}/sessions", json=body).json()


def rows_of(browser: TestClient, session: Any) -> set[int]:
    rows = browser.get(f"{API}/sessions/{session['id']}/items").json()
    return {each["record_id"] for each in rows}


def test_a_session_forecasts_its_open_rows(tuned_project: Project, ada: User) -> None:
    browser, ids = client_of(ada), record_ids(tuned_project)
    asked = {"seed_kind": "record", "record_ids": ids[:1], "k": 20}
    session = session_of(browser, **asked)
    page = f"/projects/letters/sessions/{session['id']}/change"
    at_first = browser.get(page).text
    with write_session() as db:
        roll_back(db, tuned_project, ada)

    told = browser.get(page).text

    still_open = rows_of(browser, session) - set(ids[:N_LABELED])
    n_other = len(still_open - rows_of(browser, session_of(browser, **asked)))
    assert at_first == ""
    assert 0 < n_other < len(still_open)
    assert told == f"{n_other} of the {len(still_open)} open rows would be replaced."


def test_what_chance_or_a_person_chose_does_not_depend_on_versions(
    tuned_project: Project, ada: User
) -> None:
    browser = client_of(ada)
    given = session_of(browser, seed_kind="given", record_ids=record_ids(tuned_project)[40:50])
    with write_session() as db:
        roll_back(db, tuned_project, ada)

    assert browser.get(f"/projects/letters/sessions/{given['id']}/change").text == ""


def test_the_sentence_counts() -> None:
    assert SessionChange(80, 12).sentence == "12 of the 80 open rows would be replaced."
    assert SessionChange(80, 0).sentence == "The open rows would stay the same."
