"""A project with a real, tiny encoder: its raw version, and one that a head run made of it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.db.session import write_session
from app.ml.recipe import Recipe
from app.models import Project, Record, User
from app.projects.labels import add_label
from app.search import index_maintenance as upkeep
from app.search import model_cache as base_models
from app.search.embedding import embed_missing
from app.settings import settings
from app.training.pipeline import steps as loop
from app.training.runs import runs
from tests.conftest import make_project
from tests.saved_state import build_project_once
from tests.tiny_encoder import save_tiny_encoder
from tests.training.conftest import NAMES, label

KINDS = (
    "parcel courier van doorstep",
    "invoice refund card charged",
    "password login locked reset",
    "thanks great lovely superb",
)
N = 80


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("tiny"), [*KINDS, "my your the please"])


@pytest.fixture
def project(ada: User, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """80 records of four kinds, half of them labeled; version 1 is raw, 2 a head, active."""
    monkeypatch.setenv("LIKEWISE_DEVICE", "cpu")
    monkeypatch.setenv("LIKEWISE_BASE_MODEL", str(tiny_model))
    settings.cache_clear()
    yield build_project_once("versions", lambda: _build_project(ada))
    base_models._loaded.clear()


def _build_project(user: User) -> None:
    made = make_project()
    _add_records(made)
    with write_session() as db:
        for name in NAMES:
            add_label(db, made.id, name, None)
    embed_missing(made.id, lambda done, total: None)
    upkeep.index_if_due(made.id)
    label(made, user, range(N // 2))
    train(made)


def train(project: Project) -> None:
    """A head run from its request to its activation."""
    with write_session() as db:
        run_id = runs.request_run(db, project, Recipe(), is_forced=True).id
    for _, step in loop.STEPS:
        step(run_id)


def _add_records(project: Project) -> None:
    rng = np.random.default_rng(0)
    texts = [
        " ".join(
            [*rng.choice(KINDS[i % 4].split(), 3), rng.choice(["my", "your", "the", "please"])]
        )
        for i in range(N)
    ]
    with write_session() as db:
        db.add_all(
            Record(
                project_id=project.id,
                external_id=f"r{i}",
                text=text,
                fields={},
                content_hash=hashlib.sha256(f"{i} {text}".encode()).hexdigest(),
            )
            for i, text in enumerate(texts)
        )
