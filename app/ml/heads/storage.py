"""Heads as files: every kind in one safetensors file."""

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from app.ml.heads.baselines import RawHead, SkipConnectionHead
from app.ml.heads.head import EvidenceHead, Head

KINDS: dict[str, type[RawHead] | type[EvidenceHead] | type[SkipConnectionHead]] = {
    "raw": RawHead,
    "evidence": EvidenceHead,
    "skip_connection": SkipConnectionHead,
}


def save_head(head: Head, path: Path) -> None:
    """Write a head as one safetensors file: arrays as tensors, everything else as its JSON
    metadata."""
    if not isinstance(head, tuple(KINDS.values())):
        raise ValueError(f"A head of kind {head.kind!r} cannot be saved.")
    values = {name: getattr(head, name) for name in KINDS[head.kind].__dataclass_fields__}
    tensors = {k: np.ascontiguousarray(v) for k, v in values.items() if isinstance(v, np.ndarray)}
    plain = {k: v for k, v in values.items() if k not in tensors}
    # Written by us: safetensors' own error about a full disk is no OSError.
    path.write_bytes(save(tensors, metadata={"likewise_head": json.dumps(plain)}))


def load_head(path: Path) -> Head:
    """Read what `save_head` wrote. Raises ValueError for a file that is not a complete head.

    A flipped bit goes unnoticed here: compare the file's hash before.
    """
    try:
        with safe_open(path, framework="numpy") as opened:
            values = json.loads((opened.metadata() or {}).get("likewise_head", "{}"))
            values |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        values["classes"] = tuple(values["classes"])
        return KINDS[values["kind"]](**values)
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{Path(path).name} is not a complete head.") from error
