"""Similar records and exports for the command line."""

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import read_session
from app.errors import Invalid, NotFound
from app.exchange.exports.export import FORMATS, write_export
from app.models import Project, Record
from app.projects.projects import find_named_project
from app.search.matches import load_similar_records
from app.search.request import SearchRequest
from app.search.similar import Seed


def find_similar(slug: str, external_id: str, text: str, k: int) -> list[dict[str, Any]]:
    """Find the nearest records as plain values: rank, similarity, id, label, text."""
    with read_session() as db:
        project = find_named_project(db, slug)
        seed = _find_seed(db, project, external_id) if external_id else Seed("text", text=text)
        _, found = load_similar_records(db, project, SearchRequest.near_to(seed, k))
    return [
        {
            "rank": each.rank,
            "similarity": round(each.similarity, 6),
            "id": each.record.external_id,
            "label": "|".join(label.name for label in each.labels if label) or None,
            "text": each.record.text,
        }
        for each in found
    ]


def _find_seed(db: Session, project: Project, external_id: str) -> Seed:
    named = (Record.project_id == project.id, Record.external_id == external_id)
    record_id = db.scalar(select(Record.id).where(*named))
    if record_id is None:
        raise NotFound(f"record {external_id!r}")
    return Seed("record", record_ids=(record_id,))


def export_to(slug: str, out: Path, format_: str, with_vectors: bool) -> dict[str, Any]:
    """Write the project's records to a file. Raises Invalid, Conflict while vectors are missing."""
    if format_ not in FORMATS:
        raise Invalid(
            f"The file name must end in one of .{', .'.join(FORMATS)}, or --format names one."
        )
    if not out.resolve().parent.is_dir():
        raise Invalid(f"Folder not found: {out.resolve().parent}.")
    with read_session() as db:
        project = find_named_project(db, slug)
    write_export(project, out, format_, with_vectors=with_vectors)
    return {"file": str(out), "format": format_, "n_bytes": out.stat().st_size}
