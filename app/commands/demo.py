"""The sample project: created, imported, its label set filled, and with time embedded."""

import csv
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.commands.serve import ensure_schema
from app.db.session import read_session, write_session
from app.exchange.imports import imports as importing
from app.exchange.imports.mapping import Mapping
from app.jobs.workers import find_workers
from app.models import Import, Project, Record
from app.projects.labels import add_label
from app.projects.projects import create_project
from app.projects.sample import sample_messages
from app.search.embedding import count_missing
from app.search.index_revisions import needs_index
from app.search.versions import get_or_create_raw_version

NAME = "Sample: customer messages"
COLUMNS = ("external_id", "text", "channel", "product", "sent_at")
MAPPING = Mapping(text_columns=["text"], id_column="external_id")


@dataclass(frozen=True)
class Sample:
    """The current state of the sample project."""

    slug: str
    n_records: int
    n_embedded: int


def load_sample(*, is_waiting: bool) -> Sample:
    """Create what is missing of the sample project; existing parts are kept.

    is_waiting  embed and index it in this process; else a worker does that
    """
    ensure_schema()
    with read_session() as db:
        project = db.scalar(select(Project).where(Project.is_sample).order_by(Project.id).limit(1))
    project = project or _create()
    if _needs_import(project):
        _import(project)
    if is_waiting and not _is_complete(project):
        # Loaded here: the job engine is of no use to a start that finds everything in place.
        from app.worker import work_until

        work_until(lambda: _is_complete(project))
    with read_session() as db:
        n_records = _count_records(db, project)
        return Sample(project.slug, n_records, n_records - count_missing(db, project))


def _create() -> Project:
    intents = sorted({message.intent for message in sample_messages()})
    with write_session() as db:
        project = create_project(db, NAME, is_sample=True)
        for intent in intents:
            add_label(db, project.id, intent, None)
    return project


def _import(project: Project) -> None:
    """Without the intents: telling them is what the newcomer tries out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customer-messages.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(asdict(message) for message in sample_messages())
        with write_session() as db:
            import_row = importing.receive_import(db, project, None, path.name, path)
            importing.queue_import(db, import_row, MAPPING)
    if not find_workers().is_ready:
        importing.run_import(import_row.id)


def _needs_import(project: Project) -> bool:
    unfinished = select(func.count()).where(
        Import.project_id == project.id, Import.status.in_(importing.UNFINISHED)
    )
    with read_session() as db:
        return not _count_records(db, project) and not db.scalar(unfinished)


def _is_complete(project: Project) -> bool:
    with read_session() as db:
        if not _count_records(db, project) or count_missing(db, project):
            return False
        return not needs_index(db, get_or_create_raw_version(db, project))


def _count_records(db: Session, project: Project) -> int:
    of_project = select(func.count()).select_from(Record).where(Record.project_id == project.id)
    return db.scalar(of_project) or 0
