"""A version to take away: one zip file that ten lines of Python load without this application.

It holds the head, the label set, the recipe and the figures as JSON, the whole encoder of a deep
version, and a model card that says how to use it. No record is in it.
"""

import json
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.exchange.exports.downloads import file_response
from app.ml.heads.head import EvidenceHead
from app.ml.heads.storage import load_head
from app.models import Artifact, Project, Version
from app.models.enums import VersionKind
from app.projects.labels import list_all_labels
from app.search.base_versions import find_base_version
from app.search.deep_versions import KIND
from app.search.versions import find_version
from app.storage import verified_path
from app.training.reports.run_summary import VersionSummary, load_version_summaries, run_as_json
from app.versions.model_card import version_card

# A fixed time, so that the same version makes the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def bundle_response(db: Session, project: Project, number: int) -> StreamingResponse:
    """Download the version.

    Raises NotFound, Conflict for a deleted version, Damaged when a file is not what the database
    says it is, StorageFull.
    """
    version = find_version(db, project.id, number)
    facts = next(
        summary
        for summary in load_version_summaries(db, project)
        if summary.version.id == version.id
    )
    return file_response(
        lambda out: _write(db, project, facts, out),
        f"{project.slug}-version-{number}.zip",
        "application/zip",
    )


def _write(db: Session, project: Project, facts: VersionSummary, out: BinaryIO) -> None:
    source, head = (
        find_base_version(db, facts.version),
        _find_artifact(db, facts.version.id, "head"),
    )
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        _add_entry(bundle, "README.md", version_card(project, facts, source).encode())
        _add_entry(
            bundle, "version.json", _to_json(_describe_version(db, project, facts, source, head))
        )
        if facts.made_by is not None:
            _add_entry(bundle, "figures.json", _to_json(run_as_json(facts.made_by)))
        if head is not None:
            _add_entry(bundle, "head.safetensors", head.read_bytes())
        for name, path in _list_model_files(db, source):
            bundle.write(path, f"encoder/{name}")


def _describe_version(
    db: Session, project: Project, facts: VersionSummary, source: Version, head: Path | None
) -> dict[str, Any]:
    """Describe the version for the code of the model card."""
    version = facts.version
    description: dict[str, Any] = {
        "project": project.slug,
        "version": version.number,
        "kind": version.kind,
        "base_model": version.base_model,
        "created_at": version.created_at,
        "note": version.note,
        "encoder": "encoder" if source.kind == VersionKind.DEEP else version.base_model,
        "is_multi_label": project.is_multi_label,
        "labels": [],
    }
    loaded = load_head(head) if head is not None else None
    if isinstance(loaded, EvidenceHead):
        names = {label.id: label.name for label in list_all_labels(db, project.id)}
        description["labels"] = [names.get(each, "") for each in loaded.classes]
        description |= {
            name: getattr(loaded, name) for name in ("strength", "temperature", "reach")
        }
    return description


def _find_artifact(db: Session, version_id: int, kind: str) -> Path | None:
    named = select(Artifact).where(Artifact.version_id == version_id, Artifact.kind == kind)
    artifact = db.scalar(named.order_by(Artifact.revision.desc()).limit(1))
    return None if artifact is None else verified_path(artifact.file, artifact.sha256)


def _list_model_files(db: Session, source: Version) -> list[tuple[str, Path]]:
    """(name in the encoder's folder, path) of a deep version's files; none for a base model."""
    files = select(Artifact).where(
        Artifact.version_id == source.id, Artifact.kind.startswith(f"{KIND}-")
    )
    return [
        # artifacts / the folder / what lies in it
        (Path(*Path(scalar.file).parts[2:]).as_posix(), verified_path(scalar.file, scalar.sha256))
        for scalar in db.scalars(files.order_by(Artifact.file))
    ]


def _to_json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=2, default=str, ensure_ascii=False).encode()


def _add_entry(bundle: zipfile.ZipFile, name: str, content: bytes) -> None:
    bundle.writestr(zipfile.ZipInfo(name, EPOCH), content)
