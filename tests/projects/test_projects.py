import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.errors import Invalid, NotFound
from app.models import AuditEvent, Membership, Project, User
from app.projects.projects import create_project, find_project, make_slug
from tests.conftest import client_of, make_project, make_user


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Customer messages", "customer-messages"),
        ("  Ärger & Lob (2026) ", "arger-lob-2026"),
        ("日本語", "project"),
        ("../etc/passwd", "etc-passwd"),
        ("x" * 120, "x" * 70),
    ],
)
def test_a_slug_is_plain_enough_for_a_url(name: str, slug: str) -> None:
    assert make_slug(name) == slug


def test_equal_names_get_slugs_of_their_own(database: str) -> None:
    with write_session() as db:
        slugs = [create_project(db, name).slug for name in ("Mail", "mail!", "Mail 2", "MAIL")]

    assert slugs == ["mail", "mail-2", "mail-2-2", "mail-3"]
    with read_session() as db:
        assert find_project(db, "mail-2").name == "mail!"
        with pytest.raises(NotFound):
            find_project(db, "mail-9")


@pytest.mark.parametrize("name", ["", "  \n ", "x" * 121])
def test_a_project_needs_a_name(database: str, name: str) -> None:
    with write_session() as db, pytest.raises(Invalid, match="1 to 120 characters"):
        create_project(db, name)


def test_who_created_a_project_is_noted(database: str) -> None:
    ada = make_user()

    with write_session() as db:
        project = create_project(db, "Mail", by=ada, is_multi_label=True, base_model=" my/model ")

    assert (project.is_multi_label, project.base_model, project.min_labels) == (
        True,
        "my/model",
        25,
    )
    with read_session() as db:
        event = db.scalars(select(AuditEvent)).one()
    assert (event.action, event.user_id, event.project_id) == (
        "project created",
        ada.id,
        project.id,
    )


def close(project: Project, member: User | None = None) -> None:
    with write_session() as db:
        db.get_one(Project, project.id).is_open = False
        if member is not None:
            db.add(Membership(project_id=project.id, user_id=member.id))


def test_a_closed_project_is_there_for_members_and_admins_only(admin: TestClient) -> None:
    ben, cem = make_user("ben", "annotator"), make_user("cem", "reviewer")
    close(make_project("secret"), member=ben)

    for client, status in ((admin, 200), (client_of(ben), 200), (client_of(cem), 404)):
        assert client.get("/projects/secret").status_code == status
        assert client.get("/api/v1/projects/secret").status_code == status
        listed = [each["slug"] for each in client.get("/api/v1/projects").json()]
        assert listed == (["secret"] if status == 200 else [])


def test_a_foreign_and_an_unknown_project_read_alike(admin: TestClient) -> None:
    cem = client_of(make_user("cem", "reviewer"))
    close(make_project("secret"))

    foreign, unknown = cem.get("/api/v1/projects/secret"), cem.get("/api/v1/projects/nowhere")

    assert foreign.json() == unknown.json()
    assert foreign.json()["title"] == "Project not found."
