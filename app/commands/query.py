"""Similar records and exports for the command line."""

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import read_session
from app.errors import Invalid, NotFound
from app.exchange.exports.export import FORMATS, write_export
from app.models import Project, Record
from app.projects.labels import list_all_labels
from app.projects.projects import find_named_project
from app.records.records import load_consensus, load_records
from app.search.similar import Seed, find_neighbours


def find_similar(slug: str, external_id: str, text: str, k: int) -> list[dict[str, Any]]:
    """The nearest records as plain values: rank, similarity, id, label, text."""
    with read_session() as db:
        project = find_named_project(db, slug)
        seed = _find_seed(db, project, external_id) if external_id else Seed("text", text=text)
        hits = find_neighbours(db, project, seed, k)
        records = load_records(db, [hit.record_id for hit in hits])
        consensus = load_consensus(db, [hit.record_id for hit in hits])
        names = {label.id: label.name for label in list_all_labels(db, project.id)}
    return [
        {
            "rank": hit.rank,
            "similarity": round(hit.similarity, 6),
            "id": records[hit.record_id].external_id,
            "label": "|".join(names[i] for i in consensus.get(hit.record_id, []) if i) or None,
            "text": records[hit.record_id].text,
        }
        for hit in hits
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
        raise Invalid(f"The file ends in one of .{', .'.join(FORMATS)}, or --format names one.")
    if not out.resolve().parent.is_dir():
        raise Invalid(f"There is no folder {out.resolve().parent}.")
    with read_session() as db:
        project = find_named_project(db, slug)
    write_export(project, out, format_, with_vectors=with_vectors)
    return {"file": str(out), "format": format_, "n_bytes": out.stat().st_size}
