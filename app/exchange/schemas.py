"""Request and response models of imports, exports and record uploads."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from app.exchange.imports.mapping import Mapping
from app.exchange.imports.preview import Preview
from app.models import Import
from app.models.enums import ImportStatus
from app.web.schemas import StrictModel


class ImportResponse(StrictModel):
    """An import: rows read = stored + updated + unchanged + rejected."""

    id: int
    file_name: str
    format: str
    status: ImportStatus
    n_rows: int | None
    n_read: int
    n_stored: int
    n_updated: int
    n_unchanged: int
    n_rejected: int
    n_repaired: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, import_row: Import) -> Self:
        """Build the response from the database row."""
        return cls.model_validate(import_row)


class RejectResponse(StrictModel):
    """A rejected row. `line` is its first line in the file, or its position in the request."""

    line: int
    column: str | None
    reason: str


class PreviewResponse(StrictModel):
    """The first rows of a file and the suggested column mapping; nothing is stored."""

    format: str
    encoding: str
    delimiter: str
    columns: list[str]
    left_out: list[str]
    problem: str
    warnings: list[str]
    rows: list[dict[str, str]]
    rejects: list[RejectResponse]
    mapping: Mapping | None

    @classmethod
    def of(cls, preview: Preview) -> Self:
        """Build the response from the preview."""
        source = preview.source
        return cls(
            format=source.format,
            encoding=source.encoding,
            delimiter=source.delimiter,
            columns=source.columns,
            left_out=source.left_out,
            problem=preview.problem,
            warnings=preview.warnings,
            rows=preview.rows,
            mapping=preview.mapping,
            rejects=[RejectResponse.model_validate(reject) for reject in preview.rejects],
        )


class RecordIn(StrictModel):
    """A record to store or update. Without external_id it is identified by its text."""

    external_id: str | None = None
    text: str
    fields: dict[str, Any] = Field(default={}, max_length=256)
    label: str | list[str] | None = None


class RecordsIn(StrictModel):
    """At most 1,000 records, stored in one transaction."""

    records: list[RecordIn] = Field(min_length=1, max_length=1000)


class UpsertResponse(StrictModel):
    """Counts of the records, and rejects; `line` is the position in the request, from 1."""

    n_stored: int
    n_updated: int
    n_unchanged: int
    rejects: list[RejectResponse]
