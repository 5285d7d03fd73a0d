"""Publish events: a notification per subscriber, a delivery per webhook and mailbox.

Decision: rows are written in the transaction of the event itself, so that every event that was
committed is announced and no other; the worker sends them later (the transactional
outbox, Richardson, "Microservices Patterns", 2018).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Delivery, Notification, Project, Webhook, utc_now
from app.notifications.subscriptions import list_subscribers
from app.settings import settings

EVENT_KINDS: Mapping[str, str] = {
    "run.succeeded": "a run succeeded and published a version, activated or not",
    "run.failed": "a run failed",
    "version.activated": "a version was activated for search",
    "version.rolled_back": "search was rolled back to the previous version",
}
# Users are notified when runs end; the sentence also names the activated version.
NOTICE_KINDS = ("run.succeeded", "run.failed")


@dataclass(frozen=True)
class Event:
    """An event: a kind of EVENT_KINDS, a sentence, the page with details, and facts.

    facts  JSON for API clients, such as {"run": 3, "version": 2}
    """

    kind: str
    sentence: str
    path: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def announce(db: Session, project: Project, event: Event, also: int | None = None) -> None:
    """Queue the event for all subscribers in the caller's transaction; sends nothing itself.

    also  the id of a user to notify as well, such as the one who started the run
    """
    body = _build_body(project, event)
    for webhook_id in db.scalars(select(Webhook.id).where(Webhook.project_id == project.id)):
        db.add(_make_delivery(project, event, body, webhook_id=webhook_id))
    if event.kind in NOTICE_KINDS:
        _notify_users(db, project, event, body, also)


def _notify_users(
    db: Session, project: Project, event: Event, body: dict[str, Any], also: int | None
) -> None:
    watchers = list_subscribers(db, project)
    recipients = {user.id for user, _ in watchers} | (set() if also is None else {also})
    for user_id in sorted(recipients):
        db.add(
            Notification(
                user_id=user_id,
                project_id=project.id,
                kind=event.kind,
                sentence=event.sentence,
                path=event.path,
            )
        )
    for user, by_email in watchers:
        if by_email and user.email:
            db.add(_make_delivery(project, event, body, user_id=user.id))


def _make_delivery(project: Project, event: Event, body: dict[str, Any], **to: int) -> Delivery:
    return Delivery(project_id=project.id, kind=event.kind, body=body, **to)


def _build_body(project: Project, event: Event) -> dict[str, Any]:
    """Build the body of the Standard Webhooks specification: type, timestamp, data."""
    data = {
        "project": project.slug,
        "sentence": event.sentence,
        "url": settings().public_url.rstrip("/") + event.path,
    }
    return {
        "type": event.kind,
        "timestamp": utc_now().isoformat(),
        "data": data | dict(event.facts),
    }
