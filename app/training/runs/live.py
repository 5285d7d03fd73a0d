"""Live updates of a run as server-sent events, until it ends.

Decision: read the row once a second, in a session that closes before the wait, so that a hundred
clients hold neither a connection nor a thread. A stream ends after ten minutes; the browser
reconnects and is authenticated again.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import func, select

from app.db.session import read_session
from app.errors import Busy, Unreachable
from app.models import RunEvent, TrainingRun
from app.models.enums import RunStatus
from app.projects.access import CurrentProject
from app.training.reports.run_summary import RunSummary, load_run_summaries
from app.training.runs.progress import format_run_count
from app.training.runs.readiness import MOVING
from app.training.runs.runs import find_run
from app.web.templating import format_duration

router = APIRouter(prefix="/projects/{slug}/training", include_in_schema=False)

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 1.0
MAX_POLLS = 600


def require_run(project: CurrentProject, number: int) -> int:
    """Return the id of the run in the URL, before the stream begins. Raises NotFound."""
    with read_session() as db:
        return find_run(db, project.id, number).id


RunId = Annotated[int, Depends(require_run)]


@router.get("/runs/{number}/live", name="follow_run", response_class=EventSourceResponse)
async def follow_run(run_id: RunId) -> AsyncIterator[ServerSentEvent]:
    """Send the run whenever it moved: event "run" while it does, "end" once it has ended."""
    reported: dict[str, Any] = {}
    for _ in range(MAX_POLLS):
        try:
            now = await anyio.to_thread.run_sync(read_run_state, run_id)
        except (Busy, Unreachable) as error:
            # The response has begun, so only ending it is left. The browser reconnects.
            log.warning("Following run %d ended: %s", run_id, error)
            return
        if now != reported:
            yield ServerSentEvent(data=now, event="run" if now["is_moving"] else "end")
        if not now["is_moving"]:
            return
        reported = now
        await anyio.sleep(SECONDS_BETWEEN)


def read_run_state(run_id: int) -> dict[str, Any]:
    """Build an event: stage, progress in [0, 1], text, and a mark that changes when the page
    must be reloaded."""
    with read_session() as db:
        run = db.get_one(TrainingRun, run_id)
        counted = select(func.count()).select_from(RunEvent).where(RunEvent.run_id == run.id)
        n_events = db.scalar(counted) or 0
        words = describe_progress(load_run_summaries(db, [run])[0])
    return {
        "is_moving": run.status in MOVING,
        "stage": run.stage,
        "progress": round(run.progress, 3),
        "words": words,
        "mark": compute_page_mark(run, n_events),
    }


def compute_page_mark(run: TrainingRun, n_events: int) -> str:
    """Compute a mark that changes whenever more than the progress changed. The page carries its own
    mark, so that no change before the first event is missed."""
    return f"{run.status} {run.stage} {run.attempt} {n_events} {run.cancel_requested_at}"


def describe_progress(facts: RunSummary) -> str:
    """Describe the progress of the stage, its speed where counted, and the time left."""
    run = facts.run
    if run.status != RunStatus.RUNNING:
        return ""
    parts = [f"{round(100 * run.progress)} %"]
    if count := format_run_count(run):
        parts.append(count)
    if facts.seconds_left is not None:
        parts.append(f"{format_duration(facts.seconds_left)} left")
    return ", ".join(parts)


def format_log_lines(run: TrainingRun, events: Sequence[RunEvent]) -> list[tuple[datetime, str]]:
    """Format the log; the last line of a running run includes its count."""
    lines = [(event.happened_at, event.message) for event in events]
    count = format_run_count(run) if run.status == RunStatus.RUNNING else ""
    if lines and count and events[-1].stage == run.stage:
        lines[-1] = (lines[-1][0], f"{lines[-1][1]}, {count}")
    return lines
