"""/ready says whether people can be served, and what is wrong where they cannot."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.db.session import write_session
from app.installation import FILE, check_folder
from app.settings import settings

CHECKS = ["database", "migrations", "installation", "data_folder", "disk"]


def failures(client: TestClient) -> dict[str, str]:
    answer = client.get("/ready")
    checks = answer.json()["checks"]
    failed = {name: check["advice"] for name, check in checks.items() if not check["ok"]}
    assert list(checks) == CHECKS
    assert answer.status_code == (503 if failed else 200)
    assert answer.json()["status"] == ("not ready" if failed else "ready")
    return failed


def test_a_sound_installation_is_ready(nobody: TestClient) -> None:
    check_folder()

    assert failures(nobody) == {}


def test_tables_of_another_version_are_not_ready(nobody: TestClient) -> None:
    with write_session() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    assert list(failures(nobody)) == ["migrations"]
    assert nobody.get("/health").status_code == 200


def test_a_folder_of_another_installation_is_not_ready(nobody: TestClient) -> None:
    check_folder()
    (settings().data_dir / FILE).write_text("another\n")

    found = failures(nobody)

    assert list(found) == ["installation"]
    assert str(settings().data_dir) not in str(found)


def test_a_folder_that_is_gone_is_not_ready(
    nobody: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings(), "data_dir", tmp_path / "nowhere")

    assert {"data_folder", "disk"} <= set(failures(nobody))


def test_a_disk_that_is_nearly_full_is_not_ready(
    nobody: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**8))

    assert list(failures(nobody)) == ["disk"]


def test_without_a_database_it_is_alive_and_not_ready(
    nobody: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "database_url", "postgresql://nobody:secret@127.0.0.1:1/none")

    found = failures(nobody)

    assert list(found) == ["database", "migrations", "installation"]
    assert "secret" not in str(found)
    assert nobody.get("/health").json() == {"status": "ok"}
