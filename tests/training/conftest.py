"""A project whose records already have vectors: four clusters, drowned in noise as texts are."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.models import Embedding, Evaluation, Label, Project, Record, User
from app.projects.labels import add_label
from app.search.versions import get_or_create_raw_version
from tests.conftest import distinct_text, make_project
from tests.saved_state import build_project_once

N, DIMENSION, N_CLASSES = 320, 24, 4
NAMES = ("Delivery", "Payment", "Account", "Praise")


def clusters(noise: float, n: int = N) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors (n, 24) around four centres, and which centre each is of."""
    rng = np.random.default_rng(3)
    classes = np.arange(n) % N_CLASSES
    rows = np.eye(N_CLASSES, DIMENSION)[classes] + noise * rng.normal(size=(n, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), classes


def embedded_project(slug: str = "letters", noise: float = 0.3, *, n: int = N) -> Project:
    """A project of n records with vectors and four labels; nothing is labeled."""
    project = make_project(slug)
    vectors, _ = clusters(noise, n)
    with write_session() as db:
        raw = get_or_create_raw_version(db, project)
        db.execute(
            insert(Record),
            [
                {
                    "project_id": project.id,
                    "external_id": f"r{i}",
                    "text": distinct_text(i),
                    "content_hash": f"{i:064x}",
                    "fields": {},
                }
                for i in range(n)
            ],
        )
        ids = db.scalars(
            select(Record.id).where(Record.project_id == project.id).order_by(Record.id)
        )
        db.execute(
            insert(Embedding),
            [
                {
                    "version_id": raw.id,
                    "record_id": record_id,
                    "content_hash": f"{i:064x}",
                    "vector": vectors[i].tobytes(),
                }
                for i, record_id in enumerate(ids.all())
            ],
        )
        for name in NAMES:
            add_label(db, project.id, name, None)
    return project


def record_ids(project: Project) -> list[int]:
    with read_session() as db:
        ids = select(Record.id).where(Record.project_id == project.id).order_by(Record.id)
        return list(db.scalars(ids))


def evaluations_of(db: Session, run_id: int) -> Sequence[Evaluation]:
    """What the run measured, raw and tuned."""
    theirs = select(Evaluation).where(Evaluation.run_id == run_id)
    return db.scalars(theirs.order_by(Evaluation.id)).all()


def label_ids(project: Project) -> list[int]:
    with read_session() as db:
        ids = select(Label.id).where(Label.project_id == project.id).order_by(Label.position)
        return list(db.scalars(ids))


def label(
    project: Project, user: User, rows: range, *, classes: NDArray[np.int64] | None = None
) -> None:
    """Label the records at these places, one act each, with their own cluster or these classes."""
    ids, labels = record_ids(project), label_ids(project)
    for row in rows:
        number = row % N_CLASSES if classes is None else int(classes[row])
        say = AnnotationInput(ids[row], "label", (labels[number],))
        with write_session() as db:
            annotate(db, project, user.id, [say], key=f"label-{project.id}-{row}-{number}")


@pytest.fixture
def project(ada: User) -> Project:
    """32 of its 320 records are labeled, eight of each cluster."""
    return build_project_once("training", lambda: label(embedded_project(), ada, range(32)))
