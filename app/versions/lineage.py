"""Versions with their base version, training data and disk space."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Artifact, Embedding, LabelingSession, Project, Version
from app.models.enums import VersionKind
from app.search.versions import list_versions
from app.training.reports.run_summary import VersionSummary, load_version_summaries


@dataclass(frozen=True)
class VersionNode:
    """A version in its family.

    depth       0 for a raw version, 1 for what was tuned from it, 2 for a head on a deep one
    source      the number of the version whose vectors it reads, None for a raw one
    n_bytes     of its files, and of its embeddings if it has some of its own
    n_sessions  labeling sessions that keep its order
    """

    facts: VersionSummary
    depth: int
    source: int | None
    n_bytes: int
    n_sessions: int

    @property
    def version(self) -> Version:
        """The row."""
        return self.facts.version


def build_lineage(db: Session, project: Project) -> list[VersionNode]:
    """Return all versions, each followed by those based on it, newest first among siblings."""
    all_facts = load_version_summaries(db, project)
    by_id = {facts.version.id: facts for facts in all_facts}
    sizes, sessions = _measure_sizes(db, project.id), _count_sessions(db, project.id)
    return [
        VersionNode(
            facts,
            depth,
            _find_number(by_id, _find_parent(facts, by_id)),
            sizes.get(facts.version.id, 0),
            sessions.get(facts.version.id, 0),
        )
        for facts, depth in _walk(all_facts, by_id, None, 0)
    ]


def _walk(
    all_facts: Sequence[VersionSummary],
    by_id: dict[int, VersionSummary],
    parent: int | None,
    depth: int,
) -> Iterator[tuple[VersionSummary, int]]:
    for facts in all_facts:
        if _find_parent(facts, by_id) == parent:
            yield facts, depth
            yield from _walk(all_facts, by_id, facts.version.id, depth + 1)


def _find_parent(facts: VersionSummary, by_id: dict[int, VersionSummary]) -> int | None:
    """Find the version below: a deep one was tuned from the raw one of its base model."""
    version = facts.version
    if version.kind == VersionKind.RAW:
        return None
    if version.base_version_id in by_id:
        return version.base_version_id
    raw = (
        each.version.id
        for each in by_id.values()
        if each.version.kind == VersionKind.RAW and each.version.base_model == version.base_model
    )
    return next(raw, None)


def _find_number(by_id: dict[int, VersionSummary], version_id: int | None) -> int | None:
    return None if version_id is None else by_id[version_id].version.number


def _measure_sizes(db: Session, project_id: int) -> dict[int, int]:
    version_ids = select(Version.id).where(Version.project_id == project_id)
    files = dict(
        db.execute(
            select(Artifact.version_id, func.sum(Artifact.n_bytes))
            .where(Artifact.version_id.in_(version_ids))
            .group_by(Artifact.version_id)
        ).all()
    )
    for version in list_versions(db, project_id):
        if version.base_version_id is None:
            files[version.id] = files.get(version.id, 0) + _measure_embeddings(db, version.id)
    return {version_id: int(n) for version_id, n in files.items()}


def _measure_embeddings(db: Session, version_id: int) -> int:
    """Measure by the first vector's length: all of a version are equally long."""
    of_it = Embedding.version_id == version_id
    length = db.scalar(select(func.length(Embedding.vector)).where(of_it).limit(1)) or 0
    return int(length * (db.scalar(select(func.count()).where(of_it)) or 0))


def _count_sessions(db: Session, project_id: int) -> dict[int, int]:
    counted = (
        select(LabelingSession.version_id, func.count())
        .where(LabelingSession.project_id == project_id, LabelingSession.version_id.is_not(None))
        .group_by(LabelingSession.version_id)
    )
    return {version_id: n for version_id, n in db.execute(counted) if version_id is not None}
