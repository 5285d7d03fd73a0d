"""The overview through its pages and its API, with values that were put there by hand."""

import re
import struct
from hashlib import sha256

import pytest
from fastapi.testclient import TestClient

from app.db.session import write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.models import (
    Activation,
    Embedding,
    Evaluation,
    Import,
    LabelingSession,
    Project,
    Record,
    TrainingRun,
    User,
    Version,
)
from app.projects.labels import add_label
from app.search.index_revisions import write_index
from tests.conftest import client_of, make_project

STEP = re.compile(
    r'<li class="([\w-]*)">\s*<div class="what">\s*<strong>(.*?)</strong><small>(.*?)<'
)


def steps(client: TestClient, slug: str = "letters") -> list[tuple[str, str, str]]:
    found = STEP.findall(client.get(f"/projects/{slug}").text)
    return [(state, title, words) for state, title, words in found]


def states(client: TestClient) -> list[str]:
    return [state for state, _, _ in steps(client)]


def add_records(project: Project, n: int) -> list[int]:
    with write_session() as db:
        records = [
            Record(
                project_id=project.id,
                external_id=str(i),
                text=f"text {i}",
                content_hash=sha256(str(i).encode()).hexdigest(),
            )
            for i in range(n)
        ]
        db.add_all(records)
    return [record.id for record in records]


def embed(project: Project, record_ids: list[int], *, is_indexed: bool = True) -> Version:
    with write_session() as db:
        raw = Version(project_id=project.id, number=1, kind="raw", base_model=project.base_model)
        db.add(raw)
        db.flush()
        db.add(Activation(project_id=project.id, version_id=raw.id))
        for record_id in record_ids:
            record = db.get_one(Record, record_id)
            db.add(
                Embedding(
                    version_id=raw.id,
                    record_id=record_id,
                    content_hash=record.content_hash,
                    vector=struct.pack("<2f", 1, 0),
                )
            )
    if is_indexed and record_ids:
        write_index(raw.id)
    return raw


def start(project: Project, encoder: Version, kind: str) -> LabelingSession:
    with write_session() as db:
        session = LabelingSession(
            project_id=project.id,
            version_id=encoder.id,
            seed_kind=kind,
            title=f"A {kind} session",
            n_records=2,
        )
        db.add(session)
    return session


def label(project: Project, user: User, record_ids: list[int], *names: str) -> None:
    with write_session() as db:
        labels = [add_label(db, project.id, name, user) for name in names]
        says = [
            AnnotationInput(record_id, "label", (labels[i % len(labels)].id,))
            for i, record_id in enumerate(record_ids)
        ]
        annotate(db, project, user.id, says, key="all at once", source="page")


def tune(project: Project, raw: Version) -> Version:
    with write_session() as db:
        head = Version(
            project_id=project.id,
            number=2,
            kind="head",
            base_model=project.base_model,
            base_version_id=raw.id,
        )
        db.add(head)
        db.flush()
        db.add(Activation(project_id=project.id, version_id=head.id))
        run = TrainingRun(
            project_id=project.id,
            number=1,
            status="succeeded",
            stage="activate",
            version_id=head.id,
        )
        db.add(run)
        db.flush()
        for encoder, role, value in ((raw, "raw", 0.517), (head, "tuned", 0.658)):
            db.add(
                Evaluation(
                    run_id=run.id,
                    version_id=encoder.id,
                    role=role,
                    metric="capped_top_k",
                    k=10,
                    n=240,
                    value=value,
                    low=value - 0.02,
                    high=value + 0.03,
                )
            )
    return head


@pytest.fixture
def client(ada: User) -> TestClient:
    return client_of(ada)


@pytest.fixture
def project(ada: User) -> Project:
    project = make_project()
    with write_session() as db:
        db.get_one(Project, project.id).min_labels = 4
    project.min_labels = 4
    return project


def test_an_empty_project_asks_for_a_file(client: TestClient, project: Project) -> None:
    page = client.get("/projects/letters").text

    assert states(client) == ["is-next", "", "", "", "", ""]
    assert 'href="/projects/letters/imports">Import a file<' in page
    assert "/status" not in page


def test_an_import_on_its_way_is_watched(client: TestClient, project: Project) -> None:
    with write_session() as db:
        db.add(
            Import(
                project_id=project.id,
                file_name="mail.csv",
                file="imports/1",
                format="csv",
                status="running",
                n_rows=4000,
                n_read=1500,
            )
        )

    page = client.get("/projects/letters").text

    assert "1,500 rows of mail.csv read" in page
    assert '<progress value="0.375" max="1"' in page
    assert 'hx-get="/projects/letters/status"' in page


def test_embedding_is_watched_until_every_record_has_its_vector(
    client: TestClient, project: Project
) -> None:
    ids = add_records(project, 4)
    embed(project, ids[:3])

    fragment = client.get("/projects/letters/status", headers={"HX-Request": "true"}).text

    assert states(client)[:2] == ["is-done", "is-next"]
    assert "3 of 4 embedded" in fragment
    assert fragment.strip().startswith('<div id="standing"')
    assert 'hx-trigger="load delay:' in fragment


def test_the_first_session_is_one_click_away(client: TestClient, project: Project) -> None:
    embed(project, add_records(project, 4))

    page = client.get("/projects/letters").text

    assert states(client) == ["is-done", "is-done", "is-next", "", "", ""]
    form = re.search(r'<form method="post" action="/projects/letters/sessions">(.*?)</form>', page)
    assert form is not None
    assert '<input type="hidden" name="seed_kind" value="cold_start">' in form[1]
    assert "/status" not in page


def test_no_session_is_offered_before_the_index_is_there(
    client: TestClient, project: Project
) -> None:
    embed(project, add_records(project, 4), is_indexed=False)

    page = client.get("/projects/letters").text

    assert states(client)[:3] == ["is-done", "is-next", ""]
    assert "All records embedded; building the index" in page
    assert "Start labeling" not in page


def test_labels_are_counted_until_a_run_starts(
    client: TestClient, project: Project, ada: User
) -> None:
    ids = add_records(project, 6)
    session = start(project, embed(project, ids), "cold_start")
    label(project, ada, ids[:3], "refund", "delivery")

    page = client.get("/projects/letters").text

    assert states(client)[3] == "is-next"
    assert "3 of 4; one keystroke per record" in page
    assert f'href="/projects/letters/sessions/{session.id}">Continue labeling<' in page


def test_a_run_is_watched(client: TestClient, project: Project, ada: User) -> None:
    ids = add_records(project, 6)
    start(project, embed(project, ids), "cold_start")
    label(project, ada, ids[:4], "refund", "delivery")
    assert states(client) == ["is-done"] * 4 + ["is-next", ""]

    with write_session() as db:
        db.add(
            TrainingRun(
                project_id=project.id, number=1, status="running", stage="tune", progress=0.4
            )
        )

    assert steps(client)[4][2] == "Run 1 is running: tune"
    assert 'hx-get="/projects/letters/status"' in client.get("/projects/letters").text


def test_after_a_run_a_purer_session_is_one_click_away_and_then_all_is_ticked(
    client: TestClient, project: Project, ada: User
) -> None:
    ids = add_records(project, 6)
    raw = embed(project, ids)
    start(project, raw, "cold_start")
    label(project, ada, ids[:4], "refund", "delivery")
    head = tune(project, raw)

    page = client.get("/projects/letters").text
    assert states(client) == ["is-done"] * 5 + ["is-next"]
    assert '<input type="hidden" name="seed_kind" value="record">' in page
    seed = re.search(r'name="record_ids" value="(\d+)"', page)
    assert seed is not None
    assert int(seed[1]) in ids[:4]

    start(project, head, "record")
    page = client.get("/projects/letters").text
    assert states(client) == []
    assert "What to label next" in page
    assert "Next best session" in page
    assert "/status" not in page


def test_a_later_run_is_watched_too(client: TestClient, project: Project) -> None:
    head = tune(project, embed(project, add_records(project, 2)))
    start(project, head, "record")

    with write_session() as db:
        db.add(TrainingRun(project_id=project.id, number=2, status="running", stage="reindex"))

    page = client.get("/projects/letters").text
    assert 'href="/projects/letters/training/runs/2">Run 2</a>' in page
    assert 'hx-get="/projects/letters/status"' in page


def test_raw_and_tuned_stand_side_by_side_with_k_n_and_interval(
    client: TestClient, project: Project
) -> None:
    tune(project, embed(project, add_records(project, 2)))

    page = client.get("/projects/letters").text
    scores = client.get("/api/v1/projects/letters").json()["scores"]

    assert "51.7 %" in page
    assert "63.8 % – 68.8 % · k = 10 · n = 240" in page
    assert [(s["role"], s["value"], s["k"], s["n"]) for s in scores] == [
        ("raw", 0.517, 10, 240),
        ("tuned", 0.658, 10, 240),
    ]


def test_metrics_equal_the_database(client: TestClient, project: Project, ada: User) -> None:
    ids = add_records(project, 6)
    embed(project, ids[:5])
    label(project, ada, ids[:3], "refund", "delivery")

    standing = client.get("/api/v1/projects/letters").json()
    listed = client.get("/api/v1/projects").json()[0]

    assert (standing["n_records"], standing["n_embedded"], standing["n_labeled"]) == (6, 5, 3)
    assert standing["labels"] == {"refund": 2, "delivery": 1}
    assert standing["version"] == 1
    assert (listed["n_records"], listed["n_labeled"], listed["version"]) == (6, 3, 1)
    assert "<strong>6</strong>" in client.get("/").text


def test_a_missing_worker_is_shown(client: TestClient, project: Project) -> None:
    assert "No worker has run yet" in client.get("/projects/letters").text


def test_a_new_project_is_made_by_admins_from_the_page_and_the_api(client: TestClient) -> None:
    made = client.post("/projects", data={"name": "Bank mail", "is_multi_label": "true"})
    assert made.headers["location"] == "/projects/bank-mail"
    body = {"name": "Bank mail", "base_model": "some/model"}
    answer = client.post("/api/v1/projects", json=body)

    assert answer.status_code == 201
    assert answer.json()["slug"] == "bank-mail-2"
    assert client.get("/api/v1/projects/bank-mail").json()["is_multi_label"] is True
    assert client.get("/api/v1/projects/bank-mail-2").json()["base_model"] == "some/model"
    refused = client.post("/projects", data={"name": "   "})
    assert refused.status_code == 422
    assert "1 to 120 characters" in refused.text


def test_annotators_see_projects_and_make_none(annotator: TestClient) -> None:
    make_project()

    assert "Letters" in annotator.get("/").text
    assert "New project" not in annotator.get("/").text
    assert annotator.post("/projects", data={"name": "x"}).status_code == 403
    assert annotator.post("/api/v1/projects", json={"name": "x"}).status_code == 403
