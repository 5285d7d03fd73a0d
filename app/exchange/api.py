"""The exchange room for programs."""

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.database import Db, ReadDb, transaction
from app.errors import Invalid, fault_in_words
from app.exchange.answers import (
    ImportAnswer,
    PreviewAnswer,
    RecordsIn,
    RejectAnswer,
    Stored,
)
from app.exchange.downloads import export_answer
from app.exchange.finding import OurImport, imports_of, rejects_of
from app.exchange.importing import cancel, find_import, receive, start
from app.exchange.mapping import Mapping
from app.exchange.preview import N_ROWS, SEARCHED_ROWS, preview_file
from app.exchange.reading import Unreadable
from app.exchange.receiving import Uploaded
from app.exchange.uploads import keep
from app.exchange.upserting import upsert
from app.projects.access import AdminsProject, InProject
from app.records.filters import Filters

router = APIRouter(prefix="/api/v1", tags=["exchange"])


@router.post("/projects/{slug}/imports", status_code=201)
def create_import(
    project: AdminsProject, user: CurrentUser, upload: Uploaded, dry_run: bool = False,
    mapping: str = Query("", description="A mapping as JSON; without it the suggested one."),
) -> ImportAnswer | PreviewAnswer:  # fmt: skip
    """Send a file, as the form's `file` or as the body, and have it imported.

    With dry_run nothing is kept: the answer is the preview, with the mapping it suggests.
    """
    chosen = _mapping(mapping)
    if dry_run:
        return _preview(upload, chosen, is_multi_label=project.is_multi_label)
    with transaction() as db:
        # Whoever sends a mapping may store what the suggested one cannot.
        n_searched = 0 if chosen else N_ROWS
        found = receive(db, project, user.id, upload.name, upload.file, n_searched=n_searched)
    if found.error is not None:
        raise Unreadable(found.error)
    with transaction() as db:
        return ImportAnswer.of(start(db, found, chosen or Mapping.model_validate(found.mapping)))


def _mapping(sent: str) -> Mapping | None:
    try:
        return Mapping.model_validate_json(sent) if sent else None
    except ValidationError as error:
        raise Invalid(f"mapping: {fault_in_words(error.errors())}") from error


def _preview(upload: Uploaded, chosen: Mapping | None, *, is_multi_label: bool) -> PreviewAnswer:
    path = keep(upload.file)
    try:
        seen = preview_file(
            path, upload.name, is_multi_label=is_multi_label,
            encoding=chosen.encoding if chosen else "",
            delimiter=chosen.delimiter if chosen else "",
            n_searched=SEARCHED_ROWS,
        )  # fmt: skip
    finally:
        path.unlink()
    if chosen:
        chosen.checked(seen.source.columns)
    return PreviewAnswer.of(seen)


@router.get("/projects/{slug}/imports")
def list_imports(project: AdminsProject, db: ReadDb) -> list[ImportAnswer]:
    """The newest 50 imports."""
    return [ImportAnswer.of(each) for each in imports_of(db, project.id)]


@router.get("/projects/{slug}/imports/{import_id}")
def read_import(found: OurImport) -> ImportAnswer:
    """One import, with its counts."""
    return ImportAnswer.of(found)


@router.get("/projects/{slug}/imports/{import_id}/rejects")
def list_rejects(found: OurImport, db: ReadDb) -> list[RejectAnswer]:
    """The rows that were not stored, and why; at most 10,000 are kept."""
    return [RejectAnswer.model_validate(each) for each in rejects_of(db, found.id)]


@router.post("/projects/{slug}/imports/{import_id}/cancel")
def stop_import(project: AdminsProject, found: OurImport, db: Db) -> ImportAnswer:
    """Stop it after the rows that are stored."""
    cancel(db, found)
    return ImportAnswer.of(find_import(db, project.id, found.id))


@router.post("/projects/{slug}/records")
def upsert_records(project: AdminsProject, user: CurrentUser, sent: RecordsIn) -> Stored:
    """Store up to 1,000 records, or update those whose external id is there already."""
    tally, rejects = upsert(project, user.id, sent.records)
    return Stored(
        n_stored=tally.n_stored, n_updated=tally.n_updated, n_unchanged=tally.n_unchanged,
        rejects=[RejectAnswer.model_validate(each) for each in rejects],
    )  # fmt: skip


@router.get("/projects/{slug}/exports", response_class=Response)
def read_export(
    request: Request, project: InProject,
    format: str = "jsonl", rows: str = "records", vectors: bool = False,  # noqa: A002
) -> Response:  # fmt: skip
    """Records or annotations as a file; narrowed by q, state, label, field and value."""
    filters = Filters.from_query(request.query_params)
    return export_answer(project, format, rows, filters, with_vectors=vectors)
