"""Texts that no database can hold: NUL characters and half characters, at every door."""

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db.session import write_session
from app.errors import Invalid
from app.main import ROUTER_MODULES
from app.models import Project
from tests.worst_day.conftest import Day
from tests.worst_day.sentences import API, PAGES, in_shell, shown, told

NUL, HALF = r"a\u0000b", r"a\ud800b"
HOLDS_NUL = "contains a NUL character, which cannot be stored. Remove it."
HOLDS_HALF = "contains half a character (the lone surrogate U+D800). Remove it."


def send(client: TestClient, path: str, body: str) -> Any:
    return client.post(path, content=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(("text", "sentence"), [(NUL, HOLDS_NUL), (HALF, HOLDS_HALF)])
@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/api/v1/projects", '{"name": "%s"}', "name"),
        (f"{API}/labels", '{"name": "%s"}', "name"),
        (f"{API}/saved-searches", '{"name": "%s", "request": {"q": "x"}}', "name"),
        (f"{API}/saved-searches", '{"name": "x", "request": {"q": "%s"}}', "q"),
        (f"{API}/saved-searches", '{"name": "x", "request": {"%s": "x"}}', "request"),
        (f"{API}/webhooks", '{"url": "https://a.org/%s"}', "url"),
        (f"{API}/similar", '{"text": "%s"}', "text"),
        (f"{API}/sessions", '{"kind": "text", "text": "%s"}', "text"),
        (f"{API}/annotations", '{"key": "%s", "votes": []}', "key"),
        (f"{API}/runs", '{"recipe": {"method": ["%s"]}}', "method"),
        ("/api/v1/tokens", '{"name": "%s"}', "name"),
    ],
)
def test_a_program_gets_the_invalid_field(
    day: Day, path: str, body: str, name: str, text: str, sentence: str
) -> None:
    assert told(send(day.program, path, body % text), 422) == f"{name} {sentence}"
    assert day.now == day.before


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/projects", "name"),
        (f"{PAGES}/labels", "name"),
        ("/users/invitations", "role"),
        ("/login", "name"),
        ("/login", "password"),
        ("/me/tokens", "name"),
        ("/notifications/email", "email"),
        (f"{PAGES}/records/1/comments", "body"),
    ],
)
def test_a_form_shows_the_invalid_field(day: Day, path: str, field: str) -> None:
    one = day.browser.post(path, data={field: "a\0b"})
    parts = day.browser.post(path, files={field: (None, "a\0b")})

    assert shown(one, 422) == shown(parts, 422) == f"{field} {HOLDS_NUL}"


def test_words_addresses_and_numbers_in_them(day: Day) -> None:
    assert shown(day.browser.get(f"{PAGES}/records?q=a%00b"), 422) == f"q {HOLDS_NUL}"
    assert shown(day.browser.get(f"{PAGES}/records?a%00b=1"), 422) == f"The request {HOLDS_NUL}"
    assert shown(day.browser.get("/projects/let%00ters"), 422) == f"slug {HOLDS_NUL}"
    assert told(day.program.get("/api/v1/projects/let%00ters/runs"), 422) == f"slug {HOLDS_NUL}"
    # These bytes are no UTF-8: what they are read as is a character, and names nothing.
    assert day.browser.get("/projects/%ed%a0%80").status_code == 404
    assert day.browser.get(f"{PAGES}/records?q=%ed%a0%80").status_code == 200
    assert day.browser.get("/static/a%00b").status_code == 404


def test_no_door_breaks(day: Day) -> None:
    broken = {}
    for room in ROUTER_MODULES:
        for route in (each for each in room.router.routes if isinstance(each, APIRoute)):
            path = re.sub(r"{\w+(:\w+)?}", "1", route.path.replace("{slug}", "letters"))
            with_nul = re.sub(r"{\w+(:\w+)?}", "%00", route.path)
            names = [each.name for each in route.dependant.query_params] or ["q"]
            for method in route.methods or ():
                answers = [
                    day.browser.request(method, with_nul),
                    day.browser.request(method, f"{path}?{'&'.join(f'{n}=%00' for n in names)}"),
                    day.program.request(
                        method,
                        path,
                        content=f'{{"name": "{HALF}", "x": 1}}',
                        headers={"Content-Type": "application/json"},
                    ),
                ]
                if (worst := max(answer.status_code for answer in answers)) >= 500:
                    broken[method, route.path] = worst

    assert broken == {}


def test_records_are_mended_or_rejected_one_by_one(day: Day) -> None:
    body = f'{{"records": [{{"text": "{NUL}"}}, {{"text": "x", "fields": {{"f": "{NUL}"}}}}]}}'

    mended = send(day.program, f"{API}/records", body)
    half = send(day.program, f"{API}/records", f'{{"records": [{{"text": "{HALF}"}}]}}')

    assert (mended.status_code, mended.json()["n_stored"]) == (200, 2)
    assert half.status_code in {200, 422}, half.text


def test_a_half_character_in_a_shell(day: Day) -> None:
    # What a shell hands over that is no UTF-8 becomes half characters.
    for words in (("runs", "let\udcffters"), ("user", "add", "a\udcffb", "--role", "annotator")):
        assert "half a character" in in_shell(*words) or "visible characters" in in_shell(*words)


def test_the_database_has_the_last_word(day: Day) -> None:
    """Whatever comes another way than by a request."""
    with pytest.raises(Invalid), write_session() as db:
        db.scalar(select(Project).where(Project.slug == "a\ud800b"))
