"""Similar records and exports for the command line."""

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import reading
from app.errors import Invalid, NotFound
from app.exchange.exporting import FORMATS, write_export
from app.models import Project, Record
from app.projects.labels import every_label
from app.projects.projects import find_project
from app.records.records import consensus_of, records_of
from app.search.similar import Seed, similar


def find_similar(slug: str, external_id: str, text: str, k: int) -> list[dict[str, Any]]:
    """The nearest records as plain values: rank, similarity, id, label, text."""
    with reading() as db:
        project = find_project(db, slug)
        seed = _of_record(db, project, external_id) if external_id else Seed("text", text=text)
        hits = similar(db, project, seed, k)
        records = records_of(db, [hit.record_id for hit in hits])
        agreed = consensus_of(db, [hit.record_id for hit in hits])
        names = {label.id: label.name for label in every_label(db, project.id)}
    return [
        {
            "rank": hit.rank,
            "similarity": round(hit.similarity, 6),
            "id": records[hit.record_id].external_id,
            "label": "|".join(names[i] for i in agreed.get(hit.record_id, []) if i) or None,
            "text": records[hit.record_id].text,
        }
        for hit in hits
    ]


def _of_record(db: Session, project: Project, external_id: str) -> Seed:
    named = (Record.project_id == project.id, Record.external_id == external_id)
    found = db.scalar(select(Record.id).where(*named))
    if found is None:
        raise NotFound(f"record {external_id!r}")
    return Seed("record", record_ids=(found,))


def export_to(slug: str, out: Path, format_: str, with_vectors: bool) -> dict[str, Any]:
    """Write the project's records to a file. Raises Invalid, Conflict while vectors are missing."""
    if format_ not in FORMATS:
        raise Invalid(f"The file ends in one of .{', .'.join(FORMATS)}, or --format names one.")
    if not out.resolve().parent.is_dir():
        raise Invalid(f"There is no folder {out.resolve().parent}.")
    with reading() as db:
        project = find_project(db, slug)
    write_export(project, out, format_, with_vectors=with_vectors)
    return {"file": str(out), "format": format_, "n_bytes": out.stat().st_size}
