"""/metrics counts requests, labels, searches and waiting work, for those who hold a token."""

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.accounts.tokens import create_token
from app.db.session import read_session, write_session
from app.main import create_app
from app.models import Import, TrainingRun, User
from app.search.index_revisions import write_index
from app.search.versions import find_raw_version
from app.settings import settings
from tests.conftest import client_of, make_project, make_user
from tests.training.conftest import embedded_project, record_ids

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def token(ada: User) -> str:
    with write_session() as db:
        return create_token(db, ada, "prometheus")


def scrape(token: str) -> Samples:
    answer = TestClient(create_app()).get("/metrics", headers=bearer(token))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def test_it_is_shut_to_all_but_admins_and_the_setting(
    token: str, admin_only: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TestClient(create_app())
    monkeypatch.setattr(settings(), "metrics_token", "let me in")

    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer("wrong")).status_code == 401
    assert client.get("/metrics", headers=bearer("")).status_code == 401
    assert client.get("/metrics", headers=bearer(admin_only)).status_code == 404
    assert client.get("/metrics", headers=bearer("let me in")).status_code == 200
    assert client.get("/metrics", headers=bearer(token)).status_code == 200


@pytest.fixture
def admin_only(database: str) -> str:
    """The API token of somebody who is no admin."""
    with write_session() as db:
        return create_token(db, make_user("ben", "annotator"), "script")


def test_an_unset_token_opens_nothing(nobody: TestClient) -> None:
    assert nobody.get("/metrics", headers=bearer("")).status_code == 401
    assert nobody.get("/metrics", headers={"Authorization": "Bearer"}).status_code == 401


def test_requests_count_by_their_template(token: str, ada: User) -> None:
    make_project("letters")
    make_project("mails")
    browser = client_of(ada)
    before = scrape(token)

    for path in ("/projects/letters", "/projects/mails", "/projects/none", "/nowhere/1", "/no/2"):
        browser.get(path)
    after = scrape(token)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    project = {"method": "GET", "route": "/projects/{slug}"}
    assert grown("likewise_http_requests_total", **project, status="200") == 2
    assert grown("likewise_http_requests_total", **project, status="404") == 1
    unknown = {"method": "GET", "route": "none", "status": "404"}
    assert grown("likewise_http_requests_total", **unknown) == 2
    assert grown("likewise_http_request_duration_seconds_count", **project) == 3
    assert not any("letters" in str(key) or "nowhere" in str(key) for key in after)


def test_work_that_waits_and_what_was_saved_are_counted(token: str, ada: User) -> None:
    project = embedded_project("letters", n=40)
    with read_session() as db:
        raw = find_raw_version(db, project)
    assert raw is not None
    write_index(raw.id)
    before = scrape(token)
    program = TestClient(create_app(), headers=bearer(token))
    says = [{"record_id": record_ids(project)[0], "verdict": "none"}]
    path = "/api/v1/projects/letters"

    assert program.post(f"{path}/annotations", json={"key": "a", "votes": says}).status_code == 200
    found = program.get(f"{path}/similar", params={"record": record_ids(project)[0]})
    assert found.status_code == 200
    with write_session() as db:
        db.add(TrainingRun(project_id=project.id, number=1))
        queued = {"project_id": project.id, "file": "f", "format": "csv", "status": "queued"}
        db.add(Import(file_name="a.csv", **queued))
        db.add(Import(file_name="b.csv", **queued))
    after = scrape(token)

    searches = "likewise_searches_total"
    assert value(after, searches, seed="record") == value(before, searches, seed="record") + 1
    assert value(after, "likewise_label_saves_total", kind="single") == 1
    assert value(after, "likewise_queue_length", kind="import") == 2
    assert value(after, "likewise_queue_length", kind="run") == 1
    assert value(after, "likewise_queue_length", kind="delivery") == 0
    assert value(after, "likewise_runs", status="queued") == 1
    assert value(after, "likewise_runs", status="failed") == 0
    assert value(after, "likewise_workers_ready", queue="train") == 0
    assert value(after, "likewise_embeddings_missing") == 0
    assert value(after, "likewise_database_up") == 1
    assert value(after, "process_resident_memory_bytes") > 0
    assert any(name == "likewise_build_info" for name, _ in after)


def test_without_a_database_the_process_is_still_measured(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "metrics_token", "let me in")
    monkeypatch.setattr(settings(), "database_url", "postgresql://nobody@127.0.0.1:1/none")

    samples = scrape("let me in")

    assert value(samples, "likewise_database_up") == 0
    assert value(samples, "process_resident_memory_bytes") > 0
    assert not any(name == "likewise_runs" for name, _ in samples)
