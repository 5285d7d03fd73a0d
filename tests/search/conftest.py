"""Projects of short messages on a real, tiny encoder."""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from app.db.session import read_session, write_session
from app.ml.encoding.encoder import Encoder as Encodes
from app.ml.encoding.encoder import load_encoder
from app.ml.vectors import Vectors
from app.models import Consensus, Label, Project, Record, UserAction, Version
from app.search import model_cache as base_models
from app.search.embedding import embed_missing
from app.search.index_revisions import write_index
from app.search.versions import find_active_version
from app.settings import settings
from tests.conftest import make_project
from tests.tiny_encoder import save_tiny_encoder

THINGS = ("parcel", "refund", "password", "invoice", "lamp", "kettle", "order", "card")
STATES = ("is late", "was lost", "does not work", "is wrong", "never came")
TEXTS = [f"my {thing} {state}" for thing, state in itertools.product(THINGS, STATES)]


@dataclass
class CountingEncoder:
    """A real encoder that remembers what it was asked, and can be told to fail."""

    encoder: Encodes
    asked: list[list[str]] = field(default_factory=list)
    fails_at: int | None = None
    while_thinking: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        return self.encoder.name

    @property
    def dimension(self) -> int:
        return self.encoder.dimension

    @property
    def texts(self) -> list[str]:
        return [text for texts in self.asked for text in texts]

    def encode(self, texts: Sequence[str]) -> Vectors:
        if self.fails_at is not None and len(self.asked) >= self.fails_at:
            raise RuntimeError("the power went")
        self.asked.append(list(texts))
        if self.while_thinking is not None:
            self.while_thinking()
        return self.encoder.encode(texts)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)


@pytest.fixture(scope="session")
def loaded_tiny(tiny_model: Path) -> Encodes:
    return load_encoder(str(tiny_model), "cpu")


@pytest.fixture
def encoder(tiny_model: Path, loaded_tiny: Encodes) -> Iterator[CountingEncoder]:
    counting = CountingEncoder(loaded_tiny)
    base_models._loaded[str(tiny_model)] = base_models.SharedEncoder(counting)
    yield counting
    base_models._loaded.clear()


def add_records(project: Project, texts: Sequence[str]) -> list[int]:
    with write_session() as db:
        n = len(db.scalars(select(Record.id).where(Record.project_id == project.id)).all())
        rows = [
            Record(
                project_id=project.id,
                external_id=f"r{n + i}",
                text=text,
                content_hash=hash_of(text),
                fields={"thing": text.split()[1] if " " in text else ""},
            )
            for i, text in enumerate(texts)
        ]
        db.add_all(rows)
        db.flush()
        return [row.id for row in rows]


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def change_text(record_id: int, text: str) -> None:
    with write_session() as db:
        record = db.get_one(Record, record_id)
        record.text, record.content_hash = text, hash_of(text)


def delete_records(record_ids: Sequence[int]) -> None:
    with write_session() as db:
        db.execute(delete(Record).where(Record.id.in_(record_ids)))


def label_records(project: Project, name: str, record_ids: Sequence[int]) -> Label:
    """A label that these records carry by consensus."""
    with write_session() as db:
        label = Label(
            project_id=project.id, name=name, name_key=name.casefold(), colour=0, position=0
        )
        action = UserAction(project_id=project.id, kind="label", key=name)
        db.add_all([label, action])
        db.flush()
        db.add_all(
            Consensus(project_id=project.id, record_id=each, label_id=label.id, action_id=action.id)
            for each in record_ids
        )
    return label


def embed_all(project: Project) -> None:
    embed_missing(project.id, lambda n_done, n_total: None)


def active(project: Project) -> Version:
    with read_session() as db:
        encoder = find_active_version(db, project.id)
    assert encoder is not None
    return encoder


@pytest.fixture
def new_project(database: str, tiny_model: Path) -> Callable[[str], Project]:
    """A project on the tiny encoder, without records."""

    def make(slug: str) -> Project:
        project = make_project(slug)
        with write_session() as db:
            stored = db.get_one(Project, project.id)
            stored.base_model = str(tiny_model)
        return stored

    return make


@dataclass
class Library:
    project: Project
    records: list[int]
    data_dir: Path

    def id_of(self, text: str) -> int:
        return self.records[TEXTS.index(text)]


@pytest.fixture
def library(new_project: Callable[[str], Project], encoder: CountingEncoder) -> Library:
    """Forty messages, embedded and indexed on the tiny encoder."""
    project = new_project("letters")
    records = add_records(project, TEXTS)
    embed_all(project)
    write_index(active(project).id)
    return Library(project, records, settings().data_dir)
