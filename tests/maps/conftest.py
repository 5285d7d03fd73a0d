"""A project of four clusters whose maps are drawn, raw and tuned."""

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from app.db.session import read_session, write_session
from app.maps.drawing import draw_map, draw_sketch, list_due_maps
from app.maps.map_files import Map, find_map
from app.ml.heads.head import EvidenceHead
from app.ml.heads.storage import save_head
from app.models import Embedding, Project, Record, User, Version
from app.search.embedding import load_all_vectors
from app.search.index_revisions import write_index
from app.search.indexes import build_version_files, index_vectors
from app.search.versions import activate, find_raw_version, publish
from app.storage import store_file
from tests.conftest import client_of
from tests.saved_state import build_project_once
from tests.training.conftest import (
    DIMENSION,
    N_CLASSES,
    clusters,
    embedded_project,
    label,
    label_ids,
)


@pytest.fixture
def project(ada: User) -> Project:
    """Forty records on a raw and a tuned map; the first four are labeled."""
    return build_project_once("maps", lambda: _build_project(ada))


def _build_project(user: User) -> None:
    made = indexed_project()
    tuned(made)
    draw_all()
    label(made, user, range(N_CLASSES))


@pytest.fixture
def client(project: Project, ada: User) -> TestClient:
    return client_of(ada)


def indexed_project(n: int = 40) -> Project:
    """Records with vectors and an index; no map yet."""
    project = embedded_project(n=n)
    write_index(raw(project).id)
    return project


def raw(project: Project) -> Version:
    with read_session() as db:
        found = find_raw_version(db, project)
    assert found is not None
    return found


def tuned(project: Project) -> Version:
    """An active version that suggests each record its own cluster's label."""
    head = EvidenceHead(
        hidden_weight=np.eye(DIMENSION, N_CLASSES, dtype=np.float32),
        hidden_bias=np.zeros(N_CLASSES, np.float32),
        output_weight=np.eye(N_CLASSES, dtype=np.float32),
        output_bias=np.zeros(N_CLASSES, np.float32),
        centre=np.full(N_CLASSES, 1 / N_CLASSES, np.float32),
        classes=tuple(label_ids(project)),
    )
    with read_session() as db:
        ids, vectors = load_all_vectors(db, raw(project).id)
    written = build_version_files(*index_vectors(head, [(ids, vectors)], len(ids)))
    files = {kind: store_file(kind, write) for kind, write in written.items()}
    files["head"] = store_file("head", lambda path: save_head(head, path))
    with write_session() as db:
        encoder = publish(
            db, project, kind="head", base_version=raw(project), files=files, n_records=len(ids)
        )
        activate(db, encoder, None, "Run 1")
    return encoder


def due() -> list[int]:
    with read_session() as db:
        return list_due_maps(db)


def draw_all() -> None:
    """What the worker does, until nothing is due."""
    while version_ids := due():
        draw_sketch(version_ids[0])
        draw_map(version_ids[0])


def map_of(encoder: Version) -> Map:
    with read_session() as db:
        return find_map(db, encoder.id)[1]


def arrive(project: Project, n: int) -> list[int]:
    """So many more records, with vectors like the others', in an index."""
    vectors, _ = clusters(0.3, n)
    with write_session() as db:
        before = set(db.scalars(select(Record.id).where(Record.project_id == project.id)))
        db.execute(
            insert(Record),
            [
                {
                    "project_id": project.id,
                    "external_id": f"late{len(before)}-{i}",
                    "text": "late",
                    "content_hash": f"{len(before) + i:064x}",
                    "fields": {},
                }
                for i in range(n)
            ],
        )
        ids = sorted(set(db.scalars(select(Record.id))) - before)
        db.execute(
            insert(Embedding),
            [
                {
                    "version_id": raw(project).id,
                    "record_id": each,
                    "content_hash": f"{len(before) + i:064x}",
                    "vector": vectors[i].tobytes(),
                }
                for i, each in enumerate(ids)
            ],
        )
    write_index(raw(project).id)
    return ids
