"""Imports for the command line: what a file would become, and bringing it in."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.database import reading, transaction
from app.errors import AppError, Invalid, NotFound
from app.exchange import importing
from app.exchange.finding import SHOWN, rejects_of
from app.exchange.mapping import Mapping
from app.exchange.preview import SEARCHED_ROWS, preview_file
from app.models import Import, Project
from app.projects.projects import create_project, find_project, slug_of
from app.search.embedding import n_missing
from app.search.encoders import raw_encoder
from app.search.revisions import needs_index
from app.training.readiness import moving_run
from app.worker import work_until

COUNTS = ("n_rows", "n_read", "n_stored", "n_updated", "n_unchanged", "n_rejected")


class ImportFailed(AppError):
    """The import ended without having stored everything; the sentence says why."""


@dataclass(frozen=True)
class Wanted:
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

    def over(self, guessed: Mapping) -> Mapping:
        """The guess, with what was said in its place."""
        said: dict[str, Any] = {}
        if self.text:
            said |= {"text_columns": self.text, "text_template": "", "label_column": None}
        for name, value in (
            ("id_column", self.id_),
            ("label_column", self.label),
            ("text_template", self.template),
            ("label_separator", self.separator),
            ("encoding", self.encoding),
        ):
            if value:
                said[name] = value
        mapping = Mapping.model_validate(guessed.model_dump() | said)
        if mapping.id_column in mapping.text_columns or mapping.id_column == mapping.label_column:
            return mapping.model_copy(update={"id_column": self.id_ or None})
        return mapping


def look(slug: str, file: Path, wanted: Wanted, *, is_multi_label: bool) -> dict[str, Any]:
    """What would be imported, and how: nothing is stored. Raises Unreadable, Invalid."""
    _check_file(file)
    is_multi_label = _is_multi_label(slug, is_multi_label)
    seen = preview_file(file, file.name, is_multi_label=is_multi_label, encoding=wanted.encoding,
                        n_searched=SEARCHED_ROWS)  # fmt: skip
    if seen.mapping is None:
        raise Invalid(seen.problem or seen.fault)
    mapping = wanted.over(seen.mapping).checked(seen.source.columns)
    return {
        "columns": seen.source.columns,
        "mapping": mapping.model_dump(),
        "problem": seen.problem,
        "warnings": seen.warnings,
        "rows": [mapping.text_of(row) for row in seen.rows],
        "rejects": [vars(reject) for reject in seen.rejects],
    }


def bring(
    slug: str, file: Path, wanted: Wanted, *, is_multi_label: bool, is_waiting: bool
) -> dict[str, Any]:
    """Queue the import; with is_waiting, store, embed and index it here.

    Raises ImportFailed if it did not succeed, and what importing raises.
    """
    _check_file(file)
    is_multi_label = _is_multi_label(slug, is_multi_label)
    # First the file, which takes its time: while it is copied, others can write.
    arrived = importing.take_in(file.name, file, is_multi_label=is_multi_label)
    with transaction() as db:
        # In one transaction: a mapping that does not fit leaves no empty project behind.
        project = _present(db, slug) or create_project(db, slug, is_multi_label=is_multi_label)
        found = importing.note(db, project, None, arrived)
        if found.error is not None:
            raise ImportFailed(found.error)
        importing.start(db, found, wanted.over(_guessed(project, found, wanted)))
    if is_waiting:
        work_until(lambda: _is_done(project, found.id))
    with reading() as db:
        ended = db.get_one(Import, found.id)
        rejects = rejects_of(db, found.id, SHOWN)
    if ended.status in {"failed", "cancelled"}:
        raise ImportFailed(ended.error or "The import was cancelled.")
    facts = {name: getattr(ended, name) for name in ("id", "status", *COUNTS)}
    listed = [{"line": r.line, "column": r.column, "reason": r.reason} for r in rejects]
    return {"project": project.slug, **facts, "rejects": listed}


def _guessed(project: Project, found: Import, wanted: Wanted) -> Mapping:
    """What the names of the columns speak for, as they read in the encoding that was said."""
    if not wanted.encoding:
        return Mapping.model_validate(found.mapping)
    is_multi = project.is_multi_label
    seen = importing.preview(found, is_multi_label=is_multi, encoding=wanted.encoding)
    if seen.mapping is None:
        raise Invalid(seen.problem or seen.fault)
    return seen.mapping


def _check_file(file: Path) -> None:
    if not file.is_file():
        raise Invalid(f"There is no file {file}.")


def _is_multi_label(slug: str, is_wanted: bool) -> bool:
    """Whether the project is, or would be once it is made."""
    with reading() as db:
        project = _present(db, slug)
    return project.is_multi_label if project else is_wanted


def _present(db: Session, slug: str) -> Project | None:
    for name in (slug, slug_of(slug)):
        with suppress(NotFound):
            return find_project(db, name)
    return None


def _is_done(project: Project, import_id: int) -> bool:
    """Stored, embedded, indexed, and no run of its own accord left half-way."""
    with reading() as db:
        status = db.get_one(Import, import_id).status
        if status in {"failed", "cancelled"}:
            return True
        if status != "succeeded" or n_missing(db, project):
            return False
        if moving_run(db, project.id) is not None:
            return False
        return not needs_index(db, raw_encoder(db, project))
