"""The worst day: whatever goes wrong is said in one clear sentence, by the page, to a program and
in a shell, and what was stored before is still there."""

import io
from dataclasses import dataclass

import pytest
from fastapi.testclient import TestClient

from app.accounts.tokens import create_token
from app.db.session import write_session
from app.exchange.exports.export import write_export
from app.main import create_app
from app.models import Project, User
from tests.conftest import client_of, make_user
from tests.training.conftest import embedded_project, label


@dataclass
class Day:
    """A project in which three of forty records are labeled, an admin at it, and what is kept."""

    project: Project
    admin: User
    browser: TestClient
    program: TestClient
    before: bytes

    @property
    def now(self) -> bytes:
        return exported(self.project)


@pytest.fixture
def day(database: str) -> Day:
    project, admin = embedded_project(n=40), make_user("ada", "admin")
    label(project, admin, range(3))
    with write_session() as db:
        token = create_token(db, admin, "worst day", 1)
    program = TestClient(create_app(), headers={"Authorization": f"Bearer {token}"})
    return Day(project, admin, client_of(admin), program, exported(project))


def exported(project: Project) -> bytes:
    out = io.BytesIO()
    write_export(project, out, "jsonl")
    return out.getvalue()
