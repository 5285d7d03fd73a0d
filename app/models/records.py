"""Records, imports and saved searches."""

import hashlib
import unicodedata
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, validates

from app.models.base import Base, utc_now
from app.models.enums import ImportStatus


def hash_normalized(text: str) -> str:
    """Return a hash that texts share if they differ in capitals and white space at most.

    Compatibility forms stay apart: ² is no 2, and an emoji is no other emoji.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    words = " ".join(folded.split())
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _hash_inserted_text(context: DefaultExecutionContext) -> str:
    row = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return hash_normalized(row["text"])


class Record(Base):
    """A text to label, with its fields. Written by app.exchange.

    `text` is what the encoder reads; `content_hash` (sha256, hex) is of that text alone, and
    `normalized_hash` of the text without its capitals and extra white space. `fields` keep the
    order of the file, which JSONB would lose.
    """

    __tablename__ = "records"
    __table_args__ = (
        UniqueConstraint("project_id", "external_id"),
        Index("ix_records_project_id_id", "project_id", "id"),
        Index("ix_records_project_id_content_hash", "project_id", "content_hash"),
        Index("ix_records_project_id_normalized_hash", "project_id", "normalized_hash"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(String(64))
    normalized_hash: Mapped[str] = mapped_column(String(32), default=_hash_inserted_text)
    fields: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)

    @validates("text")
    def _keep_hash(self, _name: str, text: str) -> str:
        self.normalized_hash = hash_normalized(text)
        return text


class Import(Base):
    """An imported file. Always: rows read = stored + updated + unchanged + rejected.

    status: an ImportStatus.
    `n_read` is also the row at which a killed import goes on. `n_repaired` rows were stored with
    U+FFFD in place of NUL characters, which not every database holds. `file` lies under the data
    folder, named by us; `mapping` is app.exchange.imports.mapping.Mapping as JSON.
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
    action_id: Mapped[int | None] = mapped_column(ForeignKey("actions.id"))
    status: Mapped[str] = mapped_column(String(20), default=ImportStatus.UPLOADED, index=True)
    attempt: Mapped[int] = mapped_column(default=1)
    n_rows: Mapped[int | None]
    n_read: Mapped[int] = mapped_column(default=0)
    n_stored: Mapped[int] = mapped_column(default=0)
    n_updated: Mapped[int] = mapped_column(default=0)
    n_unchanged: Mapped[int] = mapped_column(default=0)
    n_rejected: Mapped[int] = mapped_column(default=0)
    n_repaired: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ImportReject(Base):
    """A rejected row of a file, with its position and the reason."""

    __tablename__ = "import_rejects"

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), index=True)
    line: Mapped[int]
    column: Mapped[str | None] = mapped_column(String(300))
    reason: Mapped[str] = mapped_column(Text)


class SavedSearch(Base):
    """A search with a name; its results are computed whenever it is opened.

    `name` is unique in its project without case (`name_key`). `request` is a search of the records
    page as app.search.request writes it: parts of an address, by name.
    """

    __tablename__ = "saved_searches"
    __table_args__ = (UniqueConstraint("project_id", "name_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(120))
    name_key: Mapped[str] = mapped_column(String(240))
    request: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
