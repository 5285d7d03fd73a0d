"""What happened is told: a notice for each who asked, a delivery for each webhook and mailbox.

Decision: rows are written in the transaction of what happened, so that nothing is told that did
not happen and nothing that happened stays untold; the worker sends them later (the transactional
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
    "run.succeeded": "a run has published a version, activated or not",
    "run.failed": "a run has failed",
    "version.activated": "search uses another version from now on",
    "version.rolled_back": "search uses the version before again",
}
# People are told how runs ended; which version that put into use is in the same sentence.
NOTICE_KINDS = ("run.succeeded", "run.failed")


@dataclass(frozen=True)
class Event:
    """One thing that happened: a kind of KINDS, a sentence, the page that tells more, and facts.

    facts  JSON for programs, such as {"run": 3, "version": 2}
    """

    kind: str
    sentence: str
    path: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def announce(db: Session, project: Project, event: Event, also: int | None = None) -> None:
    """Tell all who asked. Writes rows in the caller's transaction; sends nothing by itself.

    also  the id of a user who asked for this very thing, such as who started the run
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
    """As the Standard Webhooks specification shapes it: type, timestamp, data."""
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
