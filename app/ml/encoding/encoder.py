"""Texts to raw vectors: finds the base model, trusts nothing in its folder but numbers, picks the
device."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from app.ml.encoding.model_folder import (
    DEFAULT_MODEL,
    ModelNotAvailable,
    check_folder,
    find_default_model_folder,
)
from app.ml.encoding.texts import sanitise
from app.ml.vectors import Vectors, unit_rows

__all__ = ["DEFAULT_MODEL", "Encoder", "ModelNotAvailable", "SentenceEncoder", "load_encoder"]

BATCH_SIZE = {"cpu": 32}
ACCELERATOR_BATCH_SIZE = 256


class Encoder(Protocol):
    """Turns texts into raw vectors."""

    @property
    def name(self) -> str:
        """The base model's name, as it was asked for."""

    @property
    def dimension(self) -> int:
        """Length of each vector."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, d) float32, rows of length 1, in the order of the texts; an empty text is allowed.

        Raises ValueError if the model answers with NaN or zero.
        """


class SentenceEncoder:
    """A sentence-transformers model on one device."""

    def __init__(self, name: str, model: Any, device: str) -> None:
        """model: a SentenceTransformer, which is also what other runtimes are made from."""
        self.name = name
        self.dimension = int(model.get_embedding_dimension())
        self.model = model
        self.device = device
        self._batch_size = BATCH_SIZE.get(device, ACCELERATOR_BATCH_SIZE)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See Encoder. Texts of equal length share a batch, so that little time goes into
        padding."""
        if len(texts) == 0:
            return np.empty((0, self.dimension), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.empty((len(texts), self.dimension), np.float32)
        vectors[order] = self.model.encode(
            [sanitise(texts[i]) for i in order],
            batch_size=self._batch_size,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return unit_rows(vectors)


def load_encoder(
    base_model: str, device: str = "auto", *, allow_downloads: bool = False
) -> Encoder:
    """Load the encoder of this name.

    base_model       all-MiniLM-L6-v2, found in the package that brings it; or a folder; or a name
                     on the hub
    device           auto takes cuda, then mps, then cpu
    allow_downloads  whether a name may be looked up on the hub; else nothing goes out

    Raises ModelNotAvailable if it is not here, or holds anything that could run code.
    """
    source = resolve_model(base_model, allow_downloads)
    if not allow_downloads:
        # Read at import of the hub's library, so it is set before the first import below.
        os.environ["HF_HUB_OFFLINE"] = "1"
    # Loaded here: this import takes seconds and loads torch, which pages never need.
    from sentence_transformers import SentenceTransformer

    chosen = pick_device() if device == "auto" else device
    try:
        model = SentenceTransformer(
            source, device=chosen, trust_remote_code=False, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelNotAvailable(
            f"The model {base_model} could not be loaded: {_first_line(error)}"
        ) from error
    return SentenceEncoder(base_model, model, chosen)


def pick_device() -> str:
    """Return the fastest device of this machine: cuda, mps or cpu. Loads torch."""
    # Loaded here: pages import this module for DEFAULT_MODEL and must not pay for torch.
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def resolve_model(base_model: str, allow_downloads: bool) -> str:
    """Return the folder of the model of this name, checked. Raises ModelNotAvailable."""
    if base_model.removeprefix("sentence-transformers/") == DEFAULT_MODEL:
        return str(find_default_model_folder())
    if Path(base_model).is_dir():
        check_folder(Path(base_model))
        return base_model
    if not allow_downloads:
        raise ModelNotAvailable(
            f"The model {base_model} was not found on this machine, and downloads are not allowed."
        )
    return str(_download_model(base_model))


def _download_model(name: str) -> Path:
    # Loaded here, as only an admin who allows downloads needs the hub.
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.txt", "*.safetensors", "*.model"]
        folder = Path(snapshot_download(name, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        raise ModelNotAvailable(
            f"The model {name} could not be downloaded: {_first_line(error)}"
        ) from error
    check_folder(folder)
    return folder


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
