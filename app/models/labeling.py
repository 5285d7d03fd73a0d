"""Sessions, and what people said about records."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class LabelingSession(Base):
    """An ordered list of records to label, frozen when it was started, with its encoder version.

    `seed_kind`: one of app.labeling.sessions.kinds.SessionKind.
    `seed` holds the ids or the text, and the filters, that it was started from, and `why`, if it
    was the product's choice. `hidden_at`: since when its starter does not want it listed any more.
    """

    __tablename__ = "labeling_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    version_id: Mapped[int | None] = mapped_column(ForeignKey("versions.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    seed_kind: Mapped[str] = mapped_column(String(20))
    seed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    title: Mapped[str] = mapped_column(String(300))
    n_records: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    hidden_at: Mapped[datetime | None]


class Assignment(Base):
    """This user shall label this session, says `by_id`. Written only by app.labeling.

    Of a session that is assigned to several people, nobody sees what others said about a row before
    judging it.
    """

    __tablename__ = "assignments"

    session_id: Mapped[int] = mapped_column(
        ForeignKey("labeling_sessions.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    assigned_at: Mapped[datetime] = mapped_column(default=utc_now)


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


class UserAction(Base):
    """One thing a person did at once, and can undo at once: a label, a page accept, an import.

    `key` is the idempotency key that the browser sent: a retry finds the first answer here.
    `request_hash` tells a retry from another request with the same key; it is missing on imports
    and on acts from before it was kept. kind: single, page, remark, unflag, import.
    `active_seconds` is how long it took since the same user's act or undo before it in the project;
    0 after a pause of more than two minutes.
    """

    __tablename__ = "actions"
    __table_args__ = (
        UniqueConstraint("project_id", "user_id", "key"),
        Index("ix_acts_project_id_user_id_id", "project_id", "user_id", "id"),
        Index("ix_acts_project_id_acted_at", "project_id", "performed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    session_id: Mapped[int | None] = mapped_column(
        ForeignKey("labeling_sessions.id", ondelete="SET NULL")
    )
    kind: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(String(80))
    request_hash: Mapped[str | None] = mapped_column(String(64))
    performed_at: Mapped[datetime] = mapped_column(default=utc_now)
    active_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    undone_at: Mapped[datetime | None]


class Annotation(Base):
    """One user's say about a record. Append-only: a newer act supersedes it, undo withdraws it.

    verdict: a Verdict; not_similar supersedes nothing. In a multi-label project one say is several
    rows of the same act. source: an AnnotationSource. A user's current say about a record is the
    rows of the newest act among those not withdrawn and not not_similar; what came by import is a
    voter of its own, who yields to what people say by hand. Written only by app.labeling and
    app.exchange, always together with the record's consensus.
    """

    __tablename__ = "annotations"
    __table_args__ = (
        UniqueConstraint("action_id", "record_id", "label_id"),
        Index("ix_annotations_record_id_user_id", "record_id", "user_id"),
        Index("ix_annotations_project_id_id", "project_id", "id"),
        # Progress counts all of them by these, without opening a row.
        Index(
            "ix_annotations_who_where_how",
            "project_id",
            "user_id",
            "session_id",
            "source",
            "verdict",
            "withdrawn_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    action_id: Mapped[int] = mapped_column(ForeignKey("actions.id", ondelete="CASCADE"), index=True)
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
    version_id: Mapped[int | None] = mapped_column(ForeignKey("versions.id", ondelete="SET NULL"))
    suggestion_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"))
    suggestion_score: Mapped[float | None] = mapped_column(Float)
    milliseconds: Mapped[int | None]
    annotated_at: Mapped[datetime] = mapped_column(default=utc_now)
    withdrawn_at: Mapped[datetime | None]


class Consensus(Base):
    """What the current annotations of a record agree on; no row means unlabeled (a tie, too).

    Derived from annotations in the same transaction, so that filters need no grouping; `likewise
    verify` recomputes it. label_id is null for "none of these". A multi-label record has a row
    for each label. `action_id` is the act that brought it about.
    """

    __tablename__ = "consensus"
    __table_args__ = (
        UniqueConstraint("record_id", "label_id"),
        Index("ix_consensus_project_id_label_id", "project_id", "label_id"),
        Index("ix_consensus_project_id_act_id", "project_id", "action_id", "label_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"))
    label_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"))
    action_id: Mapped[int] = mapped_column(ForeignKey("actions.id", ondelete="CASCADE"))


class Comment(Base):
    """A user flagged a record (kind flag) or wrote about it (kind comment); undo withdraws it."""

    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    action_id: Mapped[int] = mapped_column(ForeignKey("actions.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(String(10))
    body: Mapped[str] = mapped_column(Text, default="")
    commented_at: Mapped[datetime] = mapped_column(default=utc_now)
    withdrawn_at: Mapped[datetime | None]
