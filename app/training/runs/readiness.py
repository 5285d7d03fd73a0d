"""When a run can start, when one starts automatically, and what is missing.

Decision: a person may start a run as soon as there is anything to learn: two labels with two
embedded records each. An automatic run starts later, when `min_labels` labels are new or changed
since the last run, whatever its outcome: a run that failed or was rejected is not repeated on the
same labels unless a person requests it. app.training.runs.trigger_policy holds the other
conditions.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.labeling.team.holdout import is_in_holdout
from app.models import Consensus, Embedding, Project, Record, TrainingRun, Version, utc_now
from app.models.enums import RunStatus
from app.projects.labels import label_set
from app.search.versions import find_raw_version
from app.training.runs.trigger_policy import TriggerPolicy
from app.web.wording import format_count

MOVING = (RunStatus.QUEUED, RunStatus.RUNNING)
LEAST_RECORDS = 2
LEAST_LABELS = 2
MOST_NAMED = 3
# An automatic run waits until this share of the records is embedded: the missing ones are new and
# get their tuned vectors later.
MIN_EMBEDDED_SHARE = 0.9


@dataclass(frozen=True)
class Readiness:
    """Can a run start (is_ready), would one start automatically (is_due), and what is missing.

    n_labeled   records with consensus, outside the hold-out sample
    n_changed   those whose consensus is newer than the last run
    needed      how many must change before a run starts automatically
    missing     noun phrases, such as "7 more new or changed labels": what prevents any run if not
                ready, else what an automatic run waits for
    moving      the number of the run that is queued or running
    last_run    the number of the newest run that has ended
    threshold   a sentence that explains `needed`
    """

    is_ready: bool
    is_due: bool
    n_labeled: int
    n_changed: int
    needed: int
    missing: tuple[str, ...]
    moving: int | None
    last_run: int | None
    threshold: str


@dataclass(frozen=True)
class VectorCounts:
    """How many records there are, and how many have a raw vector; raw is None before the first."""

    raw: Version | None
    n_records: int
    n_embedded: int


def readiness(db: Session, project: Project) -> Readiness:
    """Return what the project's next run needs."""
    n_changed = count_changed_since_last_run(db, project.id)
    policy, last = TriggerPolicy.from_json(project.policy), _find_last_run(db, project.id)
    needed = policy.needed(project.min_labels, (last and last.n_examples) or 0)
    vectors = _count_vectors(db, project)
    counts = _count_by_label(db, project, vectors)
    n_labeled = _count_labeled(db, project.id, after=0)
    blocking = _list_blocking(counts, n_labeled, vectors)
    waiting = (
        *_list_waiting_for(vectors, needed - n_changed),
        *_list_short_labels(db, project, policy, counts),
        *_list_waiting_for_time(policy, last, utc_now()),
    )
    moving = find_moving_run(db, project.id)
    is_ready = not blocking
    return Readiness(
        is_ready=is_ready,
        is_due=is_ready and not waiting and moving is None and project.has_auto_training,
        n_labeled=n_labeled,
        n_changed=n_changed,
        needed=needed,
        missing=blocking or waiting,
        moving=None if moving is None else moving.number,
        last_run=None if last is None else last.number,
        threshold=_describe_threshold(project, policy, last, needed),
    )


def _describe_threshold(
    project: Project, policy: TriggerPolicy, last: TrainingRun | None, needed: int
) -> str:
    if needed == project.min_labels or last is None:
        return f"Automatic training needs {format_count(needed, 'new or changed label')}."
    return (
        f"Automatic training needs {format_count(needed, 'new or changed label')}: "
        f"{100 * policy.growth:g} % of the {last.n_examples:,} labels used in run {last.number}, "
        f"and at least {project.min_labels:,}."
    )


def find_due_projects(db: Session) -> list[Project]:
    """List the projects whose automatic run is due. Cheap: called several times a second."""
    candidates = db.scalars(select(Project).where(Project.has_auto_training)).all()
    return [
        project
        for project in candidates
        if count_changed_since_last_run(db, project.id) >= project.min_labels
        and readiness(db, project).is_due
    ]


def find_moving_run(db: Session, project_id: int) -> TrainingRun | None:
    """Return the run that is queued or running; there is at most one."""
    return db.scalar(
        select(TrainingRun).where(
            TrainingRun.project_id == project_id, TrainingRun.status.in_(MOVING)
        )
    )


def _find_last_run(db: Session, project_id: int) -> TrainingRun | None:
    """Return the newest run that has ended, whatever its outcome."""
    ended = select(TrainingRun).where(
        TrainingRun.project_id == project_id, TrainingRun.status.not_in(MOVING)
    )
    return db.scalar(ended.order_by(TrainingRun.number.desc()).limit(1))


def count_changed_since_last_run(db: Session, project_id: int) -> int:
    """Count records whose consensus is newer than the snapshot of the last run that ended."""
    seen = db.scalar(
        select(func.max(TrainingRun.last_action_id)).where(
            TrainingRun.project_id == project_id, TrainingRun.status.not_in(MOVING)
        )
    )
    return _count_labeled(db, project_id, after=seen or 0)


def _count_labeled(db: Session, project_id: int, *, after: int) -> int:
    """Count labeled records that training may use: all but those of the hold-out sample.

    Count all, then subtract the hold-out sample: the large count needs only an index.
    """
    newer = Consensus.action_id > after
    is_alone = not db.get_one(Project, project_id).is_multi_label
    each = func.count() if is_alone else func.count(Consensus.record_id.distinct())
    audited = select(func.count(Consensus.record_id.distinct())).select_from(Record)
    audited = audited.join(Consensus, Consensus.record_id == Record.id)
    in_stream = (Record.project_id == project_id, is_in_holdout(project_id))
    # Not filtered by Consensus.project_id, so that the query starts at the small hold-out sample.
    n_audited = db.scalar(audited.where(*in_stream, newer)) or 0
    every = select(each).select_from(Consensus).where(Consensus.project_id == project_id, newer)
    return (db.scalar(every) or 0) - n_audited


def _list_blocking(
    counts: Mapping[int, int], n_labeled: int, vectors: VectorCounts
) -> tuple[str, ...]:
    """List what prevents any run."""
    enough = [n for n in counts.values() if n >= LEAST_RECORDS]
    if len(enough) >= LEAST_LABELS:
        return ()
    if n_labeled and not vectors.n_embedded:
        return ("embedded records (none so far)",)
    if not enough:
        return (f"two labels with at least {LEAST_RECORDS} records each",)
    return (f"a second label with at least {LEAST_RECORDS} records",)


def _list_waiting_for(vectors: VectorCounts, short: int) -> tuple[str, ...]:
    """List the labels and vectors that an automatic run waits for."""
    missing = []
    if short > 0:
        missing.append(format_count(short, "more new or changed label"))
    n_records, n_embedded = vectors.n_records, vectors.n_embedded
    if n_embedded < MIN_EMBEDDED_SHARE * n_records:
        missing.append(f"more embedded records ({n_embedded:,} of {n_records:,} so far)")
    return tuple(missing)


def _list_short_labels(
    db: Session, project: Project, policy: TriggerPolicy, counts: Mapping[int, int]
) -> tuple[str, ...]:
    """List labels in use that have fewer records than the policy asks for."""
    if policy.per_label == 0:
        return ()
    names = {label.id: label.name for label in label_set(db, project.id)}
    short = [(policy.per_label - n, names[i]) for i, n in counts.items() if n]
    phrases = [
        f"{format_count(n, 'more record')} of “{name}”"
        for n, name in sorted(short, reverse=True)
        if n > 0
    ]
    if len(phrases) > MOST_NAMED:
        return (
            *phrases[:MOST_NAMED],
            f"more records of {format_count(len(phrases) - MOST_NAMED, 'other label')}",
        )
    return tuple(phrases)


def _list_waiting_for_time(
    policy: TriggerPolicy, last: TrainingRun | None, now: datetime
) -> tuple[str, ...]:
    missing = []
    pause_ends = policy.pause_ends(last.finished_at if last else None, now)
    if last is not None and pause_ends is not None:
        local_time = pause_ends.astimezone(ZoneInfo(policy.zone))
        missing.append(
            f"the end of the pause after run {last.number}, {_format_time(local_time, policy)}"
        )
    quiet_ends = policy.quiet_ends(now)
    if quiet_ends is not None:
        missing.append(f"the end of the quiet hours, {_format_time(quiet_ends, policy)}")
    return tuple(missing)


def _format_time(moment: datetime, policy: TriggerPolicy) -> str:
    return f"at {moment:%H:%M} ({policy.zone})"


def count_by_label(db: Session, project: Project) -> dict[int, int]:
    """Count the embedded records that training may use, by label of the current label set."""
    return _count_by_label(db, project, _count_vectors(db, project))


def _count_by_label(db: Session, project: Project, vectors: VectorCounts) -> dict[int, int]:
    if vectors.raw is None:
        return {}
    by_label = select(Consensus.label_id, func.count()).group_by(Consensus.label_id)
    every = by_label.where(Consensus.project_id == project.id)
    counts: Counter[int | None] = Counter(dict(db.execute(every).all()))
    # As above: subtract what training may not use; if all are embedded, look up no vectors.
    of_records = by_label.join(Record, Record.id == Consensus.record_id)
    of_records = of_records.where(Record.project_id == project.id)
    counts -= Counter(dict(db.execute(of_records.where(is_in_holdout(project.id))).all()))
    if vectors.n_embedded < vectors.n_records:
        has_vector = (
            select(Embedding.record_id)
            .where(
                Embedding.record_id == Consensus.record_id, Embedding.version_id == vectors.raw.id
            )
            .exists()
        )
        waiting = of_records.where(~is_in_holdout(project.id), ~has_vector)
        counts -= Counter(dict(db.execute(waiting).all()))
    return {label.id: counts[label.id] for label in label_set(db, project.id)}


def _count_vectors(db: Session, project: Project) -> VectorCounts:
    raw = find_raw_version(db, project)
    of_project = select(func.count(Record.id)).where(Record.project_id == project.id)
    n_records = db.scalar(of_project) or 0
    if raw is None:
        return VectorCounts(None, n_records, 0)
    of_raw = select(func.count()).select_from(Embedding).where(Embedding.version_id == raw.id)
    return VectorCounts(raw, n_records, db.scalar(of_raw) or 0)
