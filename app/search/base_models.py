"""The base models that this process has loaded: each once, used by one thread at a time."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.errors import AppError
from app.settings import settings
from app.similarity.encoder import Encoder, ModelNotAvailable, load_encoder
from app.similarity.vectors import Vectors


class BaseModelMissing(AppError):
    """The project's base model cannot be loaded here."""

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


def encoder_of(base_model: str) -> Encoder:
    """The encoder of that name. The first call takes seconds: it loads torch and the weights.

    Raises BaseModelMissing.
    """
    with _loading:
        if base_model not in _loaded:
            _loaded[base_model] = SharedEncoder(_load(base_model))
        return _loaded[base_model]


def is_loaded(base_model: str) -> bool:
    """Whether encoder_of() would answer at once."""
    return base_model in _loaded


def _load(base_model: str) -> Encoder:
    # Read when the libraries are imported: a worker and a command have nobody to show bars to.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    here = settings()
    try:
        return load_encoder(
            base_model, here.device, allow_downloads=here.allow_model_downloads
        )  # fmt: skip
    except ModelNotAvailable as error:
        raise BaseModelMissing(str(error)) from error
