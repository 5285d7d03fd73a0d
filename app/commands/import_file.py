"""Imports on the command line: preview and run."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import AppError, Invalid, NotFound
from app.exchange.imports import imports as importing
from app.exchange.imports.import_list import MAX_SHOWN_REJECTS, load_rejects
from app.exchange.imports.mapping import Mapping
from app.exchange.imports.preview import SEARCHED_ROWS, preview_file
from app.models import Import, Project
from app.models.enums import ImportStatus
from app.projects.projects import create_project, find_named_project
from app.search.embedding import count_missing
from app.search.index_revisions import needs_index
from app.search.versions import get_or_create_raw_version
from app.training.runs.readiness import find_moving_run
from app.worker import work_until

COUNTS = ("n_rows", "n_read", "n_stored", "n_updated", "n_unchanged", "n_rejected")


class ImportFailed(AppError):
    """The import ended without having stored everything; the sentence says why."""


@dataclass(frozen=True)
class ColumnOptions:
    """What the command line says about the columns; what it leaves out is guessed from names.

    A label column is guessed only if no text column is given either: whoever names columns names
    the labels, too.
    """

    text: list[str]
    id_: str
    label: str
    template: str
    separator: str
    encoding: str = ""

    def apply_to(self, guessed: Mapping) -> Mapping:
        """Return the guess, replaced where options were given."""
        overrides: dict[str, Any] = {}
        if self.text:
            overrides |= {"text_columns": self.text, "text_template": "", "label_column": None}
        for name, value in (
            ("id_column", self.id_),
            ("label_column", self.label),
            ("text_template", self.template),
            ("label_separator", self.separator),
            ("encoding", self.encoding),
        ):
            if value:
                overrides[name] = value
        mapping = Mapping.model_validate(guessed.model_dump() | overrides)
        if mapping.id_column in mapping.text_columns or mapping.id_column == mapping.label_column:
            return mapping.model_copy(update={"id_column": self.id_ or None})
        return mapping


def preview_import(
    slug: str, file: Path, options: ColumnOptions, *, is_multi_label: bool
) -> dict[str, Any]:
    """Preview an import without storing anything. Raises Unreadable, Invalid."""
    _check_file(file)
    is_multi_label = _is_multi_label(slug, is_multi_label)
    preview = preview_file(
        file,
        file.name,
        is_multi_label=is_multi_label,
        encoding=options.encoding,
        n_searched=SEARCHED_ROWS,
    )
    if preview.mapping is None:
        raise Invalid(preview.problem or preview.fault)
    mapping = options.apply_to(preview.mapping).require_columns(preview.source.columns)
    return {
        "columns": preview.source.columns,
        "mapping": mapping.model_dump(),
        "problem": preview.problem,
        "warnings": preview.warnings,
        "rows": [mapping.compose_text(row) for row in preview.rows],
        "rejects": [vars(reject) for reject in preview.rejects],
    }


def run_import(
    slug: str, file: Path, options: ColumnOptions, *, is_multi_label: bool, is_waiting: bool
) -> dict[str, Any]:
    """Queue the import; with is_waiting, store, embed and index it here.

    Raises ImportFailed if it did not succeed, and what importing raises.
    """
    _check_file(file)
    is_multi_label = _is_multi_label(slug, is_multi_label)
    # First the file, which takes its time: while it is copied, others can write.
    received = importing.receive_file(file.name, file, is_multi_label=is_multi_label)
    with write_session() as db:
        # In one transaction: a mapping that does not fit leaves no empty project behind.
        project = _find_existing(db, slug) or create_project(
            db, slug, is_multi_label=is_multi_label
        )
        import_row = importing.add_import(db, project, None, received)
        if import_row.error is not None:
            raise ImportFailed(import_row.error)
        importing.queue_import(
            db, import_row, options.apply_to(_guess_mapping(project, import_row, options))
        )
    if is_waiting:
        work_until(lambda: _is_done(project, import_row.id))
    with read_session() as db:
        ended = db.get_one(Import, import_row.id)
        rejects = load_rejects(db, import_row.id, MAX_SHOWN_REJECTS)
    if ended.status in {ImportStatus.FAILED, ImportStatus.CANCELLED}:
        raise ImportFailed(ended.error or "The import was cancelled.")
    facts = {name: getattr(ended, name) for name in ("id", "status", *COUNTS)}
    listed = [{"line": r.line, "column": r.column, "reason": r.reason} for r in rejects]
    return {"project": project.slug, **facts, "rejects": listed}


def _guess_mapping(project: Project, import_row: Import, options: ColumnOptions) -> Mapping:
    """Guess the mapping from the columns' names, read in the given encoding."""
    if not options.encoding:
        return Mapping.model_validate(import_row.mapping)
    is_multi = project.is_multi_label
    preview = importing.preview_import(
        import_row, is_multi_label=is_multi, encoding=options.encoding
    )
    if preview.mapping is None:
        raise Invalid(preview.problem or preview.fault)
    return preview.mapping


def _check_file(file: Path) -> None:
    if not file.is_file():
        raise Invalid(f"File not found: {file}.")


def _is_multi_label(slug: str, is_wanted: bool) -> bool:
    """Whether the project is, or would be once it is made."""
    with read_session() as db:
        project = _find_existing(db, slug)
    return project.is_multi_label if project else is_wanted


def _find_existing(db: Session, slug: str) -> Project | None:
    with suppress(NotFound):
        return find_named_project(db, slug)
    return None


def _is_done(project: Project, import_id: int) -> bool:
    """Return whether all is stored, embedded and indexed, and no automatic run is left half-way."""
    with read_session() as db:
        status = db.get_one(Import, import_id).status
        if status in {ImportStatus.FAILED, ImportStatus.CANCELLED}:
            return True
        if status != ImportStatus.SUCCEEDED or count_missing(db, project):
            return False
        if find_moving_run(db, project.id) is not None:
            return False
        return not needs_index(db, get_or_create_raw_version(db, project))
