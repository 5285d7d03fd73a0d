"""Every table: what one row asserts, and who writes it. The words are the README's glossary."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out; SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they are somebody's local clock."""
        if value is not None and value.tzinfo is None:
            raise ValueError("times are stored aware, in UTC")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


Json = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """Constraints have names, so that SQLite migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime, dict[str, Any]: Json, list[Any]: Json}


# --- people -------------------------------------------------------------------------------------


class User(Base):
    """One person. `name` is compared without case; a missing password means: invited, not yet in.

    Written by app.accounts. `preferences` holds what only the person's own pages read: remapped
    keys, theme, density.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    name_key: Mapped[str] = mapped_column(String(120), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(default=True)
    preferences: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Login(Base):
    """A browser is logged in as a user until it expires. Only the hash of its cookie is kept."""

    __tablename__ = "logins"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)


class Invitation(Base):
    """A one-time link: whoever opens it first chooses name and password for this role.

    The first admin's link has no inviter. `user_id` is set when an existing user sets a password.
    """

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    invited_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiToken(Base):
    """A program may act as this user. Only the hash is kept; `prefix` lets people recognise it."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    prefix: Mapped[str] = mapped_column(String(12))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class LoginAttempt(Base):
    """A wrong password was tried; counted to slow guessing down, on every web process alike."""

    __tablename__ = "login_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name_key: Mapped[str] = mapped_column(String(120), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    attempted_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class AuditEvent(Base):
    """Somebody did something that others may ask about later. Never record text, never secrets."""

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    happened_at: Mapped[datetime] = mapped_column(default=utc_now)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    project_id: Mapped[int | None] = mapped_column(
        ForeignKey("projects.id", ondelete="SET NULL"), index=True
    )
    action: Mapped[str] = mapped_column(String(60))
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)


# --- projects -----------------------------------------------------------------------------------


class Project(Base):
    """Records, a label set and encoder versions that belong together.

    `is_open`: every user may label in it; otherwise admins and its members alone.
    `min_labels`: labels changed since the last version before a run starts by itself.
    `audit_until`: records whose content_hash does not sort after it are the audit stream ("" none).
    """

    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    is_multi_label: Mapped[bool] = mapped_column(default=False)
    is_open: Mapped[bool] = mapped_column(default=True)
    is_sample: Mapped[bool] = mapped_column(default=False)
    base_model: Mapped[str] = mapped_column(String(300))
    min_labels: Mapped[int]
    trains_itself: Mapped[bool] = mapped_column(default=True)
    audit_until: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Membership(Base):
    """This user may work in this project though it is not open to everyone."""

    __tablename__ = "memberships"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )


class Label(Base):
    """A class of a project. Retired: no longer offered. Merged: its annotations count for another.

    Annotations keep pointing at the label they were given, so a merge can be undone.
    """

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("project_id", "name_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200))
    colour: Mapped[int]
    position: Mapped[int]
    retired_at: Mapped[datetime | None]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class LabelChange(Base):
    """The label set was edited: `before` and `after` hold the changed columns of one label."""

    __tablename__ = "label_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    label_id: Mapped[int] = mapped_column(ForeignKey("labels.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(String(20))
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    undone_at: Mapped[datetime | None]


# --- records ------------------------------------------------------------------------------------


class Record(Base):
    """One text to be labeled, with the fields it came with. Written by app.exchange.

    `text` is what the encoder reads; `content_hash` (sha256, hex) is of that text alone. `fields`
    keep the order of the file, which JSONB would lose.
    """

    __tablename__ = "records"
    __table_args__ = (
        UniqueConstraint("project_id", "external_id"),
        Index("ix_records_project_id_id", "project_id", "id"),
        Index("ix_records_project_id_content_hash", "project_id", "content_hash"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(String(64))
    fields: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class Import(Base):
    """One file on its way in. rows read = stored + updated + unchanged + rejected, always.

    status: uploaded (mapping not chosen yet), queued, running, succeeded, failed, cancelled.
    `n_read` is also the row at which a killed import goes on. `n_mended` rows were stored with
    U+FFFD in place of NUL characters, which not every database holds. `file` lies under the data
    folder, named by us; `mapping` is app.exchange.mapping.Mapping as JSON.
    """

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    file_name: Mapped[str] = mapped_column(String(300))
    file: Mapped[str] = mapped_column(String(200))
    format: Mapped[str] = mapped_column(String(20))
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict)
    act_id: Mapped[int | None] = mapped_column(ForeignKey("acts.id"))
    status: Mapped[str] = mapped_column(String(20), default="uploaded", index=True)
    attempt: Mapped[int] = mapped_column(default=1)
    n_rows: Mapped[int | None]
    n_read: Mapped[int] = mapped_column(default=0)
    n_stored: Mapped[int] = mapped_column(default=0)
    n_updated: Mapped[int] = mapped_column(default=0)
    n_unchanged: Mapped[int] = mapped_column(default=0)
    n_rejected: Mapped[int] = mapped_column(default=0)
    n_mended: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ImportReject(Base):
    """A row of a file was not stored, and this is where it stands and why."""

    __tablename__ = "import_rejects"

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), index=True)
    line: Mapped[int]
    column: Mapped[str | None] = mapped_column(String(300))
    reason: Mapped[str] = mapped_column(Text)


# --- vectors ------------------------------------------------------------------------------------


class Encoder(Base):
    """A version of how texts become vectors.

    kind: raw, the base model; head, tuned on top of a raw or a deep version's vectors, which
    `raw_encoder_id` names; deep, an encoder tuned whole, with embeddings of its own like a raw one,
    and a head on top of them.

    `number` counts within the project, from 1, when the version is whole. A deep version whose
    embeddings are still being made has minus its run's id, and nobody finds it.

    `runtime` computes all of a raw or deep version's vectors: torch, openvino or openvino-int8,
    settled once, before the first of them, for the reason that stands beside it. None until then.
    """

    __tablename__ = "encoders"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    base_model: Mapped[str] = mapped_column(String(300))
    raw_encoder_id: Mapped[int | None] = mapped_column(ForeignKey("encoders.id"))
    runtime: Mapped[str | None] = mapped_column(String(20))
    runtime_reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Embedding(Base):
    """The raw vector of a record's text: float32, little-endian, length 1, as bytes.

    `content_hash` tells which text it is of: where it differs from the record's, it is stale.
    `embedded_at` tells which index revisions hold this vector: those that were read later.
    """

    __tablename__ = "embeddings"
    __table_args__ = (
        # With the record's id, so that counting what is missing reads no vectors.
        Index("ix_embeddings_content_hash", "encoder_id", "content_hash", "record_id"),
        Index("ix_embeddings_embedded_at", "encoder_id", "embedded_at"),
    )

    encoder_id: Mapped[int] = mapped_column(
        ForeignKey("encoders.id", ondelete="CASCADE"), primary_key=True
    )
    record_id: Mapped[int] = mapped_column(
        ForeignKey("records.id", ondelete="CASCADE"), primary_key=True
    )
    content_hash: Mapped[str] = mapped_column(String(64))
    embedded_at: Mapped[datetime] = mapped_column(default=utc_now)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class Artifact(Base):
    """A file of a version, named by us, whose sha256 is checked before it is loaded.

    kind: head (once), model-N (each file of a deep version's folder, once), runtime, index and
    suggestions (a newer revision when records arrive later, and of suggestions alone when labels
    do), graph. `last_act_id`: the newest act whose labels the suggestions know; where it is missing
    they know what their version's run saw.
    """

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("encoder_id", "kind", "revision"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoders.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    revision: Mapped[int] = mapped_column(default=1)
    file: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    n_bytes: Mapped[int]
    n_records: Mapped[int] = mapped_column(default=0)
    last_act_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Activation(Base):
    """From now on, search uses this encoder. The newest row of a project holds; none is changed."""

    __tablename__ = "activations"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoders.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    reason: Mapped[str] = mapped_column(Text, default="")
    activated_at: Mapped[datetime] = mapped_column(default=utc_now)


# --- labels on records --------------------------------------------------------------------------


class LabelingSession(Base):
    """An ordered list of records to label, frozen when it was started, with its encoder version.

    `seed_kind`: record, selection, label, text, cold_start, uncertain, random, suggested, suspects,
    contradictions, coverage, recent, audit. `seed` holds the ids or the text, and the filters, that
    it was started from, and `why`, if it was the product's choice.
    """

    __tablename__ = "labeling_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    encoder_id: Mapped[int | None] = mapped_column(ForeignKey("encoders.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    seed_kind: Mapped[str] = mapped_column(String(20))
    seed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    title: Mapped[str] = mapped_column(String(300))
    n_records: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(default=utc_now)


class SessionItem(Base):
    """A record's place in a session: rank from 0, and its similarity to the seed, if it has one."""

    __tablename__ = "session_items"
    __table_args__ = (UniqueConstraint("session_id", "record_id"),)

    session_id: Mapped[int] = mapped_column(
        ForeignKey("labeling_sessions.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"), index=True)
    similarity: Mapped[float | None] = mapped_column(Float)


class Act(Base):
    """One thing a person did at once, and can undo at once: a label, a page accept, an import.

    `key` is the idempotency key that the browser sent: a retry finds the first answer here.
    """

    __tablename__ = "acts"
    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index("ix_acts_project_id_user_id_id", "project_id", "user_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    session_id: Mapped[int | None] = mapped_column(
        ForeignKey("labeling_sessions.id", ondelete="SET NULL")
    )
    kind: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(String(80))
    acted_at: Mapped[datetime] = mapped_column(default=utc_now)
    undone_at: Mapped[datetime | None]


class Annotation(Base):
    """One user's say about a record. Append-only: a newer act supersedes it, undo withdraws it.

    verdict: label, none ("none of these"), skip, or not_similar (to the session's seed; this one
    supersedes nothing). In a multi-label project one say is several rows of the same act.
    source: single, page, import, rule. A user's current say about a record is the rows of the
    newest act among those not withdrawn and not not_similar; what came by import is a voter of its
    own, who yields to what people say by hand. Written only by app.labeling and
    app.exchange, always together with the record's consensus.
    """

    __tablename__ = "annotations"
    __table_args__ = (
        UniqueConstraint("act_id", "record_id", "label_id"),
        Index("ix_annotations_record_id_user_id", "record_id", "user_id"),
        Index("ix_annotations_project_id_id", "project_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    act_id: Mapped[int] = mapped_column(ForeignKey("acts.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    verdict: Mapped[str] = mapped_column(String(12))
    label_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"), index=True)
    source: Mapped[str] = mapped_column(String(12))
    session_id: Mapped[int | None] = mapped_column(
        ForeignKey("labeling_sessions.id", ondelete="SET NULL"), index=True
    )
    rank: Mapped[int | None]
    similarity: Mapped[float | None] = mapped_column(Float)
    encoder_id: Mapped[int | None] = mapped_column(ForeignKey("encoders.id", ondelete="SET NULL"))
    suggestion_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"))
    suggestion_score: Mapped[float | None] = mapped_column(Float)
    milliseconds: Mapped[int | None]
    annotated_at: Mapped[datetime] = mapped_column(default=utc_now)
    withdrawn_at: Mapped[datetime | None]


class Consensus(Base):
    """What the current annotations of a record agree on; no row means unlabeled (a tie, too).

    Derived from annotations in the same transaction, so that filters need no grouping; `likewise
    verify` recomputes it. label_id is null for "none of these". A multi-label record has a row
    for each label. `act_id` is the act that brought it about.
    """

    __tablename__ = "consensus"
    __table_args__ = (
        UniqueConstraint("record_id", "label_id"),
        Index("ix_consensus_project_id_label_id", "project_id", "label_id"),
        Index("ix_consensus_project_id_act_id", "project_id", "act_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"))
    label_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"))
    act_id: Mapped[int] = mapped_column(ForeignKey("acts.id", ondelete="CASCADE"))


class Remark(Base):
    """A user flagged a record (kind flag) or wrote about it (kind comment); undo withdraws it."""

    __tablename__ = "remarks"

    id: Mapped[int] = mapped_column(primary_key=True)
    act_id: Mapped[int] = mapped_column(ForeignKey("acts.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(String(10))
    body: Mapped[str] = mapped_column(Text, default="")
    remarked_at: Mapped[datetime] = mapped_column(default=utc_now)
    withdrawn_at: Mapped[datetime | None]


# --- training -----------------------------------------------------------------------------------


class TrainingRun(Base):
    """One way from labels to a version, durable: killed, it goes on at its last step.

    status: queued, running, succeeded, failed, cancelled; stage: collect, tune, evaluate, reindex,
    activate. At most one run of a project is queued or running (a unique partial index holds it).
    `encoder_id` is the version it published. `last_act_id` bounds what the run saw: labels of later
    acts count as changed since. `audit_until` is the audit stream that it left out.
    `snapshot_hash` is the sha256 of the frozen examples; `verdict` says why it was (not) activated.
    """

    __tablename__ = "training_runs"
    __table_args__ = (
        UniqueConstraint("project_id", "number"),
        Index(
            "uq_training_runs_one_at_a_time",
            "project_id",
            unique=True,
            sqlite_where=text("status IN ('queued', 'running')"),
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    recipe: Mapped[dict[str, Any]] = mapped_column(default=dict)
    is_forced: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    stage: Mapped[str] = mapped_column(String(20), default="collect")
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    attempt: Mapped[int] = mapped_column(default=1)
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    n_examples: Mapped[int | None]
    last_act_id: Mapped[int | None]
    snapshot_hash: Mapped[str | None] = mapped_column(String(64))
    audit_until: Mapped[str] = mapped_column(String(64), default="")
    encoder_id: Mapped[int | None] = mapped_column(
        ForeignKey("encoders.id", ondelete="SET NULL"), unique=True
    )
    verdict: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_asked_at: Mapped[datetime | None]


class RunEvent(Base):
    """A line of a run's log: what happened, at which stage."""

    __tablename__ = "run_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), index=True
    )
    happened_at: Mapped[datetime] = mapped_column(default=utc_now)
    stage: Mapped[str] = mapped_column(String(20))
    message: Mapped[str] = mapped_column(Text)


class LossPoint(Base):
    """The losses of a deep run after so many steps; one that was not measured then is null.

    `epoch` is passes over what is learned from, a fraction.
    """

    __tablename__ = "loss_points"

    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), primary_key=True
    )
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[float] = mapped_column(Float)
    train_loss: Mapped[float | None] = mapped_column(Float)
    validation_loss: Mapped[float | None] = mapped_column(Float)


class Evaluation(Base):
    """One number: this encoder, measured by this run, with its k, its n and its 95 % interval.

    `role`: raw; tuned; active, the version in use then; over_raw and over_active, tuned minus that
    one, query by query. `label_id`: of that label alone. `suggested_id`: of a confusion, what was
    suggested instead. `chance`: what random neighbours would score. docs/evaluation.md says what
    each metric means.
    """

    __tablename__ = "evaluations"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), index=True
    )
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoders.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(12))
    metric: Mapped[str] = mapped_column(String(40))
    k: Mapped[int | None]
    label_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id", ondelete="CASCADE"))
    suggested_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id", ondelete="CASCADE"))
    n: Mapped[int]
    value: Mapped[float] = mapped_column(Float)
    low: Mapped[float] = mapped_column(Float)
    high: Mapped[float] = mapped_column(Float)
    chance: Mapped[float | None] = mapped_column(Float)
