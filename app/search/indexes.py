"""What a version is searched with: the files it consists of, and those that this process has open.

A version is opened whole and checked, and a newer revision is gone over to at the next request.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.ml.heads.baselines import RawHead
from app.ml.heads.head import Head
from app.ml.heads.storage import load_head
from app.ml.index import VectorIndex
from app.ml.vectors import Ids, Vectors
from app.models import Artifact, Version
from app.search.suggestions import NONE, Suggestions, load_suggestions, save_suggestions
from app.settings import settings
from app.storage import CorruptFile, verified_path

log = structlog.get_logger()

REVISED = ("index", "suggestions")
MOST_OPEN = 8


class NotIndexed(Conflict):
    """No record of the project has been embedded and indexed yet."""

    def __init__(self) -> None:
        super().__init__("Similarity search is not ready: the records are still being embedded.")


@dataclass(frozen=True)
class LoadedVersion:
    """One complete revision of a version. `files` are its artifacts' names.

    revision  that of the index; the suggestions may be newer, since they are renewed by themselves
    """

    version: Version
    revision: int
    index: VectorIndex
    head: Head
    suggestions: Suggestions
    files: frozenset[str] = frozenset()


def index_vectors(
    head: Head, blocks: Iterable[tuple[Ids, Vectors]], n_expected: int
) -> tuple[VectorIndex, Suggestions | None]:
    """Build the index of a revision, and its suggestions if the head makes any.

    blocks      of (ids (n,) int64, raw vectors (n, d) float32), ids ascending; all of them
                are never held at once
    n_expected  about how many records they hold
    """
    chances = [np.empty((0, len(head.classes)), np.float16)]

    def tuned() -> Iterator[tuple[Ids, Vectors]]:
        for ids, raw in blocks:
            if len(ids) == 0:
                continue
            suggested = head.suggest(raw)
            if suggested is not None:
                chances.append(suggested.astype(np.float16))
            yield ids, head.tune(raw)

    index = VectorIndex.build_from(tuned(), head.dimension, n_expected)
    if len(chances) == 1:
        return index, None
    return index, Suggestions(index.ids, head.classes, np.concatenate(chances))


def build_version_files(
    index: VectorIndex, suggestions: Suggestions | None
) -> dict[str, Callable[[Path], None]]:
    """Build the writers of a revision's files, by kind of artifact."""
    files: dict[str, Callable[[Path], None]] = {"index": index.save}
    if suggestions is not None:
        files["suggestions"] = partial(save_suggestions, suggestions)
    return files


# What was the newest set of files when this was opened; after damage it may be an older revision.
_open: OrderedDict[tuple[str, int], tuple[tuple[str, ...], LoadedVersion]] = OrderedDict()
_opening = threading.Lock()


def open_version(db: Session, version_id: int) -> LoadedVersion:
    """Open the newest whole revision of that version, checked against its sha256 when it is opened.

    While one thread opens the next revision, the others are answered from the one before.

    Raises NotIndexed before the first revision, CorruptFile if no revision is whole.
    """
    artifacts = _list_artifacts(db, version_id)
    newest = tuple(artifact.file for artifact in _select_newest(artifacts))
    key = (settings().database_url, version_id)
    before = _open.get(key)
    if before is not None and before[0] == newest:
        return before[1]
    if not _opening.acquire(blocking=before is None):
        assert before is not None
        return before[1]
    try:
        return _swap(db, key, newest, artifacts)
    finally:
        _opening.release()


def check_version_files(db: Session, version: Version) -> None:
    """Read the files that open_version() would open, even if this process has them open already.

    Raises NotIndexed before the first revision, CorruptFile if no revision is whole.
    """
    _load_newest_whole(version, _list_artifacts(db, version.id), None)


def _swap(
    db: Session, key: tuple[str, int], newest: tuple[str, ...], artifacts: Sequence[Artifact]
) -> LoadedVersion:
    before = _open.get(key)
    if before is not None and before[0] == newest:
        return before[1]  # Another thread opened it while this one waited.
    try:
        opened = None if before is None else before[1]
        loaded = _load_newest_whole(db.get_one(Version, key[1]), artifacts, opened)
    except CorruptFile:
        if before is None:
            raise
        log.exception("search.version_damaged", version_id=key[1])
        loaded = before[1]  # Its files are mapped, and were whole.
    _open[key] = (newest, loaded)
    _open.move_to_end(key)
    while len(_open) > MOST_OPEN:
        _open.popitem(last=False)
    return loaded


def _list_artifacts(db: Session, version_id: int) -> Sequence[Artifact]:
    """List the version's files, the newest revision first."""
    named = select(Artifact).where(
        Artifact.version_id == version_id, Artifact.kind.in_(("head", *REVISED))
    )
    return db.scalars(named.order_by(Artifact.revision.desc(), Artifact.kind)).all()


def _select_newest(artifacts: Sequence[Artifact]) -> list[Artifact]:
    heads = [artifact for artifact in artifacts if artifact.kind == "head"]
    newest = (
        next((artifact for artifact in artifacts if artifact.kind == kind), None)
        for kind in REVISED
    )
    return heads + [each for each in newest if each is not None]


def _load_newest_whole(
    version: Version, artifacts: Sequence[Artifact], before: LoadedVersion | None
) -> LoadedVersion:
    """Load the newest intact index and suggestions. Raises CorruptFile if there is no index."""
    heads = [artifact for artifact in artifacts if artifact.kind == "head"]
    indexes = [artifact for artifact in artifacts if artifact.kind == "index"]
    suggestions = [artifact for artifact in artifacts if artifact.kind == "suggestions"]
    if not indexes:
        raise NotIndexed
    loaded = _load_first_whole(
        indexes, lambda each: _load_searchable(version, [*heads, each], before)
    )
    if not suggestions:
        return loaded
    return _load_first_whole(suggestions, lambda each: _add_suggestions(loaded, each))


def _load_first_whole(
    artifacts: Sequence[Artifact], load: Callable[[Artifact], LoadedVersion]
) -> LoadedVersion:
    """Load the newest intact file. Raises CorruptFile for the newest if none is intact."""
    first_trouble: CorruptFile | None = None
    for artifact in artifacts:
        try:
            return load(artifact)
        except CorruptFile as trouble:
            log.error("search.revision_damaged", kind=artifact.kind, revision=artifact.revision)
            first_trouble = first_trouble or trouble
    assert first_trouble is not None
    raise first_trouble


def _load_searchable(
    version: Version, artifacts: Sequence[Artifact], before: LoadedVersion | None
) -> LoadedVersion:
    """Load the version without its suggestions: an index and the head, if it has one."""
    names = frozenset(artifact.file for artifact in artifacts)
    if before is not None and names <= before.files:
        return replace(before, suggestions=NONE, files=names)  # Open already, and checked.
    files = {artifact.kind: artifact for artifact in artifacts}
    checked = {kind: _verify(artifact) for kind, artifact in files.items()}
    try:
        index = VectorIndex.load(checked["index"])
        head: Head = RawHead(index.dimension)
        if "head" in checked:
            head = load_head(checked["head"])
    except ValueError as error:
        raise CorruptFile(files["index"].file) from error
    if index.n_records != files["index"].n_records or index.dimension != head.dimension:
        raise CorruptFile(files["index"].file)
    return LoadedVersion(version, files["index"].revision, index, head, NONE, names)


def _add_suggestions(loaded: LoadedVersion, artifact: Artifact) -> LoadedVersion:
    try:
        suggestions = load_suggestions(_verify(artifact))
    except ValueError as error:
        raise CorruptFile(artifact.file) from error
    files = loaded.files | {artifact.file}
    return replace(loaded, suggestions=suggestions, files=files)


def _verify(artifact: Artifact) -> Path:
    return verified_path(artifact.file, artifact.sha256)
