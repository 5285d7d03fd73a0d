"""Check stored data: files against their hashes, consensus against annotations."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import id_chunks, read_session
from app.labeling.annotations.consensus import recompute_consensus
from app.models import Annotation, Artifact, Consensus, Embedding, Import, Project, Record
from app.settings import settings
from app.storage import data_subdir, hash_file


@dataclass(frozen=True)
class Findings:
    """Counts of what was checked, problems, and unreferenced files (harmless)."""

    n_files: int
    n_records: int
    n_labeled: int
    n_unnamed_files: int
    problems: list[str]


def run_checks() -> Findings:
    """Run all checks without changing anything."""
    with read_session() as db:
        artifacts = db.scalars(select(Artifact).order_by(Artifact.id)).all()
        problems = [problem for artifact in artifacts if (problem := _check_artifact(artifact))]
        problems += _check_imports(db)
        problems += _check_vectors(db)
        n_labeled = 0
        for project in db.scalars(select(Project).order_by(Project.id)).all():
            n, wrong = _check_consensus(db, project)
            n_labeled += n
            problems += wrong
        n_records = db.scalar(select(func.count()).select_from(Record)) or 0
    named = {Path(artifact.file).parts[1] for artifact in artifacts}
    unnamed = [p for p in data_subdir("artifacts").iterdir() if p.name not in named]
    return Findings(len(artifacts), n_records, n_labeled, len(unnamed), problems)


def _check_artifact(artifact: Artifact) -> str | None:
    path = settings().data_dir / artifact.file
    if not path.is_file():
        return f"{artifact.file} ({artifact.kind}) is missing."
    if hash_file(path) != artifact.sha256:
        return f"{artifact.file} ({artifact.kind}) is corrupt (checksum mismatch)."
    return None


def _check_imports(db: Session) -> list[str]:
    accounted = Import.n_stored + Import.n_updated + Import.n_unchanged + Import.n_rejected
    wrong = db.execute(
        select(Import.id, Import.n_read, accounted.label("n_accounted")).where(
            Import.n_read != accounted
        )
    )
    return [
        f"Import {row.id} read {row.n_read} rows but accounts for {row.n_accounted}."
        for row in wrong
    ]


def _check_vectors(db: Session) -> list[str]:
    sizes = (
        select(
            Embedding.version_id, func.count(func.length(Embedding.vector).distinct()).label("n")
        )
        .group_by(Embedding.version_id)
        .having(func.count(func.length(Embedding.vector).distinct()) > 1)
    )
    return [
        f"Version {row.version_id} has vectors of {row.n} different lengths."
        for row in db.execute(sizes)
    ]


def _check_consensus(db: Session, project: Project) -> tuple[int, list[str]]:
    """Count labeled records and list those whose consensus does not match the annotations."""
    annotated = select(Annotation.record_id).where(Annotation.project_id == project.id)
    decided = select(Consensus.record_id).where(Consensus.project_id == project.id)
    ids = {*db.scalars(annotated.distinct()), *db.scalars(decided.distinct())}
    n_labeled, wrong = 0, []
    for part in id_chunks(ids):
        expected = {
            i: set(labels) for i, labels in recompute_consensus(db, project.id, part).items()
        }
        stored = _load_stored(db, part)
        n_labeled += len(stored)
        wrong += [
            f"Record {i} of project {project.slug}: the consensus does not match its annotations."
            for i in part
            if expected.get(i, set()) != stored.get(i, set())
        ]
    return n_labeled, wrong


def _load_stored(db: Session, record_ids: list[int]) -> dict[int, set[int | None]]:
    rows = db.execute(
        select(Consensus.record_id, Consensus.label_id).where(Consensus.record_id.in_(record_ids))
    )
    stored: dict[int, set[int | None]] = {}
    for record_id, label_id in rows:
        stored.setdefault(record_id, set()).add(label_id)
    return stored
