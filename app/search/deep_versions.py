"""Deep versions: each file of the encoder's folder is an artifact; embeddings are made ahead.

Decision: embeddings name their encoder, so its row is there before the version is whole, under
minus the run's id as its number: nobody finds it, a killed run goes on with it, and publishing only
gives it a real number. A run that ends without a version takes it away again.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.models import Artifact, Embedding, Project, Version, utc_now
from app.models.enums import VersionKind
from app.settings import settings
from app.storage import CorruptFile, store_directory, verified_path

KIND = "model"
ROWS_PER_DELETE = 1_000


def find_prepared(db: Session, run_id: int) -> Version | None:
    """Return the version that this run has trained but not published yet, or None."""
    return db.scalar(select(Version).where(Version.number == -run_id))


def prepare_deep(project_id: int, run_id: int, folder: Path) -> None:
    """Store the folder of a tuned encoder as artifacts, so that its embeddings can be computed."""
    stored = store_directory(KIND, folder)
    with write_session() as db:
        project = db.get_one(Project, project_id)
        version = Version(
            project_id=project.id,
            number=-run_id,
            kind=VersionKind.DEEP,
            base_model=project.base_model,
        )
        db.add(version)
        db.flush()
        db.add_all(
            Artifact(
                version_id=version.id,
                kind=f"{KIND}-{number}",
                file=each.file,
                sha256=each.sha256,
                n_bytes=each.n_bytes,
                created_at=utc_now(),
            )
            for number, each in enumerate(stored)
        )


def delete_prepared(run_id: int) -> None:
    """Delete the embeddings and files that prepare_deep() created, if any."""
    with read_session() as db:
        version = find_prepared(db, run_id)
        if version is None:
            return
        files = db.scalars(select(Artifact.file).where(Artifact.version_id == version.id)).all()
    delete_embeddings(version.id)
    with write_session() as db:
        db.execute(delete(Version).where(Version.id == version.id))
    remove_files(files)


def delete_embeddings(version_id: int) -> None:
    """Delete the version's own embeddings in short transactions, to keep the write lock free."""
    of_version = Embedding.version_id == version_id
    some = select(Embedding.record_id).where(of_version).limit(ROWS_PER_DELETE)
    while True:
        with write_session() as db:
            ids = db.scalars(some).all()
            db.execute(delete(Embedding).where(of_version, Embedding.record_id.in_(ids)))
        if len(ids) < ROWS_PER_DELETE:
            return


def model_folder(db: Session, version_id: int) -> Path:
    """Return the folder of a deep version's encoder, unchecked. Raises CorruptFile if empty."""
    files = _list_files(db, version_id)
    if not files:
        raise CorruptFile("of the version's encoder")
    return settings().data_dir.joinpath(*Path(files[0].file).parts[:2])


def check_model(db: Session, version_id: int) -> None:
    """Compare each file of the encoder with its sha256. Raises CorruptFile for a mismatch.

    The folder may hold nothing else either: what the database does not name is not loaded.
    """
    named = {verified_path(file.file, file.sha256) for file in _list_files(db, version_id)}
    present = {path for path in model_folder(db, version_id).rglob("*") if path.is_file()}
    for stranger in sorted(present - named):
        raise CorruptFile(stranger.relative_to(settings().data_dir).as_posix())


def remove_files(files: Sequence[str]) -> None:
    """Delete these artifacts and folders left empty."""
    for file in files:
        path = settings().data_dir / file
        path.unlink(missing_ok=True)
        for parent in list(path.parents)[: len(Path(file).parts) - 2]:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _list_files(db: Session, version_id: int) -> Sequence[Artifact]:
    of_model = select(Artifact).where(
        Artifact.version_id == version_id, Artifact.kind.startswith(f"{KIND}-")
    )
    return db.scalars(of_model.order_by(Artifact.file)).all()
