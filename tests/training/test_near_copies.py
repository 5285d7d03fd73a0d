"""Copies of one text, labeled at random: nothing can be learned, and no figure says otherwise."""

import numpy as np
import pytest
from sqlalchemy import select, update

from app.db.session import read_session, write_session
from app.ml.recipe import Recipe
from app.models import Embedding, Project, Record, TrainingRun, User
from app.search.versions import find_raw_version
from app.training.pipeline import steps as loop
from app.training.pipeline.holdout import load_holdout_records
from app.training.pipeline.snapshot import freeze
from app.training.runs import runs
from tests.conftest import distinct_text
from tests.training.conftest import embedded_project, evaluations_of, label, record_ids

N_TEXTS, N_COPIES, DIMENSION = 60, 4, 24
COPIES = ("{}", "{} ", "{}, 4!", "** {} ** 17")


def rewrite(project: Project, texts: list[str]) -> None:
    """Give the first records these texts, and vectors that only the texts' letters decide."""
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(N_TEXTS, DIMENSION)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with write_session() as db:
        for number, (record_id, text) in enumerate(zip(record_ids(project), texts, strict=False)):
            db.execute(update(Record).where(Record.id == record_id).values(text=text))
            vector = vectors[number // N_COPIES % N_TEXTS].tobytes()
            db.execute(
                update(Embedding).where(Embedding.record_id == record_id).values(vector=vector)
            )


def copies(number: int) -> list[str]:
    return [copy.format(distinct_text(number)) for copy in COPIES]


@pytest.fixture
def project(ada: User) -> Project:
    made = embedded_project(n=N_TEXTS * N_COPIES)
    rewrite(made, [text for number in range(N_TEXTS) for text in copies(number)])
    return made


def test_random_labels_on_near_copies_are_right_about_as_often_as_chance(
    project: Project, ada: User
) -> None:
    """Each text's copies carry one label, drawn at random: with a copy in sight, all is right."""
    drawn = np.random.default_rng(7).integers(0, 2, N_TEXTS)
    label(project, ada, range(N_TEXTS * N_COPIES), classes=np.repeat(drawn, N_COPIES))
    with write_session() as db:
        run_id = runs.request_run(db, project, Recipe()).id

    for _, step in loop.STEPS:
        step(run_id)

    with read_session() as db:
        accuracy = {
            each.role: (each.value, each.n)
            for each in evaluations_of(db, run_id)
            if each.metric == "accuracy" and each.role in ("raw", "tuned")
        }
    assert set(accuracy) == {"raw", "tuned"}
    for value, n in accuracy.values():
        assert n == N_TEXTS * N_COPIES
        assert 0.3 < value < 0.7


def test_copies_are_one_group_and_other_texts_are_groups_of_their_own(
    project: Project, ada: User
) -> None:
    label(project, ada, range(12))

    with read_session() as db:
        raw = find_raw_version(db, project)
        assert raw is not None
        groups = freeze(db, project, raw).groups

    assert [len(set(groups[start : start + 4])) for start in (0, 4, 8)] == [1, 1, 1]
    assert len(set(groups)) == 3


def test_a_held_out_record_with_a_trained_copy_is_not_measured(project: Project, ada: User) -> None:
    """Record 0 and a stranger are in the random sample; a copy of record 0 was learned from."""
    ids = record_ids(project)
    with write_session() as db:
        db.execute(update(Project).values(holdout_until=f"{0:064x}"))
        db.execute(update(Record).where(Record.id == ids[40]).values(content_hash=f"{0:064x}"))
    label(project, ada, range(0, 60, 3))
    with write_session() as db:
        run = TrainingRun(
            project_id=project.id,
            number=1,
            recipe={},
            status="succeeded",
            stage="activate",
            last_action_id=10**6,
            holdout_until=f"{0:064x}",
        )
        db.add(run)
    label(project, ada, range(40, 41))

    with read_session() as db:
        before = load_holdout_records(db, project, [])
        after = load_holdout_records(db, project, [db.scalars(select(TrainingRun)).one()])

    assert before.record_ids.tolist() == [ids[0], ids[40]]
    # Record 3 is a copy of record 0; no copy of record 40 had been judged but record 42.
    assert after.record_ids.tolist() == []
