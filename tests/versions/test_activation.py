"""A version is activated by the same rules through the page, the API and the command."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli import app
from app.db.session import read_session, write_session
from app.models import Activation, Artifact, Delivery, Project, User, Version
from app.notifications.webhooks import add_webhook
from app.search.versions import ROLL_BACK
from app.settings import settings
from app.versions.retention import delete_version
from tests.conftest import client_of
from tests.versions.conftest import train

# What was sent → whether it was accepted, and the text of the answer.
Door = Callable[[User, str], tuple[bool, str]]


def send_form(user: User, action: str) -> tuple[bool, str]:
    answer = client_of(user).post(f"/projects/letters/training/{action}")
    assert answer.status_code in {303, 409}
    return answer.status_code == 303, answer.text


def send_api(user: User, action: str) -> tuple[bool, str]:
    answer = client_of(user).post(f"/api/v1/projects/letters/{action}")
    assert answer.status_code in {200, 409}
    return answer.status_code == 200, answer.text


def run_command(_user: User, action: str) -> tuple[bool, str]:
    parts = action.split("/")
    words = ["rollback", "letters"] if parts == ["rollback"] else ["activate", "letters", parts[1]]
    result = CliRunner().invoke(app, words)
    assert result.exit_code in {0, 1}
    return result.exit_code == 0, result.output


every_door = pytest.mark.parametrize("send", [send_form, send_api, run_command])


def list_activations() -> list[tuple[int, bool]]:
    """The number of each activated version, and whether it was rolled back to; oldest first."""
    with read_session() as db:
        rows = db.execute(
            select(Version.number, Activation.reason)
            .join(Version, Version.id == Activation.version_id)
            .order_by(Activation.id)
        )
        return [(number, reason == ROLL_BACK) for number, reason in rows]


def list_announced() -> list[tuple[str, int]]:
    with read_session() as db:
        rows = db.scalars(select(Delivery).order_by(Delivery.id)).all()
        return [(row.kind, row.body["data"]["version"]) for row in rows]


def watch(project: Project) -> None:
    with write_session() as db:
        add_webhook(db, project, "http://192.0.2.1/hook", by=None, is_private=True)


def damage(number: int, kind: str) -> str:
    """Flip a bit of each of the version's files of this kind; the name of one."""
    with read_session() as db:
        files = db.scalars(
            select(Artifact.file)
            .join(Version, Version.id == Artifact.version_id)
            .where(Version.number == number, Artifact.kind == kind)
        ).all()
    for file in files:
        path = settings().data_dir / file
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.unlink()
        path.write_bytes(content)
    return files[0]


@every_door
def test_the_active_version_is_not_activated_again(project: Project, ada: User, send: Door) -> None:
    watch(project)
    before = list_activations()

    is_accepted, text = send(ada, "versions/2/activate")

    assert not is_accepted
    assert "Version 2 is already active." in text
    assert (list_activations(), list_announced()) == (before, [])


@every_door
def test_each_activation_is_stored_and_announced_once(
    project: Project, ada: User, send: Door
) -> None:
    watch(project)

    answers = [send(ada, action) for action in ("rollback", "versions/2/activate", "rollback")]

    assert [is_accepted for is_accepted, _ in answers] == [True] * 3
    assert list_activations() == [(1, False), (2, False), (1, True), (2, False), (1, True)]
    assert list_announced() == [
        ("version.rolled_back", 1),
        ("version.activated", 2),
        ("version.rolled_back", 1),
    ]


@every_door
def test_a_deleted_version_is_not_activated(project: Project, ada: User, send: Door) -> None:
    train(project)
    delete_version(project, 2, by=ada)
    before = list_activations()

    is_accepted, text = send(ada, "versions/2/activate")

    assert not is_accepted
    assert "Version 2 was deleted" in text
    assert list_activations() == before


@every_door
@pytest.mark.parametrize("kind", ["head", "index", "suggestions"])
def test_a_damaged_version_is_not_activated(
    project: Project, ada: User, send: Door, kind: str
) -> None:
    assert send(ada, "rollback")[0]
    before = list_activations()
    file = damage(2, kind)

    is_accepted, text = send(ada, "versions/2/activate")

    assert not is_accepted
    assert f"Version 2 cannot be activated: {file} is damaged or missing." in text
    assert list_activations() == before


@every_door
def test_nobody_rolls_back_to_a_version_whose_file_is_missing(
    project: Project, ada: User, send: Door
) -> None:
    before = list_activations()
    file = damage(1, "index")
    (settings().data_dir / file).unlink()

    is_accepted, text = send(ada, "rollback")

    assert not is_accepted
    assert f"Version 1 cannot be activated: {file} is damaged or missing." in text
    assert list_activations() == before


def test_two_who_activate_at_once_activate_once(project: Project, ada: User) -> None:
    send_api(ada, "rollback")
    watch(project)

    address = "/api/v1/projects/letters/versions/2/activate"
    clients = [client_of(ada) for _ in range(4)]
    for client in clients:
        client.post(address.replace("2", "9"))  # The first request of an application builds it.
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda client: client.post(address), clients))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert list_announced() == [("version.activated", 2)]
