"""Requests that come too early, too late, too large, for others, or with values of no use."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import update

from app.db.session import write_session
from app.exchange.imports.upload_stream import receive_upload
from app.labeling.sessions.sessions import start_session
from app.main import ROUTER_MODULES, find_body_limit
from app.models import ApiToken, Login, Record, utc_now
from app.settings import settings
from tests.conftest import client_of
from tests.training.conftest import embedded_project, record_ids
from tests.worst_day.conftest import Day, exported
from tests.worst_day.sentences import API, PAGES, in_shell, saying, shown, told


def test_training_requested_too_early(day: Day) -> None:
    page = shown(day.browser.post(f"{PAGES}/training/runs", data={"method": "head"}), 409)
    program = told(day.program.post(f"{API}/runs", json={}), 409)
    shell = in_shell("train", "letters")

    assert (
        page
        == program
        == shell
        == ("Training cannot start yet. Still missing: two labels with at least 2 records each.")
    )
    assert day.program.get(f"{API}/runs").json() == []
    assert day.now == day.before


def test_a_foreign_id_reads_like_an_unknown_one(day: Day) -> None:
    other = embedded_project("secrets", n=40)
    foreign = record_ids(other)[0]
    session = start_session(other, day.admin, "random")
    with write_session() as db:
        db.execute(update(Record).where(Record.id == foreign).values(external_id="hidden"))
    theirs = exported(other)

    page = shown(day.browser.get(f"{PAGES}/sessions/{session.id}"), 404)
    unknown = shown(day.browser.get(f"{PAGES}/sessions/999999"), 404)
    program = told(day.program.post(f"{API}/annotations", json=saying(foreign, key="theirs")), 404)
    shell = in_shell("similar", "letters", "--record", "hidden")

    assert page == unknown == "Session not found."
    assert program == "Record not found."
    assert shell == "Record 'hidden' not found."
    assert (day.now, exported(other)) == (day.before, theirs)


def test_a_number_that_is_too_long_for_any_row_reads_like_an_unknown_one(day: Day) -> None:
    long = "9" * 20

    for path in ("records", "imports", "sessions", "map/records"):
        shown(day.browser.get(f"{PAGES}/{path}/{long}"), 404)
    shown(day.browser.post(f"/users/{long}/disable"), 404)
    for path in ("records", "imports", "saved-searches"):
        told(day.program.get(f"{API}/{path}/{long}"), 404)
    told(day.program.delete(f"/api/v1/tokens/-{long}"), 404)


def test_a_session_that_expired_loses_nothing(day: Day) -> None:
    session = start_session(day.project, day.admin, "random")
    form = {"rank": "0", "key": "late", "vote": "skip"}
    says = f"{PAGES}/sessions/{session.id}/votes"
    body = saying(record_ids(day.project)[9], key="later")
    long_ago = utc_now() - timedelta(days=2)
    with write_session() as db:
        db.execute(update(Login).values(seen_at=long_ago))
        db.execute(update(ApiToken).values(expires_at=long_ago))

    page = shown(day.browser.post(says, data=form), 401)
    program = told(day.program.post(f"{API}/annotations", json=body), 401)
    back = day.browser.get(f"{PAGES}/sessions/{session.id}")

    assert page == program == "Please log in. Your session may have expired."
    assert (back.status_code, back.headers["location"]) == (
        303,
        f"/login?next={PAGES}/sessions/{session.id}",
    )
    assert day.now == day.before
    # Logged in again, the same say with the same key is taken.
    assert client_of(day.admin).post(f"{API}/annotations", json=body).status_code == 200
    assert day.now != day.before


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_that_is_too_large(day: Day, is_declared: bool) -> None:
    block = b" " * 1024**2

    def body(n_mb: int) -> Any:
        return block * n_mb if is_declared else (block for _ in range(n_mb))

    as_form = {"Content-Type": "application/x-www-form-urlencoded"}
    as_json = {"Content-Type": "application/json"}

    page = shown(day.browser.post("/projects", content=body(3), headers=as_form), 413)
    program = told(day.program.post(f"{API}/annotations", content=body(3), headers=as_json), 413)
    records = told(day.program.post(f"{API}/records", content=body(33), headers=as_json), 413)
    taken = day.program.post(f"{API}/records", content=body(3), headers=as_json)

    assert page == program == "The request is larger than 2 MB. Send less data per request."
    assert records == "The request is larger than 32 MB. Send less data per request."
    assert taken.status_code == 422
    assert day.now == day.before


def test_only_uploads_may_be_as_large_as_the_setting(database: str) -> None:
    uploads: set[str] = set()
    others: set[str] = set()
    for route in (route for room in ROUTER_MODULES for route in room.router.routes):
        if isinstance(route, APIRoute) and "POST" in (route.methods or ()):
            calls = [each.call for each in route.dependant.dependencies]
            (uploads if receive_upload in calls else others).add(route.path)

    assert uploads == {f"{each}/projects/{{slug}}/imports" for each in ("", "/api/v1")}
    most = {find_body_limit(path).n_bytes // 1024**2 for path in uploads}
    assert most == {settings().max_upload_mb}
    assert {find_body_limit(path).n_bytes // 1024**2 for path in others} == {2, 32}


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("similar", {"text": "x", "k": "many"}, "k must be a whole number."),
        ("similar", {"text": "x", "k": 5000}, "k must be at most 1000."),
        ("similar", {"text": 5}, "text must be a text."),
        ("annotations", {"votes": []}, "key is missing."),
        (
            "annotations",
            {"key": "k", "votes": [{"record_id": 1, "verdict": "yes"}]},
            "votes.0.verdict must be one of 'label', 'none', 'skip' or 'not_similar'.",
        ),
        ("annotations", {"key": "k" * 99, "votes": []}, None),
        ("records", {"records": []}, "records needs more values (minimum: 1)."),
        ("records", {"records": [], "x": 1}, None),
        ("runs", {"recipe": 5}, "recipe must be an object."),
        ("runs", {"is_forced": "perhaps"}, "is_forced must be true or false."),
        ("runs", [], "The request must be an object."),
        ("runs", "{", "The request is not valid JSON."),
    ],
)
def test_a_value_that_cannot_be_used_is_named_in_plain_words(
    day: Day, path: str, body: Any, sentence: str | None
) -> None:
    content = body if isinstance(body, str) else json.dumps(body)

    said = told(
        day.program.post(
            f"{API}/{path}", content=content, headers={"Content-Type": "application/json"}
        ),
        422,
    )

    assert said == (sentence or said)
    assert not re.search("[Ii]nput|valid |parse|dictionary|at least .* item|Field", said) or (
        "valid JSON" in said
    )
    assert day.now == day.before
