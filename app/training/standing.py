"""How training stands right now: is a worker there, on what does it compute, what moves."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.jobs import workers
from app.models import Project
from app.search.embedding import progress
from app.settings import settings
from app.training.devices import device_seen
from app.training.facts import facts_of
from app.training.live import words_of
from app.training.readiness import moving_run, readiness
from app.training.runs import STAGES


def state_of(db: Session, project: Project) -> dict[str, Any]:
    """What the polled part of the dashboard shows."""
    moving = moving_run(db, project.id)
    facts = facts_of(db, [moving])[0] if moving else None
    embedding = progress(db, project)
    state = readiness(db, project)
    return {
        "project": project,
        "state": state,
        "is_moving": moving is not None or state.is_due or not embedding.is_done,
        "moving": facts,
        "words": words_of(facts.run, facts.seconds_left, facts.share_per_minute) if facts else "",
        "embedding": embedding,
        "stages": STAGES,
        "last_worker": last_worker(),
        "device": device_seen(),
    }


def last_worker() -> datetime | str | None:
    """None while a worker is there; else when the last one was seen, or "never"."""
    seen = workers(settings().database_url, settings().data_dir)
    if any(worker.is_serving and "train" in worker.queues for worker in seen):
        return None
    return seen[0].last_seen_at if seen else "never"
