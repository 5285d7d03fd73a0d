"""A project of four clusters whose maps are drawn, raw and tuned."""

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from app.artifacts import store
from app.database import reading, transaction
from app.maps.drawing import draw, draw_sketch, due_maps
from app.maps.stored import Map, find_map
from app.models import Embedding, Encoder, Project, Record, User
from app.search.embedding import raw_vectors
from app.search.encoders import activate, find_raw_encoder, publish
from app.search.indexes import index_vectors, version_files
from app.search.revisions import write_index
from app.similarity.head import EvidenceHead, save_head
from tests.conftest import client_of
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
    made = indexed_project()
    tuned(made)
    draw_all()
    label(made, ada, range(N_CLASSES))
    return made


@pytest.fixture
def client(project: Project, ada: User) -> TestClient:
    return client_of(ada)


def indexed_project(n: int = 40) -> Project:
    """Records with vectors and an index; no map yet."""
    project = embedded_project(n=n)
    write_index(raw(project).id)
    return project


def raw(project: Project) -> Encoder:
    with reading() as db:
        found = find_raw_encoder(db, project)
    assert found is not None
    return found


def tuned(project: Project) -> Encoder:
    """An active version that suggests each record its own cluster's label."""
    head = EvidenceHead(
        hidden_weight=np.eye(DIMENSION, N_CLASSES, dtype=np.float32),
        hidden_bias=np.zeros(N_CLASSES, np.float32),
        output_weight=np.eye(N_CLASSES, dtype=np.float32),
        output_bias=np.zeros(N_CLASSES, np.float32),
        centre=np.full(N_CLASSES, 1 / N_CLASSES, np.float32),
        classes=tuple(label_ids(project)),
    )
    with reading() as db:
        ids, vectors = raw_vectors(db, raw(project).id)
    written = version_files(*index_vectors(head, [(ids, vectors)], len(ids)))
    files = {kind: store(kind, write) for kind, write in written.items()}
    files["head"] = store("head", lambda path: save_head(head, path))
    with transaction() as db:
        encoder = publish(
            db, project, kind="head", raw_encoder=raw(project), files=files, n_records=len(ids)
        )
        activate(db, encoder, None, "Run 1")
    return encoder


def due() -> list[int]:
    with reading() as db:
        return due_maps(db)


def draw_all() -> None:
    """What the worker does, until nothing is due."""
    while encoder_ids := due():
        draw_sketch(encoder_ids[0])
        draw(encoder_ids[0])


def map_of(encoder: Encoder) -> Map:
    with reading() as db:
        return find_map(db, encoder.id)[1]


def arrive(project: Project, n: int) -> list[int]:
    """So many more records, with vectors like the others', in an index."""
    vectors, _ = clusters(0.3, n)
    with transaction() as db:
        before = set(db.scalars(select(Record.id).where(Record.project_id == project.id)))
        db.execute(
            insert(Record),
            [
                {"project_id": project.id, "external_id": f"late{len(before)}-{i}", "text": "late",
                 "content_hash": f"{len(before) + i:064x}", "fields": {}}
                for i in range(n)
            ],
        )  # fmt: skip
        ids = sorted(set(db.scalars(select(Record.id))) - before)
        db.execute(
            insert(Embedding),
            [
                {"encoder_id": raw(project).id, "record_id": each,
                 "content_hash": f"{len(before) + i:064x}", "vector": vectors[i].tobytes()}
                for i, each in enumerate(ids)
            ],
        )  # fmt: skip
    write_index(raw(project).id)
    return ids
