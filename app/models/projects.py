"""Projects, who belongs to them, and their labels."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Float,
    ForeignKey,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class Project(Base):
    """Records, a label set and encoder versions that belong together.

    `is_open`: every user may label in it; otherwise admins and its members alone.
    `min_labels`: labels changed since the last version before a run starts by itself; `policy`
    holds what else it waits for (app.training.runs.trigger_policy).
    `keep_versions`: so many tuned versions stay, beside those in use or pinned.
    `holdout_until`: records whose content_hash does not sort after it are the hold-out sample
    ("": none).
    `goal_n` or `goal_share`: how many records, or which share of all, are to be labeled; `goal_on`:
    until which day.
    `n_annotators_per_record` people annotate, each for themselves, the records whose content_hash
    does not sort before `multi_annotation_from` ("": there are none).
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
    has_auto_training: Mapped[bool] = mapped_column(default=True)
    policy: Mapped[dict[str, Any]] = mapped_column(default=dict)
    keep_versions: Mapped[int] = mapped_column(default=20)
    holdout_until: Mapped[str] = mapped_column(String(64), default="")
    goal_n: Mapped[int | None]
    goal_share: Mapped[float | None] = mapped_column(Float)
    goal_on: Mapped[date | None]
    multi_annotation_from: Mapped[str] = mapped_column(String(64), default="")
    n_annotators_per_record: Mapped[int] = mapped_column(default=2)
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
