"""What cannot be deleted is not, and what is deleted leaves nothing but its figures."""

import pytest

from app.db.session import read_session, write_session
from app.errors import Conflict
from app.models import (
    Activation,
    Artifact,
    Embedding,
    Evaluation,
    LabelingSession,
    Project,
    User,
    Version,
    utc_now,
)
from app.search import deep_versions
from app.search.versions import can_roll_back, roll_back
from app.settings import settings
from app.training.runs import runs
from app.versions.retention import (
    delete_surplus_versions,
    delete_version,
    describe,
    set_retention_limit,
)
from tests.conftest import client_of, make_user
from tests.versions.conftest import train


def number(n: int) -> Version:
    with read_session() as db:
        return db.query(Version).filter_by(number=n).one()


def test_deleting_takes_the_files_and_leaves_the_rest(project: Project, ada: User) -> None:
    session = (
        client_of(ada)
        .post("/api/v1/projects/letters/sessions", json={"seed_kind": "random"})
        .json()
    )
    train(project)
    with read_session() as db:
        files = [each.file for each in db.query(Artifact).filter_by(version_id=number(2).id)]
    browser = client_of(ada)

    assert browser.post("/projects/letters/versions/2/delete").status_code == 303

    assert files
    assert [file for file in files if (settings().data_dir / file).exists()] == []
    listed = browser.get("/api/v1/projects/letters/versions/lineage").json()
    assert [each["number"] for each in listed] == [1, 3]
    with read_session() as db:
        assert db.get_one(LabelingSession, session["id"]).version_id == number(2).id
        assert db.query(Evaluation).filter_by(version_id=number(2).id).count() > 0
    assert browser.get(session["url"]).status_code == 200
    gone = browser.post("/api/v1/projects/letters/versions/2/activate")
    assert (gone.status_code, gone.json()["title"]) == (
        409,
        "Version 2 was deleted. Only the metrics of its run are left.",
    )


def test_rolling_back_goes_past_what_was_deleted(project: Project, ada: User) -> None:
    train(project)
    delete_version(project, 2, by=ada)

    with write_session() as db:
        assert roll_back(db, project, ada).number == 1
        assert not can_roll_back(db, project.id)


@pytest.mark.parametrize(
    ("which", "why"),
    [(1, "based on the raw version"), (3, "It is the active version"), (2, "It is pinned")],
)
def test_what_is_needed_cannot_be_deleted(project: Project, which: int, why: str) -> None:
    train(project)
    with write_session() as db:
        describe(db, project, 2, "", is_pinned=True)

    with pytest.raises(Conflict, match=why):
        delete_version(project, which, by=None)


def test_nothing_is_deleted_under_a_run(project: Project) -> None:
    train(project)
    with write_session() as db:
        runs.request_run(db, project)

    with pytest.raises(Conflict, match="A training run may be using it"):
        delete_version(project, 2, by=None)


def test_the_rule_takes_the_oldest_and_spares_the_way_back(project: Project) -> None:
    for _ in range(3):
        train(project)
    with write_session() as db:
        set_retention_limit(db, project.id, 2)

    n_gone = delete_surplus_versions()

    with read_session() as db:
        left = [each.number for each in db.query(Version).filter_by(deleted_at=None)]
        last = db.query(Activation).order_by(Activation.id.desc()).first()
    assert (n_gone, left) == (2, [1, 4, 5])
    assert last is not None
    assert last.version_id == number(5).id
    assert delete_surplus_versions() == 0


def test_a_killed_deletion_is_finished_by_the_next_tidying(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deep_versions, "ROWS_PER_DELETE", 32)
    with write_session() as db:
        db.add(
            Version(
                project_id=project.id,
                number=9,
                kind="deep",
                base_model="tiny",
                deleted_at=utc_now(),
            )
        )
    gone, raw = number(9).id, number(1).id
    with write_session() as db:
        for each in db.query(Embedding).filter_by(version_id=raw).limit(70).all():
            db.add(
                Embedding(
                    version_id=gone,
                    record_id=each.record_id,
                    content_hash=each.content_hash,
                    vector=each.vector,
                )
            )

    assert delete_surplus_versions() == 0

    with read_session() as db:
        assert db.query(Embedding).filter_by(version_id=gone).count() == 0
        assert db.query(Embedding).filter_by(version_id=raw).count() == 80


def test_an_admin_sets_how_many_versions_are_kept(project: Project, ada: User) -> None:
    url, admin = "/projects/letters/versions", client_of(ada)

    kept = admin.post(f"{url}/retention", data={"n": "3"}, follow_redirects=False)
    too_few = admin.post(f"{url}/retention", data={"n": "1"})
    annotator = client_of(make_user("ben", "annotator")).post(f"{url}/retention", data={"n": "5"})

    assert [each.status_code for each in (kept, too_few, annotator)] == [303, 422, 403]
    assert 'name="n" min="2" max="1000" value="3"' in admin.get(url).text
