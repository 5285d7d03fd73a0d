import re

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.db.session import write_session
from app.errors import AppError, Busy
from app.main import ROUTER_MODULES, create_app
from app.settings import settings
from app.web.static_files import STATIC
from tests.conftest import make_project

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
WRITE = ("/projects", {"name": "Mail"})


def test_health_answers_without_a_database(monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    settings.cache_clear()

    answer = TestClient(create_app()).get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {},
    ],
)
def test_a_write_that_is_not_from_our_pages_is_refused(
    admin: TestClient, headers: dict[str, str]
) -> None:
    del admin.headers["Sec-Fetch-Site"]

    answer = admin.post(WRITE[0], data=WRITE[1], headers=headers)

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert admin.get("/api/v1/projects").json() == []


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}]
)
def test_a_write_from_our_pages_is_taken(admin: TestClient, headers: dict[str, str]) -> None:
    del admin.headers["Sec-Fetch-Site"]

    answer = admin.post(WRITE[0], data=WRITE[1], headers=headers)

    assert answer.headers["location"] == "/projects/mail"


@pytest.mark.parametrize(
    ("public_url", "origin", "status"),
    [
        ("https://lw.example", "https://lw.example", 303),
        ("https://lw.example/", "https://lw.example:443", 303),
        ("https://lw.example", "http://lw.example", 403),
        ("https://lw.example", "https://lw.example:8443", 403),
        ("http://lw.example:8000", "https://lw.example:8000", 403),
        ("https://lw.example", "https://testserver", 403),
        ("https://lw.example", "http://[", 403),
        ("", "http://[", 403),
        ("", "http://testserver:x", 403),
    ],
)
def test_where_the_public_address_is_set_scheme_host_and_port_must_be_its_own(
    admin: TestClient, monkeypatch: pytest.MonkeyPatch, public_url: str, origin: str, status: int
) -> None:
    del admin.headers["Sec-Fetch-Site"]
    monkeypatch.setenv("LIKEWISE_PUBLIC_URL", public_url)
    settings.cache_clear()

    answer = admin.post(WRITE[0], data=WRITE[1], headers={"Origin": origin})

    assert answer.status_code == status
    monkeypatch.undo()
    settings.cache_clear()


def test_a_token_beside_a_cookie_opens_no_way_around_the_check(admin: TestClient) -> None:
    token = admin.post("/api/v1/tokens", json={"name": "x"}).json()["token"]
    program = TestClient(create_app(), headers={"Authorization": f"Bearer {token}"})
    body = {"name": "Mail"}

    assert program.post("/api/v1/projects", json=body).status_code == 201
    del admin.headers["Sec-Fetch-Site"]
    both = admin.post("/api/v1/projects", json=body, headers=dict(program.headers))
    assert both.status_code == 403


def test_every_page_has_a_strict_policy_and_is_not_cached(admin: TestClient) -> None:
    make_project("letters")

    for path in ("/", "/login", "/me", "/users", "/projects/letters", "/nowhere", "/health"):
        answer = admin.get(path)
        assert answer.headers["content-security-policy"] == CSP, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text)


def test_static_files_are_cached_only_under_their_fingerprint(nobody: TestClient) -> None:
    page = nobody.get("/login").text
    sheet = re.search(r'href="(/static/app\.css\?v=\w+)"', page)
    assert sheet is not None

    assert "immutable" in nobody.get(sheet[1]).headers["cache-control"]
    assert nobody.get("/static/app.css").headers["cache-control"] == "no-cache"
    vendored = nobody.get("/static/vendor/htmx-2.0.11.min.js")
    assert "immutable" in vendored.headers["cache-control"]
    assert nobody.get("/static/../app/main.py").status_code == 404


def test_modules_are_cached_with_their_imports(nobody: TestClient) -> None:
    module = re.search(
        r'type="module" src="(/static/js/\w{12})/app\.js"', nobody.get("/login").text
    )
    assert module is not None
    folder = module[1]

    for name in ("app.js", "notice.js", "labeling/page.js"):
        answer = nobody.get(f"{folder}/{name}")
        assert answer.content == (STATIC / "js" / name).read_bytes()
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "immutable" in answer.headers["cache-control"], name


def test_a_page_from_before_an_upgrade_gets_uncached_modules(nobody: TestClient) -> None:
    answer = nobody.get("/static/js/0123456789ab/notice.js?v=1")

    assert answer.content == (STATIC / "js/notice.js").read_bytes()
    assert answer.headers["cache-control"] == "no-cache"
    assert nobody.get("/static/js/0123456789ab/../../../app/main.py").status_code == 404
    assert nobody.get("/static/js/0123456789ab/nothing.js").status_code == 404


def test_visitors_without_login_are_redirected_or_refused(nobody: TestClient) -> None:
    page = nobody.get("/projects/letters?at=3&x=1")
    assert page.status_code == 303
    assert page.headers["location"] == "/login?next=/projects/letters%3Fat%3D3%26x%3D1"

    api = nobody.get("/api/v1/projects")
    assert api.status_code == 401
    assert api.headers["www-authenticate"] == "Bearer"
    assert api.json()["title"].startswith("Please log in")

    fragment = nobody.get("/projects/letters", headers={"HX-Request": "true"})
    assert fragment.status_code == 401
    assert fragment.text.strip().startswith('<div class="notice is-bad"')
    assert nobody.post("/projects", data=WRITE[1]).status_code == 401


def test_unknown_pages_and_ids_give_one_sentence(admin: TestClient) -> None:
    assert "Page not found." in admin.get("/nowhere").text
    assert "Project not found." in admin.get("/projects/nowhere").text
    assert admin.get("/api/v1/nowhere").json() == {
        "type": "about:blank",
        "title": "Page not found.",
        "status": 404,
    }
    assert admin.put("/me").status_code == 405


def test_a_value_that_cannot_be_read_is_named(admin: TestClient) -> None:
    answer = admin.post("/api/v1/projects", json={"name": "Mail", "colour": "red"})

    assert answer.status_code == 422
    assert answer.json()["title"] == "colour is an unknown field."
    assert admin.post("/me/tokens", data={"name": "x", "days": "many"}).status_code == 422


class Secret(Exception):
    """What a trace would show."""


@pytest.fixture
def broken(database: str) -> FastAPI:
    app = create_app()

    @app.get("/broken/{kind}")
    def fail(kind: str) -> None:
        raise {
            "accident": Secret("/etc/secret SELECT password_hash"),
            "full": OSError(28, "No space left on device"),
            "file": OSError(5, "secret"),
            "busy": OperationalError("SELECT secret", {}, Exception("database is locked")),
            "database": OperationalError("SELECT secret", {}, Exception("no such table")),
            "known": Busy(),
            "teapot": AppError("Only tea here."),
        }[kind]

    return app


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        ("accident", 500, "Internal error."),
        ("file", 500, "Internal error."),
        ("database", 500, "Internal error."),
        ("full", 507, "disk is full"),
        ("busy", 503, "database is busy"),
        ("known", 503, "database is busy"),
        ("teapot", 400, "Only tea here."),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_never_a_trace(
    broken: FastAPI, kind: str, status: int, sentence: str
) -> None:
    client = TestClient(broken, raise_server_exceptions=False)

    page = client.get(f"/broken/{kind}")
    fragment = client.get(f"/broken/{kind}", headers={"HX-Request": "true"})
    problem = client.get(f"/broken/{kind}", headers={"Accept": "application/json"})

    for answer in (page, fragment, problem):
        assert answer.status_code == status
        assert sentence in answer.text
        assert answer.headers["content-security-policy"] == CSP
        assert not re.search("secret|SELECT|Traceback|Secret", answer.text)
    assert problem.json()["status"] == status
    assert "<html" in page.text
    assert "<html" not in fragment.text


def test_an_accident_has_a_number_that_the_log_knows(
    broken: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    answer = TestClient(broken, raise_server_exceptions=False).get("/broken/accident")

    number = re.search(r"from the log: (\w{8})", answer.text)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert number is not None
    assert f"Incident {number[1]}" in caplog.text
    assert "SELECT password_hash" in caplog.text


def test_the_log_has_no_statement_values(database: str, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app()

    @app.get("/broken")
    def fail(name: str) -> None:
        with write_session() as db:
            db.execute(text("SELECT * FROM nowhere WHERE name = :name"), {"name": name})

    assert (
        TestClient(app, raise_server_exceptions=False).get("/broken?name=secret").status_code == 500
    )

    assert "FROM nowhere" in caplog.text
    assert "secret" not in caplog.text


def test_no_documentation_pages_with_foreign_scripts(nobody: TestClient) -> None:
    assert nobody.get("/docs").status_code == 404
    assert nobody.get("/redoc").status_code == 404
    assert "/api/v1/projects" in nobody.get("/api/v1/openapi.json").json()["paths"]


PUBLIC = {"/login", "/logout", "/welcome/{token}"}


def doors(slug: str) -> list[tuple[str, str]]:
    """Every method and address of every room that is not open to strangers."""
    return [
        (method, re.sub(r"{\w+(:\w+)?}", "1", route.path.replace("{slug}", slug)))
        for room in ROUTER_MODULES
        for route in room.router.routes
        if isinstance(route, APIRoute) and route.path not in PUBLIC
        for method in sorted(route.methods or ())
    ]


def test_no_door_opens_for_a_stranger(nobody: TestClient) -> None:
    make_project("letters")

    answers = {door: nobody.request(*door) for door in doors("letters")}

    assert len(answers) > 50
    wrong = {door: answer.status_code for door, answer in answers.items() if not is_shut(answer)}
    assert wrong == {}


def is_shut(answer: Response) -> bool:
    to_login = answer.headers.get("location", "").startswith("/login?next=")
    return answer.status_code == 401 or (answer.status_code == 303 and to_login)


def test_no_door_of_an_unknown_project_opens_for_anybody(admin: TestClient) -> None:
    inside = [door for door in doors("nowhere") if "/nowhere" in door[1]]

    answers = {door: admin.request(*door).status_code for door in inside}

    assert len(answers) > 40
    assert {door: status for door, status in answers.items() if status != 404} == {}
