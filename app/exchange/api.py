"""API of imports, exports and record uploads."""

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb, write_session
from app.errors import Invalid, validation_message
from app.exchange.exports.downloads import export_response
from app.exchange.imports.import_list import CurrentImport, load_imports, load_rejects
from app.exchange.imports.imports import cancel, find_import, queue_import, receive_import
from app.exchange.imports.mapping import Mapping
from app.exchange.imports.parsed_rows import Unreadable
from app.exchange.imports.preview import N_ROWS, SEARCHED_ROWS, preview_file
from app.exchange.imports.upload_stream import IncomingUpload
from app.exchange.imports.uploads import save_upload
from app.exchange.imports.upsert import upsert
from app.exchange.schemas import (
    ImportResponse,
    PreviewResponse,
    RecordsIn,
    RejectResponse,
    UpsertResponse,
)
from app.projects.access import AdminProject, CurrentProject

router = APIRouter(prefix="/api/v1", tags=["exchange"])


@router.post("/projects/{slug}/imports", status_code=201)
def create_import(
    project: AdminProject,
    user: CurrentUser,
    upload: IncomingUpload,
    dry_run: bool = False,
    mapping: str = Query("", description="Column mapping as JSON. Default: the suggested mapping."),
) -> ImportResponse | PreviewResponse:
    """Import a file, sent as the form field `file` or as the request body.

    With dry_run nothing is stored; the response is a preview with the suggested mapping.
    """
    chosen_mapping = _parse_mapping(mapping)
    if dry_run:
        return _preview(upload, chosen_mapping, is_multi_label=project.is_multi_label)
    with write_session() as db:
        # A mapping that is sent may work where the suggested one does not.
        n_searched = 0 if chosen_mapping else N_ROWS
        import_row = receive_import(
            db, project, user.id, upload.name, upload.file, n_searched=n_searched
        )
    if import_row.error is not None:
        raise Unreadable(import_row.error)
    with write_session() as db:
        return ImportResponse.of(
            queue_import(
                db, import_row, chosen_mapping or Mapping.model_validate(import_row.mapping)
            )
        )


def _parse_mapping(sent: str) -> Mapping | None:
    try:
        return Mapping.model_validate_json(sent) if sent else None
    except ValidationError as error:
        raise Invalid(f"mapping: {validation_message(error.errors())}") from error


def _preview(
    upload: IncomingUpload, chosen_mapping: Mapping | None, *, is_multi_label: bool
) -> PreviewResponse:
    path = save_upload(upload.file)
    try:
        seen = preview_file(
            path,
            upload.name,
            is_multi_label=is_multi_label,
            encoding=chosen_mapping.encoding if chosen_mapping else "",
            delimiter=chosen_mapping.delimiter if chosen_mapping else "",
            n_searched=SEARCHED_ROWS,
        )
    finally:
        path.unlink()
    if chosen_mapping:
        chosen_mapping.require_columns(seen.source.columns)
    return PreviewResponse.of(seen)


@router.get("/projects/{slug}/imports")
def list_imports(project: AdminProject, db: ReadDb) -> list[ImportResponse]:
    """List the newest 50 imports."""
    return [ImportResponse.of(each) for each in load_imports(db, project.id)]


@router.get("/projects/{slug}/imports/{import_id}")
def read_import(import_row: CurrentImport) -> ImportResponse:
    """Return an import with its row counts."""
    return ImportResponse.of(import_row)


@router.get("/projects/{slug}/imports/{import_id}/rejects")
def list_rejects(import_row: CurrentImport, db: ReadDb) -> list[RejectResponse]:
    """List the rejected rows with the reason; at most 10,000 are kept."""
    return [RejectResponse.model_validate(reject) for reject in load_rejects(db, import_row.id)]


@router.post("/projects/{slug}/imports/{import_id}/cancel")
def stop_import(project: AdminProject, import_row: CurrentImport, db: Db) -> ImportResponse:
    """Cancel an import. Rows stored so far are kept."""
    cancel(db, import_row)
    return ImportResponse.of(find_import(db, project.id, import_row.id))


@router.post("/projects/{slug}/records")
def upsert_records(project: AdminProject, user: CurrentUser, sent: RecordsIn) -> UpsertResponse:
    """Store up to 1,000 records. Records with an existing external id are updated."""
    tally, rejects = upsert(project, user.id, sent.records)
    return UpsertResponse(
        n_stored=tally.n_stored,
        n_updated=tally.n_updated,
        n_unchanged=tally.n_unchanged,
        rejects=[RejectResponse.model_validate(reject) for reject in rejects],
    )


@router.get("/projects/{slug}/exports", response_class=Response)
def read_export(
    request: Request,
    project: CurrentProject,
    format: str = "jsonl",  # noqa: A002 - the field's name in the form
    rows: str = "records",
    vectors: bool = False,
) -> Response:
    """Download records or annotations as a file, filtered by q, state, label, field and value."""
    return export_response(project, format, rows, request.query_params, with_vectors=vectors)
