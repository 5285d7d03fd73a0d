"""The registry of versions: list them, activate one, roll back, with the rules for each.

Decision: activations are events, and the newest one holds. Rolling back is another event, whose
reason is ROLL_BACK; that is how a second roll back knows to go further back instead of forth.
Decision: pages, the API and commands activate and roll back through activate_version() and
roll_back_version() alone. They check the version's files before the transaction that activates it:
comparing gigabytes with their sha256 takes seconds, and nobody may wait for the write lock so long.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Conflict, NotFound
from app.models import Activation, Artifact, Project, User, Version, utc_now
from app.models.enums import VersionKind
from app.notifications.events import Event, announce
from app.search.deep_versions import check_model
from app.search.indexes import LoadedVersion, NotIndexed, check_version_files, open_version
from app.search.suggestions import NONE, Suggestions
from app.storage import CorruptFile, StoredFile

ROLL_BACK = "Rolled back"
FIRST = "The first version"


def get_or_create_raw_version(db: Session, project: Project) -> Version:
    """Return the project's raw version; create and activate it if there is none yet."""
    found = find_raw_version(db, project)
    if found is not None:
        return found
    lock_versions(db, project.id)
    # Another worker may have been quicker, while we waited.
    found = find_raw_version(db, project)
    return found or publish(
        db, project, kind=VersionKind.RAW, base_version=None, files={}, n_records=0
    )


def find_raw_version(db: Session, project: Project) -> Version | None:
    """Return the raw version, or None before the worker has created it."""
    of_base = (Version.project_id == project.id, Version.kind == VersionKind.RAW)
    newest = select(Version).where(*of_base, Version.base_model == project.base_model)
    return db.scalar(newest.order_by(Version.number.desc()).limit(1))


def find_active_version(db: Session, project_id: int) -> Version | None:
    """Return the active version, or None before the first one."""
    return db.scalar(
        select(Version)
        .join(Activation, Activation.version_id == Version.id)
        .where(Activation.project_id == project_id)
        .order_by(Activation.id.desc())
        .limit(1)
    )


def find_version_by_id(db: Session, project_id: int, version_id: int) -> Version:
    """Find the version with this id. Raises NotFound when it is unknown or another project's."""
    return _find_one(db, project_id, Version.id, version_id)


def find_version(db: Session, project_id: int, number: int) -> Version:
    """Find the version with this number within the project. Raises NotFound, Conflict if
    deleted."""
    found = _find_one(db, project_id, Version.number, number)
    check_not_deleted(found)
    return found


def check_not_deleted(version: Version) -> None:
    """Raise Conflict when the version's files were deleted."""
    if version.deleted_at is not None:
        raise Conflict(
            f"Version {version.number} was deleted. Only the metrics of its run are left."
        )


@dataclass(frozen=True)
class SearchVersions:
    """The versions that one request searches with, each opened once, when it is first needed.

    number  of the version that ranks; None means the active one
    """

    db: Session
    project_id: int
    number: int | None = None

    @cached_property
    def ranking(self) -> LoadedVersion:
        """The version that ranks. Raises NotFound, Conflict, NotIndexed, CorruptFile."""
        if self.number is None:
            return self.active
        return open_version(self.db, find_version(self.db, self.project_id, self.number).id)

    @cached_property
    def active(self) -> LoadedVersion:
        """The active version. Raises NotIndexed before the first one, CorruptFile."""
        version = find_active_version(self.db, self.project_id)
        if version is None:
            raise NotIndexed
        if version.number == self.number:
            return self.ranking
        return open_version(self.db, version.id)

    @cached_property
    def suggestions(self) -> Suggestions:
        """Those of the active version; none where there is none, or its files are damaged."""
        try:
            return self.active.suggestions
        except (NotIndexed, CorruptFile):
            return NONE


def _find_one(db: Session, project_id: int, column: object, value: int) -> Version:
    # Nothing beyond an SQL integer can name a row, and Postgres would refuse to compare it.
    found = None
    if 0 < value < 2**31:
        ours = (Version.project_id == project_id, Version.number > 0)
        wanted = select(Version).where(*ours, column == value)  # type: ignore[arg-type]
        found = db.scalar(wanted)
    if found is None:
        raise NotFound("version")
    return found


def list_versions(db: Session, project_id: int) -> list[Version]:
    """List the project's versions, newest first."""
    ours = select(Version).where(
        Version.project_id == project_id, Version.number > 0, Version.deleted_at.is_(None)
    )
    return list(db.scalars(ours.order_by(Version.number.desc())))


def publish_prepared(
    db: Session,
    version: Version,
    files: Mapping[str, StoredFile],
    *,
    n_records: int,
    read_at: datetime,
) -> Version:
    """Make a version of an encoder whose embeddings were made ahead; for the rest see publish()."""
    lock_versions(db, version.project_id)
    version.number = _next_number(db, version.project_id)
    add_artifacts(db, version.id, files, revision=1, n_records=n_records, read_at=read_at)
    return version


def publish(
    db: Session,
    project: Project,
    *,
    kind: str,
    base_version: Version | None,
    files: Mapping[str, StoredFile],
    n_records: int,
    read_at: datetime | None = None,
) -> Version:
    """Publish a new version of these files; it becomes active only if it is the project's first.

    raw_encoder  whose embeddings it reads; None for a raw version itself
    files        by kind: head, index, suggestions
    n_records    how many records the index and the suggestions hold
    read_at      before the embeddings in the index were read (now, if they just were): vectors
                 that are newer count as lacking, and the worker writes the next revision
    """
    lock_versions(db, project.id)
    version = Version(
        project_id=project.id,
        number=_next_number(db, project.id),
        kind=kind,
        base_model=project.base_model if base_version is None else base_version.base_model,
        base_version_id=None if base_version is None else base_version.id,
    )
    db.add(version)
    db.flush()
    add_artifacts(db, version.id, files, revision=1, n_records=n_records, read_at=read_at)
    if find_active_version(db, project.id) is None:
        _add_activation(db, version, by=None, reason=FIRST)
    return version


def add_artifacts(
    db: Session,
    version_id: int,
    files: Mapping[str, StoredFile],
    *,
    revision: int,
    n_records: int,
    read_at: datetime | None,
    last_action_id: int | None = None,
) -> None:
    """Name a revision's files, by kind, in the database: from now on they can be loaded."""
    db.add_all(
        Artifact(
            version_id=version_id,
            kind=kind,
            revision=revision,
            file=stored.file,
            sha256=stored.sha256,
            n_bytes=stored.n_bytes,
            n_records=n_records,
            last_action_id=last_action_id,
            created_at=read_at or utc_now(),
        )
        for kind, stored in files.items()
    )
    db.flush()


def activate_version(project: Project, number: int, by: User | None, reason: str) -> Version:
    """Activate this version in its own transaction. by: None means the command line.

    Raises NotFound; Conflict if search uses it already, or if it was deleted or is damaged.
    """
    with read_session() as db:
        version = find_version(db, project.id, number)
        _check_not_active(db, version)
        _check_not_damaged(db, version)
    with write_session() as db:
        activate(db, version, by, reason)
    return version


def roll_back_version(project: Project, by: User | None) -> Version:
    """Roll back to the previously active version in its own transaction.

    Raises Conflict if there is none, or if it is damaged.
    """
    with read_session() as db:
        target = find_rollback_target(db, project.id)
        if target is not None:
            _check_not_damaged(db, db.get_one(Version, target))
    with write_session() as db:
        return roll_back(db, project, by)


def activate(db: Session, version: Version, by: User | None, reason: str) -> Activation:
    """Activate this version and announce it; its files must have been checked.

    by  None means the worker or a command, not a person

    Raises Conflict if search uses it already, or if it was deleted.
    """
    lock_versions(db, version.project_id)
    check_not_deleted(find_version_by_id(db, version.project_id, version.id))
    _check_not_active(db, version)
    return _add_activation(db, version, by, reason)


def _check_not_active(db: Session, version: Version) -> None:
    active = find_active_version(db, version.project_id)
    if active is not None and active.id == version.id:
        raise Conflict(f"Version {version.number} is already active.")


def _check_not_damaged(db: Session, version: Version) -> None:
    """Raise Conflict when search could not use the version's files, or those it stands on."""
    base_id = version.base_version_id or version.id
    try:
        if db.get_one(Version, base_id).kind == "deep":
            check_model(db, base_id)
        check_version_files(db, version)
    except NotIndexed:
        return  # The worker writes its index once it is active.
    except CorruptFile as error:
        raise Conflict(
            f"Version {version.number} cannot be activated: {error.file} is damaged or missing. "
            "Restore the file from a backup, or activate another version."
        ) from error


def _add_activation(db: Session, version: Version, by: User | None, reason: str) -> Activation:
    activation = Activation(
        project_id=version.project_id,
        version_id=version.id,
        user_id=None if by is None else by.id,
        reason=reason,
    )
    db.add(activation)
    db.flush()
    _announce(db, version, activation)
    return activation


def _announce(db: Session, version: Version, activation: Activation) -> None:
    project = db.get_one(Project, version.project_id)
    is_back = activation.reason == ROLL_BACK
    kind = "version.rolled_back" if is_back else "version.activated"
    sentence = f"{'Rolled back to version' if is_back else 'Activated version'} {version.number}."
    facts = {"version": version.number, "kind": version.kind, "reason": activation.reason}
    announce(db, project, Event(kind, sentence, f"/projects/{project.slug}/training", facts))


def roll_back(db: Session, project: Project, by: User | None) -> Version:
    """Activate the version that was active before the present one; again: the one before that.

    Raises Conflict if there is none.
    """
    lock_versions(db, project.id)
    target = find_rollback_target(db, project.id)
    if target is None:
        raise Conflict("There is no earlier version to roll back to.")
    version = find_version_by_id(db, project.id, target)
    activate(db, version, by, ROLL_BACK)
    return version


def can_roll_back(db: Session, project_id: int) -> bool:
    """Return whether roll_back() would find an earlier version."""
    return find_rollback_target(db, project_id) is not None


def find_rollback_target(db: Session, project_id: int) -> int | None:
    """Return the id of the version that roll_back() would activate."""
    trail = _load_trail(db, project_id)
    return trail[-2] if len(trail) > 1 else None


def _load_trail(db: Session, project_id: int) -> list[int]:
    """Return the activated version ids in order, without those rolled back."""
    events = db.execute(
        select(Activation.version_id, Activation.reason)
        .where(Activation.project_id == project_id)
        .order_by(Activation.id)
    )
    trail: list[int] = []
    for version_id, reason in events:
        if reason == ROLL_BACK:
            trail.pop()
        elif trail[-1:] != [version_id]:
            trail.append(version_id)
    return _drop_deleted(db, trail)


def _drop_deleted(db: Session, version_ids: list[int]) -> list[int]:
    gone = select(Version.id).where(Version.id.in_(version_ids), Version.deleted_at.is_not(None))
    deleted = set(db.scalars(gone))
    return [version_id for version_id in version_ids if version_id not in deleted]


def _next_number(db: Session, project_id: int) -> int:
    newest = db.scalar(select(func.max(Version.number)).where(Version.project_id == project_id))
    return max(newest or 0, 0) + 1


def lock_versions(db: Session, project_id: int) -> None:
    """Let one transaction at a time activate, publish or delete the project's versions.

    Postgres locks the project's row; SQLite's write transactions are alone anyway.
    """
    # FOR NO KEY UPDATE, so that records may be stored meanwhile.
    held = select(Project.id).where(Project.id == project_id)
    db.execute(held.with_for_update(key_share=True))
