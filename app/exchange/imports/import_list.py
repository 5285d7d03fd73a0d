"""Queries for imports and their rejected rows."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import read_session
from app.exchange.imports.imports import find_import
from app.models import Import, ImportReject
from app.projects.access import AdminProject

MAX_SHOWN_REJECTS = 20


def load_imports(db: Session, project_id: int, limit: int = 50) -> list[Import]:
    """List the project's imports, newest first."""
    query = select(Import).where(Import.project_id == project_id)
    return list(db.scalars(query.order_by(Import.id.desc()).limit(limit)))


def load_rejects(db: Session, import_id: int, limit: int | None = None) -> list[ImportReject]:
    """List the rejected rows in file order; at most 10,000 are kept."""
    query = select(ImportReject).where(ImportReject.import_id == import_id)
    return list(db.scalars(query.order_by(ImportReject.id).limit(limit)))


def require_import(project: AdminProject, import_id: int) -> Import:
    """Return the import of the URL, read before the route's own transaction begins."""
    with read_session() as db:
        return find_import(db, project.id, import_id)


CurrentImport = Annotated[Import, Depends(require_import)]
