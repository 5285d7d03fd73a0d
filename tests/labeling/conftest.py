"""Records, labels and users to label with, made straight in the tables."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.ml.index import VectorIndex
from app.models import Label, Project, Record, User, UserAction, Version
from app.records.records import load_consensus
from app.search.suggestions import Suggestions, save_suggestions
from app.search.versions import publish
from app.storage import store_file
from tests.conftest import make_project, make_user


@dataclass
class Desk:
    """A project with records and labels, and two people at it."""

    project: Project
    records: list[int]
    labels: list[int]
    ada: User
    ben: User

    def label(
        self, user: User, *pairs: tuple[int, int | None], key: str, source: str = "single"
    ) -> UserAction:
        """One act: (record's position, label's position or None for none of these)."""
        says = [
            AnnotationInput(self.records[r], "none")
            if label is None
            else AnnotationInput(self.records[r], "label", (self.labels[label],))
            for r, label in pairs
        ]
        with write_session() as db:
            return annotate(db, self.project, user.id, says, key=key, source=source)

    def consensus(self, position: int) -> list[int | None] | None:
        """The labels' positions that the record's annotations agree on; None: unlabeled."""
        with read_session() as db:
            found = load_consensus(db, [self.records[position]]).get(self.records[position])
        if found is None:
            return None
        return [None if each is None else self.labels.index(each) for each in found]


def add_records(project: Project, texts: Sequence[str]) -> list[int]:
    with write_session() as db:
        rows = [
            Record(
                project_id=project.id,
                external_id=f"r{i}",
                text=text,
                content_hash=hashlib.sha256(text.encode()).hexdigest(),
            )
            for i, text in enumerate(texts)
        ]
        db.add_all(rows)
        db.flush()
        return [row.id for row in rows]


def teach(desk: Desk, position: int, n: int = 5) -> list[int]:
    """n more records that ben gave this label."""
    with write_session() as db:
        rows = [
            Record(
                project_id=desk.project.id,
                external_id=f"known{uuid.uuid4().hex}",
                text=f"known {position} {i}",
                content_hash=f"{position}{i}",
            )
            for i in range(n)
        ]
        db.add_all(rows)
        db.flush()
        ids = [row.id for row in rows]
        says = [AnnotationInput(each, "label", (desk.labels[position],)) for each in ids]
        annotate(db, desk.project, desk.ben.id, says, key=f"teach-{position}-{ids[0]}")
    return ids


def publish_suggestions(
    project: Project, ids: Sequence[int], labels: Sequence[int], chances: NDArray[np.float64]
) -> Version:
    """An active version that suggests these labels, (n, K), and holds no vector of the records, so
    that no label that is given changes what is suggested."""
    index = VectorIndex.build(np.array([10**9], np.int64), np.ones((1, 8), np.float32))
    found = Suggestions(np.array(ids, np.int64), tuple(labels), chances.astype(np.float16))
    files = {
        "index": store_file("index", index.save),
        "suggestions": store_file("suggestions", lambda path: save_suggestions(found, path)),
    }
    with write_session() as db:
        return publish(db, project, kind="raw", base_version=None, files=files, n_records=1)


def add_labels(project: Project, names: Sequence[str]) -> list[int]:
    with write_session() as db:
        rows = [
            Label(project_id=project.id, name=n, name_key=n.casefold(), colour=i, position=i)
            for i, n in enumerate(names)
        ]
        db.add_all(rows)
        db.flush()
        return [row.id for row in rows]


def make_desk(*, is_multi_label: bool = False, n_records: int = 12) -> Desk:
    project = make_project(is_multi_label=is_multi_label)
    texts = [f"message number {i}" for i in range(n_records)]
    return Desk(
        project,
        add_records(project, texts),
        add_labels(project, ["billing", "delivery", "returns"]),
        make_user("ada", "admin"),
        make_user("ben", "annotator"),
    )


@pytest.fixture
def desk(database: str) -> Desk:
    return make_desk()


@pytest.fixture
def multi_desk(database: str) -> Desk:
    return make_desk(is_multi_label=True)
