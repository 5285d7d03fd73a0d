"""The exchange room for people."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb
from app.errors import AppError, Invalid, validation_message
from app.exchange.exports.downloads import export_response, rejects_response
from app.exchange.imports.csv_rows import DELIMITERS
from app.exchange.imports.import_list import (
    MAX_SHOWN_REJECTS,
    CurrentImport,
    load_imports,
    load_rejects,
)
from app.exchange.imports.imports import (
    cancel,
    preview_import,
    queue_import,
    receive_import,
    retry_import,
)
from app.exchange.imports.mapping import Mapping
from app.exchange.imports.preview import SEARCHED_ROWS
from app.exchange.imports.upload_stream import IncomingUpload
from app.labeling.annotations.counts import count_by_label
from app.models import Import, Label, Project
from app.models.enums import ImportStatus
from app.projects.access import AdminProject, CurrentProject
from app.projects.labels import label_set
from app.records.filters import STATES, Filters
from app.records.records import count_records
from app.search.suggestion_filters import resolve_suggestion_filters
from app.settings import settings
from app.web.templating import redirect_to, render, wants_fragment

router = APIRouter(include_in_schema=False)
FEW = 5
"""A label with fewer records is too rare to be learned well and to be measured: see
app.training.reports.advice."""
DELIMITER_NAMES = dict(zip(DELIMITERS, ("comma", "semicolon", "tab", "bar"), strict=True))


@router.get("/projects/{slug}/imports")
def show_imports(request: Request, project: AdminProject, db: ReadDb) -> HTMLResponse:
    """Upload a file, and what became of the earlier ones."""
    return render(
        request,
        "exchange/imports.html",
        project=project,
        imports=load_imports(db, project.id),
        max_upload_mb=settings().max_upload_mb,
    )


@router.post("/projects/{slug}/imports")
def upload_import(
    request: Request, project: AdminProject, user: CurrentUser, upload: IncomingUpload, db: Db
) -> Response:
    """Keep the file, then show what is in it."""
    found = receive_import(db, project, user.id, upload.name, upload.file)
    return redirect_to(request, "show_import", slug=project.slug, import_id=found.id)


@router.get("/projects/{slug}/imports/{import_id}")
def show_import(
    request: Request,
    project: AdminProject,
    found: CurrentImport,
    db: ReadDb,
    encoding: Annotated[str, Query(max_length=40)] = "",
    delimiter: Annotated[str, Query(max_length=1)] = "",
) -> HTMLResponse:
    """Map the columns; once it is started, its progress and its result."""
    if found.status == ImportStatus.UPLOADED:
        return _show_mapping(request, project, found, encoding, delimiter)
    template = "exchange/_import.html" if wants_fragment(request) else "exchange/import.html"
    rejects = load_rejects(db, found.id, MAX_SHOWN_REJECTS)
    has_labels = found.status == ImportStatus.SUCCEEDED and bool(found.mapping.get("label_column"))
    return render(
        request,
        template,
        project=project,
        found=found,
        rejects=rejects,
        few=FEW,
        label_counts=_label_counts(db, project) if has_labels else [],
    )


def _label_counts(db: Session, project: Project) -> list[tuple[Label, int]]:
    """Return the project's labels with their records, the most frequent first."""
    counts = count_by_label(db, project.id)
    found = [(label, counts.get(label.id, 0)) for label in label_set(db, project.id)]
    return sorted(found, key=lambda each: -each[1])


def _show_mapping(
    request: Request, project: Project, found: Import, encoding: str, delimiter: str
) -> HTMLResponse:
    sentence, seen = "", None
    try:
        seen = preview_import(
            found,
            is_multi_label=project.is_multi_label,
            encoding=encoding,
            delimiter=delimiter,
            n_searched=SEARCHED_ROWS,
        )
    except AppError as error:
        # The choice of another encoding is on this very page.
        sentence = error.sentence
    return render(
        request,
        "exchange/mapping.html",
        project=project,
        found=found,
        seen=seen,
        sentence=sentence,
        encoding=encoding,
        delimiter=delimiter,
        delimiters=DELIMITER_NAMES,
        status=422 if sentence else 200,
    )


@router.post("/projects/{slug}/imports/{import_id}/start")
def start_import(
    request: Request,
    project: AdminProject,
    found: CurrentImport,
    db: Db,
    text_columns: Annotated[list[str] | None, Form()] = None,
    text_template: Annotated[str, Form(max_length=2000)] = "",
    id_column: Annotated[str, Form()] = "",
    label_column: Annotated[str, Form()] = "",
    answer_column: Annotated[str, Form()] = "",
    label_separator: Annotated[str, Form(max_length=5)] = "",
    left_out: Annotated[list[str] | None, Form()] = None,
    encoding: Annotated[str, Form(max_length=40)] = "",
    delimiter: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Queue it with the mapping of the form."""
    if not text_columns:
        raise Invalid("Choose at least one text column.")
    try:
        mapping = Mapping(
            text_columns=text_columns,
            text_template=text_template,
            id_column=id_column or None,
            label_column=label_column or None,
            answer_column=answer_column,
            label_separator=label_separator,
            left_out=left_out or [],
            encoding=encoding,
            delimiter=delimiter,
        )
    except ValidationError as error:
        raise Invalid(validation_message(error.errors())) from error
    queue_import(db, found, mapping)
    return redirect_to(request, "show_import", slug=project.slug, import_id=found.id)


@router.post("/projects/{slug}/imports/{import_id}/cancel")
def cancel_import(
    request: Request, project: AdminProject, found: CurrentImport, db: Db
) -> Response:
    """Stop it after the rows that are stored."""
    cancel(db, found)
    return redirect_to(request, "show_import", slug=project.slug, import_id=found.id)


@router.post("/projects/{slug}/imports/{import_id}/retry")
def try_import_again(
    request: Request, project: AdminProject, found: CurrentImport, db: Db
) -> Response:
    """Go on after the last stored row."""
    retry_import(db, found)
    return redirect_to(request, "show_import", slug=project.slug, import_id=found.id)


@router.get("/projects/{slug}/imports/{import_id}/rejects.csv")
def download_rejects(found: CurrentImport, db: ReadDb) -> Response:
    """Line, column and reason of every rejected row."""
    return rejects_response(load_rejects(db, found.id), found.id)


@router.get("/projects/{slug}/exports")
def show_exports(request: Request, project: CurrentProject, db: ReadDb) -> HTMLResponse:
    """Choose what to take away."""
    filters = Filters.from_query(request.query_params)
    return render(
        request,
        "exchange/exports.html",
        project=project,
        filters=filters,
        states=STATES,
        labels=label_set(db, project.id),
        n_records=count_records(db, project.id, resolve_suggestion_filters(db, project, filters)),
        n_labeled=count_records(db, project.id, Filters(state="labeled")),
    )


@router.get("/projects/{slug}/exports/file")
def download_export(
    request: Request,
    project: CurrentProject,
    format: str = "csv",  # noqa: A002 - the field's name in the form
    rows: str = "records",
    vectors: bool = False,
) -> Response:
    """Download the file."""
    return export_response(project, format, rows, request.query_params, with_vectors=vectors)
