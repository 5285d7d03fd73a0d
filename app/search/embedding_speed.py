"""The last measured embedding speed of a project, for estimates."""

from dataclasses import asdict, dataclass

from app.jobs import status
from app.jobs.status import StatusKind

LEAST_COUNTED = 64
"""Fewer texts say more about loading a model than about its pace."""


@dataclass(frozen=True)
class EmbeddingSpeed:
    """Texts per second, on a machine with or without a GPU."""

    per_second: float
    has_gpu: bool


DEFAULT_SPEED = EmbeddingSpeed(60.0, has_gpu=False)
"""Where nothing was measured: short news, the default model, two ordinary cores."""


def record_speed(project_id: int, n: int, seconds: float, *, has_gpu: bool) -> None:
    """Store the speed of embedding n texts, unless there were too few."""
    if n < LEAST_COUNTED or seconds <= 0:
        return
    speed = EmbeddingSpeed(n / seconds, has_gpu)
    status.write_status(StatusKind.EMBEDDING_SPEED, project_id, asdict(speed))


def read_speed(project_id: int) -> EmbeddingSpeed:
    """Return the last stored speed, or DEFAULT_SPEED."""
    report = status.read_status(StatusKind.EMBEDDING_SPEED, project_id)
    return DEFAULT_SPEED if report is None else EmbeddingSpeed(**report.payload)
