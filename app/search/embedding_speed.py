"""How fast a project's texts were embedded when there was last enough to do: what estimates of time
rest on. One small file per project, which the worker replaces; nothing else depends on it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.files import replace_text
from app.storage import data_subdir

LEAST_COUNTED = 64
"""Fewer texts say more about loading a model than about its pace."""


@dataclass(frozen=True)
class EmbeddingSpeed:
    """Texts in a second, on a machine with or without a GPU."""

    per_second: float
    has_gpu: bool


DEFAULT_SPEED = EmbeddingSpeed(60.0, has_gpu=False)
"""Where nothing was measured: short news, the default model, two ordinary cores."""


def record_speed(project_id: int, n: int, seconds: float, *, has_gpu: bool) -> None:
    """Note that n texts took so long; too few are not noted."""
    if n < LEAST_COUNTED or seconds <= 0:
        return
    path = _path(project_id)
    replace_text(path, json.dumps(asdict(EmbeddingSpeed(n / seconds, has_gpu))))


def read_speed(project_id: int) -> EmbeddingSpeed:
    """What was last noted, or GUESSED."""
    try:
        return EmbeddingSpeed(**json.loads(_path(project_id).read_text()))
    except (OSError, ValueError, TypeError):
        return DEFAULT_SPEED


def _path(project_id: int) -> Path:
    return data_subdir("embedding") / f"{project_id}.usual.json"
