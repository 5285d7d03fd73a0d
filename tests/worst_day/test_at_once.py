"""The same thing is made several times at the same moment."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import insert

from app.accounts.tokens import create_token
from app.db.session import write_session
from app.main import create_app
from app.models import Label, Membership, Project, User, Webhook
from tests.conftest import make_project, make_user
from tests.worst_day.sentences import told

N = 8
IN_PROJECT = "/api/v1/projects/letters"


@pytest.fixture
def post(database: str) -> Callable[[str, dict[str, Any]], list[Response]]:
    """Eight programs that send the same at once, and what each is answered."""
    ada = make_user()
    with write_session() as db:
        tokens = [create_token(db, ada, f"test {i}") for i in range(N)]
    app = create_app()
    programs = [
        TestClient(app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {token}"})
        for token in tokens
    ]

    def send(path: str, body: dict[str, Any]) -> list[Response]:
        ready = Barrier(N)

        def one(program: TestClient) -> Response:
            ready.wait()
            return program.post(path, json=body)

        with ThreadPoolExecutor(N) as threads:
            return list(threads.map(one, programs))

    return send


Post = Callable[[str, dict[str, Any]], list[Response]]


def test_projects_of_one_name_each_get_an_address_of_their_own(post: Post) -> None:
    answers = post("/api/v1/projects", {"name": "Mail"})

    assert [answer.status_code for answer in answers] == N * [201]
    slugs = {answer.json()["slug"] for answer in answers}
    assert slugs == {"mail", *(f"mail-{n}" for n in range(2, N + 1))}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{IN_PROJECT}/labels", {"name": "Late"}),
        (f"{IN_PROJECT}/webhooks", {"url": "https://example.org/hook"}),
        (f"{IN_PROJECT}/saved-searches", {"name": "Late ones", "request": {"q": "late"}}),
    ],
)
def test_one_request_creates_and_the_others_get_a_conflict(
    post: Post, path: str, body: dict[str, Any]
) -> None:
    make_project()

    answers = post(path, body)

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: N - 1}
    for answer in answers:
        if answer.status_code == 409:
            assert told(answer, 409).endswith(".")


def test_a_database_conflict_is_reported_with_its_noun(ada: User) -> None:
    """Between a verb's look and its write; whatever the table."""
    project = make_project()
    app = create_app()
    rows: dict[str, tuple[type[Any], dict[str, Any]]] = {
        "project": (Project, {"slug": "letters", "name": "x", "base_model": "x", "min_labels": 5}),
        "label": (
            Label,
            {"project_id": project.id, "name": "a", "name_key": "a", "colour": 0, "position": 0},
        ),
        "webhook": (
            Webhook,
            {"project_id": project.id, "url": "https://a.org", "secret": "x", "is_private": False},
        ),
        "user": (User, {"name": "Ada", "name_key": "ada", "role": "admin"}),
        "membership": (Membership, {"project_id": project.id, "user_id": ada.id}),
    }

    @app.post("/twice/{kind}")
    def insert_twice(kind: str) -> None:
        table, values = rows[kind]
        for _ in range(2):
            with write_session() as db:
                db.execute(insert(table).values(**values))

    @app.post("/lost")
    def refer_to_nothing() -> None:
        with write_session() as db:
            db.execute(insert(Membership).values(project_id=project.id, user_id=999))

    client = TestClient(
        app,
        raise_server_exceptions=False,
        headers={"Sec-Fetch-Site": "same-origin", "Accept": "application/json"},
    )

    for kind in rows:
        sentence = told(client.post(f"/twice/{kind}"), 409)
        assert sentence == f"This {kind} was just added by another request. Reload to see it."
    assert told(client.post("/lost"), 409) == (
        "The item this belongs to has just been removed. Reload the page."
    )
