"""Versions, embeddings, artifacts and activations."""

from datetime import datetime

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class Version(Base):
    """A version of the encoder.

    kind, a VersionKind: raw, the base model; head, tuned on top of a raw or a deep version's
    vectors, which `base_version_id` names; deep, an encoder tuned whole, with embeddings of its own
    like a raw one, and a head on top of them.

    `number` counts within the project, from 1, when the version is whole. A deep version whose
    embeddings are still being made has minus its run's id, and nobody finds it.

    `runtime` computes all of a raw or deep version's vectors: torch, openvino or openvino-int8,
    settled once, before the first of them, for the reason that stands beside it. None until then.

    `is_pinned`: the retention rule leaves it. `deleted_at`: its files and embeddings are gone; the
    row stays for what was labeled with it.
    """

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    base_model: Mapped[str] = mapped_column(String(300))
    base_version_id: Mapped[int | None] = mapped_column(ForeignKey("versions.id"))
    runtime: Mapped[str | None] = mapped_column(String(20))
    runtime_reason: Mapped[str] = mapped_column(Text, default="")
    note: Mapped[str] = mapped_column(Text, default="")
    is_pinned: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Embedding(Base):
    """The raw vector of a record's text: float32, little-endian, length 1, as bytes.

    `content_hash` tells which text it is of: where it differs from the record's, it is stale.
    `embedded_at` tells which index revisions hold this vector: those that were read later.
    """

    __tablename__ = "embeddings"
    __table_args__ = (
        # With the record's id, so that counting what is missing reads no vectors.
        Index("ix_embeddings_content_hash", "version_id", "content_hash", "record_id"),
        Index("ix_embeddings_embedded_at", "version_id", "embedded_at"),
    )

    version_id: Mapped[int] = mapped_column(
        ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True
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
    do), map and sketch (a revision of their own), figures (once), graph. `last_action_id`:
    the newest action whose labels the suggestions know; where it is missing they know what their
    version's run saw.
    """

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("version_id", "kind", "revision"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    revision: Mapped[int] = mapped_column(default=1)
    file: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    n_bytes: Mapped[int]
    n_records: Mapped[int] = mapped_column(default=0)
    last_action_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Activation(Base):
    """An activation of a version. The newest row of a project applies; rows never change."""

    __tablename__ = "activations"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    reason: Mapped[str] = mapped_column(Text, default="")
    activated_at: Mapped[datetime] = mapped_column(default=utc_now)
