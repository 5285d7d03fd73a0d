"""Imports as pages and programs look at them."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import reading
from app.exchange.importing import find_import
from app.models import Import, ImportReject
from app.projects.access import AdminsProject

SHOWN = 20


def imports_of(db: Session, project_id: int, limit: int = 50) -> list[Import]:
    """The project's imports, the newest first."""
    ours = select(Import).where(Import.project_id == project_id)
    return list(db.scalars(ours.order_by(Import.id.desc()).limit(limit)))


def rejects_of(db: Session, import_id: int, limit: int | None = None) -> list[ImportReject]:
    """Rejected rows in the order of the file; at most 10,000 are kept."""
    ours = select(ImportReject).where(ImportReject.import_id == import_id)
    return list(db.scalars(ours.order_by(ImportReject.id).limit(limit)))


def require_import(project: AdminsProject, import_id: int) -> Import:
    """The import of the URL, read before the route's own transaction begins."""
    with reading() as db:
        return find_import(db, project.id, import_id)


OurImport = Annotated[Import, Depends(require_import)]
