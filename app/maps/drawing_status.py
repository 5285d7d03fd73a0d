"""Progress of drawing a map, as last reported by the worker."""

from dataclasses import asdict, dataclass
from datetime import datetime

from app.jobs import status
from app.jobs.status import StatusKind


@dataclass(frozen=True)
class DrawingStatus:
    """How far a version's map is: share in [0, 1]; error: why it stopped, if it did."""

    share: float = 0.0
    error: str | None = None


def read_status(version_id: int) -> DrawingStatus:
    """Return the last reported progress; None if the worker is gone."""
    report = status.read_status(StatusKind.MAP, version_id)
    if report is None or (report.is_orphaned and report.payload["error"] is None):
        return DrawingStatus()
    return DrawingStatus(**report.payload)


def find_failure_time(version_id: int) -> datetime | None:
    """When drawing this version's map last failed; None if it did not."""
    report = status.read_status(StatusKind.MAP, version_id)
    return None if report is None or report.payload["error"] is None else report.reported_at


def write_status(version_id: int, drawing: DrawingStatus, *, is_progress: bool = False) -> None:
    """Replace what pages read about this version's map."""
    status.write_status(StatusKind.MAP, version_id, asdict(drawing), is_progress=is_progress)
