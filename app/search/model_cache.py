"""Cache of loaded encoders, each loaded once and used by one thread at a time."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import AppError
from app.ml.encoding.encoder import Encoder, ModelNotAvailable
from app.ml.encoding.multi_gpu import load_on_all_gpus
from app.ml.encoding.runtime import TORCH, RuntimeNotAvailable, load_runtime
from app.ml.vectors import Vectors
from app.models import Artifact, Version
from app.models.enums import VersionKind
from app.search.base_versions import find_base_version
from app.search.deep_versions import check_model, model_folder
from app.settings import settings
from app.storage import verified_path

MOST_DEEP = 2
MOST_RUNTIMES = 4
# The kind of the artifact that holds a version's runtime.
RUNTIME_FILE = "runtime"


class BaseModelMissing(AppError):
    """The project's base model cannot be loaded on this machine."""

    status = 503


@dataclass
class SharedEncoder:
    """An encoder that threads may share: tokenizers fail when two use them at once."""

    encoder: Encoder
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """See Encoder."""
        return self.encoder.name

    @property
    def dimension(self) -> int:
        """See Encoder."""
        return self.encoder.dimension

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See Encoder."""
        with self.lock:
            return self.encoder.encode(texts)


_loaded: dict[str, SharedEncoder] = {}
_loading = threading.Lock()


def load_encoder(base_model: str) -> SharedEncoder:
    """Load the encoder of that name. The first call takes seconds: it loads torch and the weights.

    Raises BaseModelMissing.
    """
    with _loading:
        if base_model not in _loaded:
            _loaded[base_model] = SharedEncoder(_load(base_model))
        return _loaded[base_model]


def load_text_encoder(db: Session, version: Version) -> SharedEncoder:
    """Load what turns texts into the vectors that this version's head reads: its base model, or the
    deep encoder below it, whose files are checked when it is loaded.

    The version's runtime computes it (see app.search.runtimes); torch, until that is settled.

    Raises BaseModelMissing, CorruptFile.
    """
    source = find_base_version(db, version)
    if source.runtime not in {None, TORCH}:
        return _load_runtime_encoder(db, source)
    if source.kind != VersionKind.DEEP:
        return load_encoder(source.base_model)
    folder = str(model_folder(db, source.id))
    with _loading:
        if folder not in _loaded:
            check_model(db, source.id)
            _make_room()
            _loaded[folder] = SharedEncoder(_load(folder))
        return _loaded[folder]


def is_loaded(db: Session, version: Version) -> bool:
    """Return whether load_text_encoder() would return immediately."""
    source = find_base_version(db, version)
    if source.runtime not in {None, TORCH}:
        return _runtime_key(_find_runtime_file(db, source)) in _loaded
    is_deep = source.kind == VersionKind.DEEP
    return (str(model_folder(db, source.id)) if is_deep else source.base_model) in _loaded


def _load_runtime_encoder(db: Session, source: Version) -> SharedEncoder:
    artifact = _find_runtime_file(db, source)
    key = _runtime_key(artifact)
    with _loading:
        if key not in _loaded:
            try:
                encoder = load_runtime(
                    verified_path(artifact.file, artifact.sha256), source.base_model
                )
            except RuntimeNotAvailable as error:
                raise BaseModelMissing(
                    f"Version {source.number} was created with {source.runtime}. {error}"
                ) from error
            older = [each for each in _loaded if each.startswith(RUNTIME_FILE)]
            for each in older[: max(0, len(older) + 1 - MOST_RUNTIMES)]:
                del _loaded[each]
            _loaded[key] = SharedEncoder(encoder)
        return _loaded[key]


def _find_runtime_file(db: Session, source: Version) -> Artifact:
    of_kind = (Artifact.version_id == source.id, Artifact.kind == RUNTIME_FILE)
    return db.scalars(select(Artifact).where(*of_kind)).one()


def _runtime_key(artifact: Artifact) -> str:
    return f"{RUNTIME_FILE} {artifact.file}"


def _make_room() -> None:
    """Deep encoders come with every deep run: only the newest few stay in memory."""
    deep = [name for name in _loaded if Path(name).parent == settings().data_dir / "artifacts"]
    for name in deep[: 1 - MOST_DEEP]:
        del _loaded[name]


def _load(base_model: str) -> Encoder:
    # Read when the libraries are imported: a worker and a command have nobody to show bars to.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    config = settings()
    try:
        return load_on_all_gpus(
            base_model, config.device, allow_downloads=config.allow_model_downloads
        )
    except ModelNotAvailable as error:
        raise BaseModelMissing(str(error)) from error
