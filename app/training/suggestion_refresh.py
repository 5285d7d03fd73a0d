"""Refresh the suggestions of the active version between two runs, in about a second.

Decision: no version is created. The suggestions of the active version get a new revision based on
all current labels; vectors, index and metrics stay as they are. So the search order is stable while
people label, and suggestions for the remaining rows improve.
Decision: a refresh is due by state, not by event: suggestions based on fewer labels than exist
become due again, whatever process was killed meanwhile.
"""

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import read_session
from app.jobs.steps import JobCancelled, Step
from app.ml.label_inference.infer import infer_from_raw_vectors
from app.ml.recipe import Recipe
from app.models import Artifact, Consensus, Project, TrainingRun, UserAction, Version, utc_now
from app.search.embedding import load_all_vectors
from app.search.index_revisions import (
    find_base_version_id,
    find_newest_index,
    find_newest_suggestions,
    write_suggestions,
)
from app.search.suggestions import Suggestions
from app.search.vector_lock import hold_vectors
from app.search.versions import find_active_version
from app.training.pipeline.inputs import load_or_build_graph, load_word_features, uses_words
from app.training.pipeline.snapshot import freeze, last_action_id
from app.training.runs.readiness import MOVING, find_moving_run

log = structlog.get_logger()

# Minimum of changed labels that is worth a second of the worker's time.
MIN_CHANGED_LABELS = 10


def find_due_refreshes(db: Session) -> list[tuple[int, int]]:
    """List (project id, attempt number) where the active version's suggestions are outdated.

    The number changes with each user action and each run that ends: a failed refresh is not
    repeated on the same labels, one that gave way to a run is.

    Cheap: called several times a second.
    """
    projects = db.scalars(select(Project).order_by(Project.id)).all()
    return [
        (project.id, last_action_id(db, project.id) + _count_ended_runs(db, project.id))
        for project in projects
        if is_refresh_due(db, project)
    ]


def is_refresh_due(db: Session, project: Project) -> bool:
    """Whether there are labels that the suggestions do not include.

    The first `min_labels` labels are left to the first run. No refresh is due while a run is queued
    or running: both would load all vectors and build their graph, and the run makes suggestions.
    """
    if find_moving_run(db, project.id) is not None:
        return False
    version = find_active_version(db, project.id)
    index = None if version is None else find_newest_index(db, version.id)
    if version is None or index is None or _count_labeled(db, project.id, 0) < project.min_labels:
        return False
    newest = find_newest_suggestions(db, version.id)
    if newest is not None and newest.revision < index.revision:
        return True
    return (
        _count_labeled(db, project.id, _find_known_action_id(db, version, newest))
        >= MIN_CHANGED_LABELS
    )


def refresh_suggestions(project_id: int) -> None:
    """Compute and store suggestions from all current labels for the active version.

    Raises JobCancelled if no longer due after waiting for another job of the project.
    """
    with hold_vectors(project_id, lambda: _check_due(project_id)):
        _refresh(project_id)


def _check_due(project_id: int) -> None:
    """Raise JobCancelled if no longer due: imports wait in the same queue."""
    with read_session() as db:
        project = db.get(Project, project_id)
        if project is None or not is_refresh_due(db, project):
            raise JobCancelled


def _refresh(project_id: int) -> None:
    read_at = utc_now()
    with read_session() as db:
        project = db.get_one(Project, project_id)
        if not is_refresh_due(db, project):
            return
        version = find_active_version(db, project_id)
        assert version is not None  # Otherwise no refresh is due.
        raw = db.get_one(Version, find_base_version_id(version))
        snapshot = freeze(db, project, raw)
        ids, vectors = load_all_vectors(db, raw.id)
        recipe = Recipe()
        words = load_word_features(db, ids) if uses_words(recipe, project) else None
    examples = snapshot.examples(ids, is_multi_label=project.is_multi_label)
    graph = load_or_build_graph(raw.id, ids, vectors, recipe.neighbours)
    probabilities = infer_from_raw_vectors(graph, vectors, examples, recipe, words)
    suggestions = Suggestions(ids, examples.label_ids, probabilities.astype("float16"))
    write_suggestions(
        version.id, suggestions, last_action_id=snapshot.last_action_id, read_at=read_at
    )
    log.info(
        "suggestions.renewed",
        project_id=project_id,
        n_labeled=len(examples),
        seconds=_count_seconds_since(snapshot.last_action_id),
    )


def log_failure(project_id: int, sentence: str) -> None:
    """Log why the refresh failed; it is retried after the next labels."""
    log.warning("suggestions.not_renewed", project_id=project_id, why=sentence)


STEPS: tuple[tuple[str, Step], ...] = (("renew", refresh_suggestions),)


def _find_known_action_id(db: Session, version: Version, newest: Artifact | None) -> int:
    """Return the newest action whose labels the suggestions include: of the refresh or the run."""
    if newest is None:
        return 0
    if newest.last_action_id is not None:
        return newest.last_action_id
    of_run = select(TrainingRun.last_action_id).where(TrainingRun.version_id == version.id)
    return db.scalar(of_run) or 0


def _count_labeled(db: Session, project_id: int, after: int) -> int:
    labeled = select(func.count(Consensus.record_id.distinct())).where(
        Consensus.project_id == project_id, Consensus.action_id > after
    )
    return db.scalar(labeled) or 0


def _count_ended_runs(db: Session, project_id: int) -> int:
    """Count the ended runs of the project, every attempt included."""
    ended = select(func.sum(TrainingRun.attempt)).where(
        TrainingRun.project_id == project_id, TrainingRun.status.not_in(MOVING)
    )
    return db.scalar(ended) or 0


def _count_seconds_since(action_id: int) -> float:
    with read_session() as db:
        performed_at = db.scalar(select(UserAction.performed_at).where(UserAction.id == action_id))
    return 0.0 if performed_at is None else round((utc_now() - performed_at).total_seconds(), 1)
