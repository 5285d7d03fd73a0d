"""The command line: the same verbs as the pages, one sentence on failure, JSON on demand."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select, update
from typer.testing import CliRunner, Result

from app.cli import app
from app.commands import backup
from app.db.session import read_session, write_session
from app.models import (
    Artifact,
    Consensus,
    Import,
    Invitation,
    Label,
    Project,
    Record,
    User,
    Webhook,
)
from app.settings import settings
from app.training.pipeline import steps as loop
from tests.conftest import PATIENCE_SECONDS
from tests.saved_state import build_project_once
from tests.training.conftest import embedded_project, label

LIKEWISE = [sys.executable, "-m", "app.cli"]
ROOT = Path(__file__).resolve().parent.parent
ON_SQLITE = pytest.mark.skipif(
    bool(os.environ.get("TEST_DATABASE_URL")), reason="Backups of Postgres are pg_dump's matter"
)


def likewise(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


def told(*words: str) -> object:
    result = likewise(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def project(ada: User) -> Project:
    return build_project_once("training", lambda: label(embedded_project(), ada, range(32)))


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.csv"
    rows = [[f"t{i}", f"ticket {i} is late", "Late" if i < 3 else "", "mail"] for i in range(6)]
    with path.open("w", newline="") as opened:
        csv.writer(opened).writerows([["no", "body", "topic", "channel"], *rows])
    return path


def test_every_verb_fails_with_one_sentence_for_an_unknown_project(database: str) -> None:
    for words in (
        ("train",),
        ("train", "--wait"),
        ("runs",),
        ("rollback",),
        ("activate", "1"),
        ("similar", "--record", "1"),
        ("export", "out.csv"),
    ):
        result = likewise(words[0], "nope", *words[1:])
        assert result.exit_code == 1, words
        assert result.stderr.strip() == "Project not found.", words


def test_a_dry_run_shows_the_mapping_and_stores_nothing(database: str, tickets: Path) -> None:
    shown = told("import", "tickets", str(tickets), "--text", "body", "--id", "no", "--dry-run")

    assert isinstance(shown, dict)
    assert shown["columns"] == ["no", "body", "topic", "channel"]
    assert (shown["mapping"]["id_column"], shown["mapping"]["label_column"]) == ("no", None)
    assert shown["rows"][0] == "ticket 0 is late"
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Project)) == 0


def test_an_unknown_column_is_named_and_no_project_is_left(database: str, tickets: Path) -> None:
    result = likewise("import", "tickets", str(tickets), "--text", "title")

    assert result.exit_code == 1
    assert "no column 'title'" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Project)) == 0


def test_an_import_is_queued_for_the_worker(database: str, tickets: Path) -> None:
    queued = told("import", "My tickets", str(tickets), "--text", "body", "--label", "topic")
    again = told("import", "my-tickets", str(tickets), "--text", "body")

    assert isinstance(queued, dict)
    assert isinstance(again, dict)
    assert (queued["project"], queued["status"]) == ("my-tickets", "queued")
    assert again["project"] == "my-tickets"
    with read_session() as db:
        mappings = db.scalars(select(Import.mapping).order_by(Import.id)).all()
        assert db.scalars(select(Project.name)).all() == ["My tickets"]
    assert [m["label_column"] for m in mappings] == ["topic", None]


def test_every_command_finds_a_project_by_the_name_it_was_imported_under(
    database: str, tickets: Path
) -> None:
    told("import", "My tickets_2", str(tickets), "--text", "body", "--label", "topic")

    assert told("runs", "My tickets_2") == []
    assert told("runs", "my-tickets-2") == []
    assert likewise("runs", "My tickets_3").exit_code == 1


def test_train_queues_a_run_and_refuses_a_second(project: Project) -> None:
    first = told("train", "letters")
    second = likewise("train", "letters")
    unknown = likewise("train", "letters", "--method", "magic")

    assert isinstance(first, dict)
    assert (first["number"], first["status"], first["is_forced"]) == (1, "queued", False)
    assert (second.exit_code, second.stderr.strip()) == (1, "Run 1 is already queued or running.")
    assert (unknown.exit_code, len(unknown.stderr.strip().splitlines())) == (1, 1)


def test_train_lists_missing_requirements(ada: User) -> None:
    embedded_project()

    result = likewise("train", "letters", "--wait", "--json")

    assert result.exit_code == 1
    assert result.stderr.strip() == (
        "Training cannot start yet. Still missing: two labels with at least 2 records each."
    )


def test_the_operator_may_add_a_webhook_in_a_private_network(project: Project) -> None:
    added = told("webhook", "letters", "http://10.0.0.7/hook", "--private")
    again = likewise("webhook", "letters", "http://10.0.0.7/hook")

    assert isinstance(added, dict)
    assert added["secret"].startswith("whsec_")
    assert (again.exit_code, again.stderr.strip()) == (1, "This webhook already exists.")
    with read_session() as db:
        [webhook] = db.query(Webhook)
    assert (webhook.url, webhook.is_private) == ("http://10.0.0.7/hook", True)


def test_versions_are_found_activated_rolled_back_and_searched(project: Project) -> None:
    told("train", "letters")
    for _, step in loop.STEPS:
        step(1)

    runs = told("runs", "letters")
    words = likewise("runs", "letters").stdout
    near = told("similar", "letters", "--record", "r0", "-k", "3")
    back = told("rollback", "letters")
    forth = told("activate", "letters", "2")
    missing = likewise("activate", "letters", "7")
    unknown = likewise("similar", "letters", "--record", "nobody")

    assert isinstance(runs, list)
    assert isinstance(near, list)
    assert [(r["number"], r["version"]) for r in runs] == [(1, 2)]
    assert runs[0]["tuned"][0]["n"] == 32
    assert "succeeded" in words
    assert [hit["rank"] for hit in near] == [1, 2, 3]
    assert near[0]["similarity"] >= near[1]["similarity"]
    assert "r0" not in [hit["id"] for hit in near]
    assert (back, forth) == ({"version": 1, "kind": "raw"}, {"version": 2, "kind": "head"})
    assert (missing.exit_code, missing.stderr.strip()) == (1, "Version not found.")
    assert (unknown.exit_code, unknown.stderr.strip()) == (
        1,
        "Record 'nobody' not found.",
    )


def test_export_with_vectors_has_the_columns_for_scoring(project: Project, tmp_path: Path) -> None:
    told("train", "letters")
    for _, step in loop.STEPS:
        step(1)

    facts = told("export", "letters", str(tmp_path / "out.parquet"), "--vectors")
    table = pq.read_table(tmp_path / "out.parquet")
    wrong = likewise("export", "letters", str(tmp_path / "out.xls"))

    assert isinstance(facts, dict)
    assert facts["n_bytes"] == (tmp_path / "out.parquet").stat().st_size
    assert table.column_names == [
        "id",
        "text",
        "label",
        "label_source",
        "suggestion",
        "suggestion_score",
        "vector",
    ]
    assert (table.num_rows, len(table["vector"][0])) == (320, 28)
    assert wrong.exit_code == 1
    assert "csv" in wrong.stderr


def test_users_and_tokens_are_made_and_shown_once(database: str) -> None:
    invited = told("user", "add", "Ada", "--role", "admin")
    twice = likewise("user", "add", "ada", "--role", "admin")
    direct = likewise(
        "user",
        "add",
        "Ben",
        "--role",
        "annotator",
        "--password-stdin",
        stdin="a rather long password\n",
    )
    token = told("token", "create", "ben", "--for", "nightly export")
    nobody = likewise("token", "create", "cleo")

    assert isinstance(invited, dict)
    assert isinstance(token, dict)
    assert "/welcome/" in invited["link"]
    assert (twice.exit_code, nobody.exit_code, direct.exit_code) == (1, 1, 0)
    assert token["token"].startswith("lw_")
    assert "password" not in direct.output
    with read_session() as db:
        assert db.scalars(select(Invitation.role)).all() == ["admin"]


def test_the_link_of_a_new_user_leads_to_where_the_server_is(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = told("user", "add", "Ada", "--role", "admin")
    there = told("user", "add", "Ben", "--role", "annotator", "--port", "8010")
    monkeypatch.setenv("LIKEWISE_PUBLIC_URL", "https://lw.example/")
    settings.cache_clear()
    public = told("user", "add", "Cem", "--role", "annotator", "--port", "8010")

    links = [str(each["link"]).rpartition("/")[0] for each in (usual, there, public)]  # type: ignore[index]
    assert links == [
        "http://127.0.0.1:8000/welcome",
        "http://127.0.0.1:8010/welcome",
        "https://lw.example/welcome",
    ]
    monkeypatch.undo()
    settings.cache_clear()


def test_tokens_are_listed_and_revoked(database: str) -> None:
    for name in ("Ada", "Ben"):
        told("user", "add", name, "--role", "annotator")
        told("token", "create", name, "--for", f"{name}'s import")

    listed = told("token", "list")
    assert isinstance(listed, list)
    assert [(each["user"], each["for"]) for each in listed] == [
        ("Ada", "Ada's import"),
        ("Ben", "Ben's import"),
    ]
    revoked = likewise("token", "revoke", str(listed[0]["id"]))
    unknown = likewise("token", "revoke", "999")

    assert (revoked.exit_code, unknown.exit_code) == (0, 1)
    assert "Token not found." in unknown.stderr
    assert "Ada" not in likewise("token", "list").stdout
    assert [each["user"] for each in told("token", "list")] == ["Ben"]  # type: ignore[attr-defined]


def test_the_sample_is_loaded_once_without_its_intents(database: str) -> None:
    first = told("demo", "--no-wait")
    second = told("demo", "--no-wait")

    assert first == second
    assert isinstance(first, dict)
    assert (first["n_records"], first["n_embedded"]) == (3200, 0)
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Record)) == 3200
        assert db.scalar(select(func.count()).select_from(Label)) == 8
        assert db.scalar(select(func.count()).select_from(Consensus)) == 0
        fields = db.scalars(select(Record.fields).limit(1)).one()
    assert set(fields) == {"channel", "product", "sent_at"}


def test_version_is_the_installed_package() -> None:
    result = likewise("--version")

    assert result.exit_code == 0
    assert result.stdout == f"likewise {version('likewise')}\n"


def test_doctor_reports_the_state(database: str) -> None:
    checks = {check["name"]: check for check in told("doctor")}  # type: ignore[attr-defined]

    assert {name for name, check in checks.items() if check["is_ok"]} == {
        "python",
        "data folder",
        "disk",
        "sqlite",
        "database",
        "installation",
        "base model",
        "device",
        "runtime",
        "worker",
    }
    assert "offline" in checks["worker"]["sentence"]
    assert checks["runtime"]["sentence"] == "torch for new versions; versions: none yet"


def test_an_unreachable_database_is_one_sentence(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:  # Taken, and nobody listens.
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        url = f"postgresql://nobody@127.0.0.1:{port}/nothing"
        monkeypatch.setenv("LIKEWISE_DATABASE_URL", url)
        settings.cache_clear()

        runs, doctor = likewise("runs", "letters"), likewise("doctor")

    assert (runs.exit_code, doctor.exit_code) == (1, 1)
    assert runs.stderr.startswith("The database could not be used: ")
    assert len(runs.stderr.strip().splitlines()) == 1


def test_verify_names_a_damaged_file_and_a_wrong_consensus(project: Project) -> None:
    told("train", "letters")
    for _, step in loop.STEPS:
        step(1)
    sound = told("verify")
    with write_session() as db:
        damaged = db.scalars(select(Artifact.file).where(Artifact.kind == "index")).all()[-1]
        lone = db.scalars(select(Consensus.id).limit(1)).one()
        db.execute(update(Consensus).where(Consensus.id == lone).values(label_id=None))
    path = settings().data_dir / damaged
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    result = likewise("verify", "--json")

    assert isinstance(sound, dict)
    assert (sound["problems"], sound["n_records"], sound["n_labeled"]) == ([], 320, 32)
    assert result.exit_code == 1
    problems = json.loads(result.stdout)["problems"]
    assert len(problems) == 2
    assert problems[0] == f"{damaged} (index) is corrupt (checksum mismatch)."
    assert "letters" in problems[1]


@ON_SQLITE
def test_a_backup_is_restored_into_an_empty_folder_only(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("train", "letters")
    for _, step in loop.STEPS:
        step(1)
    before = tmp_path / "before.jsonl"
    told("export", "letters", str(before))
    archive = tmp_path / "backup.tar"
    told("backup", str(archive))

    refused = likewise("restore", str(archive))
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("LIKEWISE_DATA_DIR", str(elsewhere))
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", f"sqlite:///{elsewhere / 'likewise.sqlite3'}")
    settings.cache_clear()
    restored = told("restore", str(archive))
    after = tmp_path / "after.jsonl"
    told("export", "letters", str(after))

    assert refused.exit_code == 1
    assert "is not empty" in refused.stderr
    assert isinstance(restored, dict)
    assert restored["n_files"] == 5
    assert told("verify")["problems"] == []  # type: ignore[index]
    assert after.read_bytes() == before.read_bytes()


@ON_SQLITE
def test_a_backup_made_while_people_label_brings_back_all_that_was_answered_before_it(
    project: Project, ada: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("train", "letters")
    for _, step in loop.STEPS:
        step(1)
    answered: list[str] = []
    is_over = threading.Event()
    labeling = threading.Thread(target=_label_on, args=(project, ada, answered, is_over))
    labeling.start()
    _wait_for(lambda: len(answered) > 5)
    before: set[str] = set()
    copy_database = backup._copy_database

    def copy_and_wait(copy: Path) -> None:
        before.update(answered)
        copy_database(copy)
        _wait_for(lambda: len(answered) > len(before) or not labeling.is_alive())

    monkeypatch.setattr(backup, "_copy_database", copy_and_wait)
    archive = tmp_path / "backup.tar"
    told("backup", str(archive))
    n_during = len(answered) - len(before)
    is_over.set()
    labeling.join()
    at_the_end = _labels_of(tmp_path / "full.jsonl")

    # The data folder is lost, and another machine takes its place.
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("LIKEWISE_DATA_DIR", str(elsewhere))
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", f"sqlite:///{elsewhere / 'likewise.sqlite3'}")
    settings.cache_clear()
    told("restore", str(archive))
    restored = _labels_of(tmp_path / "restored.jsonl")

    assert n_during > 0
    assert {each for each, name in restored.items() if name} >= before | {
        f"r{i}" for i in range(32)
    }
    # Nothing that nobody said: what is there is what was said, up to some moment.
    assert all(at_the_end[each] == name for each, name in restored.items() if name)
    assert told("verify")["problems"] == []  # type: ignore[index]
    assert told("similar", "letters", "--record", "r0", "-k", "3")


def _label_on(project: Project, user: User, answered: list[str], is_over: threading.Event) -> None:
    """Label record after record until told, each noted once its save was answered."""
    for row in range(32, 320):
        if is_over.wait(0.05):
            return
        label(project, user, range(row, row + 1))
        answered.append(f"r{row}")


def _wait_for(is_so: Callable[[], bool]) -> None:
    for _ in range(30_000):
        if is_so():
            return
        time.sleep(0.02)
    raise AssertionError("it never came about")


def _labels_of(out: Path) -> dict[str, str | None]:
    """Label by external id, as exported."""
    told("export", "letters", str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return {row["id"]: row["label"] for row in rows}


@ON_SQLITE
def test_a_damaged_backup_is_refused_and_leaves_the_folder_empty(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, broken = tmp_path / "backup.tar", tmp_path / "broken.tar"
    told("backup", str(archive))
    with tarfile.open(archive) as tar:
        start = tar.getmember("likewise.sqlite3").offset_data
    content = bytearray(archive.read_bytes())
    content[start + 5000] ^= 1
    broken.write_bytes(content)
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("LIKEWISE_DATA_DIR", str(elsewhere))
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", f"sqlite:///{elsewhere / 'likewise.sqlite3'}")
    settings.cache_clear()

    damaged, no_backup = likewise("restore", str(broken)), likewise("restore", __file__)

    assert (damaged.exit_code, no_backup.exit_code) == (1, 1)
    assert "checksum mismatch in likewise.sqlite3" in damaged.stderr
    assert "is not a complete Likewise backup" in no_backup.stderr
    assert list(elsewhere.iterdir()) == []


def test_the_command_starts_quickly(database: str) -> None:
    code = "import app.cli, sys; print([m for m in ('torch', 'faiss', 'dbos', 'sqlalchemy') "
    code += "if m in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert loaded.stdout.strip() == "[]"


def test_train_waits_for_the_run_and_does_it_here(project: Project) -> None:
    done = subprocess.run(
        [*LIKEWISE, "train", "letters", "--wait", "--json"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )

    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert (run["status"], run["version"], run["n_examples"]) == ("succeeded", 2, 32)


def test_serve_prints_the_first_admins_link_and_ends_with_its_worker(database: str) -> None:
    server = subprocess.Popen(
        [*LIKEWISE, "serve", "--port", "0", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    ready = json.loads(server.stdout.readline())
    with urllib.request.urlopen(f"{ready['url']}/health") as answer:
        healthy = json.load(answer)
    with urllib.request.urlopen(ready["first_admin"]) as answer:
        welcome = answer.status
    worker_pid = _worker_of(server.pid)
    server.send_signal(signal.SIGKILL)  # The worker sees it by the end of its stdin.
    server.wait()
    server.stdout.close()

    assert healthy == {"status": "ok"}
    assert welcome == 200
    _wait_until_gone(worker_pid)


def _worker_of(pid: int) -> int:
    for _ in range(6000):
        if found := psutil.Process(pid).children():
            return int(found[0].pid)
        time.sleep(0.1)
    raise AssertionError("serve started no worker")


def _wait_until_gone(pid: int) -> None:
    for _ in range(6000):
        status = Path(f"/proc/{pid}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the worker outlived its server")
