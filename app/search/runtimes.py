"""Choose the runtime of a version's encoder once, before its first vector.

Decision: one runtime for all vectors of a version, those of free-text queries too. Two runtimes
agree to a cosine of .997, and neighbours among vectors of both would be neither's. So a faster one
is tried on the project's own texts while a raw or deep version has no vector yet; if it stands the
trial its file becomes an artifact of the version, and the setting changes nothing about it later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.ml.encoding.encoder import SentenceEncoder
from app.ml.encoding.runtime import (
    OPENVINO,
    OPENVINO_INT8,
    TORCH,
    RuntimeName,
    RuntimeNotAvailable,
    list_missing_packages,
)
from app.ml.encoding.runtime_trial import MOST_CALIBRATED, MOST_TRIED, RuntimeTrial, try_runtime
from app.models import Embedding, Record, Version
from app.search.model_cache import RUNTIME_FILE, SharedEncoder, load_text_encoder
from app.search.versions import add_artifacts
from app.settings import settings
from app.storage import StoredFile, store_file

log = structlog.get_logger()


@dataclass(frozen=True)
class RuntimeChoice:
    """A runtime, the reason for it, and its file if it has one."""

    runtime: RuntimeName
    reason: str
    stored: StoredFile | None = None


def settle_runtime(version: Version) -> Version:
    """Return the raw or deep version once its runtime is settled: it is tried here if it is not
    yet.

    Takes up to two minutes for int8. May be killed, and repeated. Raises BaseModelMissing.
    """
    if version.runtime is not None:
        return version
    with read_session() as db:
        present = db.get_one(Version, version.id)
        has_vectors = db.scalar(select(exists().where(Embedding.version_id == present.id)))
    if present.runtime is not None:
        return present
    if has_vectors:
        return _store_choice(
            present, RuntimeChoice(TORCH, "The existing embeddings were computed with torch.")
        )
    return _store_choice(present, _choose(present, settings().runtime))


def _store_choice(version: Version, choice: RuntimeChoice) -> Version:
    """Store the choice unless another worker was quicker; then our file is an orphan."""
    with write_session() as db:
        locked = select(Version).where(Version.id == version.id).with_for_update(key_share=True)
        present = db.scalars(locked).one()
        if present.runtime is None:
            present.runtime, present.runtime_reason = choice.runtime, choice.reason
            if choice.stored is not None:
                files = {RUNTIME_FILE: choice.stored}
                add_artifacts(db, present.id, files, revision=1, n_records=0, read_at=None)
    log.info("runtime.settled", version=present.id, runtime=present.runtime, why=choice.reason)
    return present


def _choose(version: Version, wanted: RuntimeName) -> RuntimeChoice:
    """Return the wanted runtime if it passes its trial, else the next slower one that does."""
    if wanted == TORCH:
        return RuntimeChoice(TORCH, "Chosen in the settings.")
    if missing := list_missing_packages(wanted):
        reason = f"{wanted} needs {' and '.join(missing)}: pip install 'likewise[accel]'."
        return RuntimeChoice(TORCH, reason)
    with read_session() as db:
        shared = load_text_encoder(db, version)
        texts = _load_sample_texts(db, version.project_id)
    refusals = []
    for runtime in (OPENVINO_INT8, OPENVINO) if wanted == OPENVINO_INT8 else (OPENVINO,):
        try:
            return _try(shared, runtime, texts)
        except RuntimeNotAvailable as refusal:
            refusals.append(str(refusal))
    return RuntimeChoice(TORCH, " ".join(refusals))


def _try(shared: SharedEncoder, runtime: RuntimeName, texts: Sequence[str]) -> RuntimeChoice:
    model = shared.encoder
    if not isinstance(model, SentenceEncoder):
        raise RuntimeNotAvailable(
            f"{runtime} runs on CPUs only, but torch uses a GPU on this machine."
        )
    trials: list[RuntimeTrial] = []
    with shared.lock:
        stored = store_file(
            "runtime", lambda file: trials.append(try_runtime(model, runtime, texts, file))
        )
    return RuntimeChoice(runtime, trials[0].sentence, stored)


def _load_sample_texts(db: Session, project_id: int) -> list[str]:
    """Different ones, as good as drawn at random: their hashes decide, always the same way."""
    enough = MOST_TRIED + MOST_CALIBRATED
    query = (
        select(Record.content_hash, Record.text)
        .where(Record.project_id == project_id)
        .order_by(Record.content_hash, Record.id)
        .limit(10 * enough)
    )
    return list({row.content_hash: row.text for row in db.execute(query)}.values())[:enough]
