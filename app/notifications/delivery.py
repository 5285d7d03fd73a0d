"""Deliver webhook messages and e-mail, with retries for about a day: the worker's part.

Each attempt is a job, numbered by `attempt`; between attempts the state is in the row alone. The
delays are those of the Standard Webhooks specification.
"""

import json
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Conflict, NotFound
from app.jobs.steps import Step
from app.models import Delivery, Project, User, Webhook, utc_now
from app.notifications.mail import send_mail
from app.notifications.safe_http import Unreachable, post
from app.notifications.webhooks import sign_headers

RETRY_DELAYS = tuple(
    timedelta(seconds=each) for each in (5, 60, 300, 1800, 7200, 18000, 36000, 50400)
)
RETENTION = timedelta(days=30)
BATCH_SIZE = 20


def list_due_deliveries(db: Session, now: datetime) -> list[tuple[int, int]]:
    """Return (id, attempt) of due deliveries, oldest first."""
    due = select(Delivery.id, Delivery.attempt).where(Delivery.next_attempt_at <= now)
    return [(i, n) for i, n in db.execute(due.order_by(Delivery.next_attempt_at).limit(BATCH_SIZE))]


def deliver(delivery_id: int) -> None:
    """Make one attempt and store the result. Safe to repeat: finished deliveries are skipped."""
    with read_session() as db:
        delivery = db.get(Delivery, delivery_id)
    if delivery is None or delivery.next_attempt_at is None:
        return
    try:
        _send(delivery)
    except Unreachable as trouble:
        _note_failure(delivery, trouble.sentence)
    else:
        _finish(delivery, delivered_at=utc_now(), error=None)


def note_crashed_attempt(delivery_id: int, sentence: str) -> None:
    """Count the crash of an attempt's job as a failed attempt."""
    with read_session() as db:
        delivery = db.get(Delivery, delivery_id)
    if delivery is not None and delivery.next_attempt_at is not None:
        _note_failure(delivery, sentence)


def list_latest_deliveries(
    db: Session, project_id: int, limit: int = 20
) -> list[tuple[Delivery, str]]:
    """Return (delivery, recipient) of the project, newest first."""
    query = (
        select(Delivery, Webhook.url, User.name)
        .outerjoin(Webhook, Webhook.id == Delivery.webhook_id)
        .outerjoin(User, User.id == Delivery.user_id)
        .where(Delivery.project_id == project_id)
    )
    rows = db.execute(query.order_by(Delivery.id.desc()).limit(limit))
    return [(delivery, url or f"{name}, by e-mail") for delivery, url, name in rows]


def send_again(db: Session, project: Project, delivery_id: int) -> None:
    """Make a delivery due again now. Raises NotFound, Conflict."""
    delivery = db.get(Delivery, delivery_id)
    if delivery is None or delivery.project_id != project.id:
        raise NotFound("delivery")
    if delivery.next_attempt_at is not None and delivery.next_attempt_at <= utc_now():
        raise Conflict("This message is already being sent.")
    delivery.next_attempt_at, delivery.abandoned_at, delivery.delivered_at = utc_now(), None, None
    # A new number, so that the attempt is a new job.
    delivery.attempt += 1
    db.flush()


STEPS: tuple[tuple[str, Step], ...] = (("deliver", deliver),)


def delete_old_deliveries() -> None:
    """Delete deliveries that are older than the retention time."""
    old = utc_now() - RETENTION
    with write_session() as db:
        db.execute(
            delete(Delivery).where(Delivery.next_attempt_at.is_(None), Delivery.created_at < old)
        )


def _send(delivery: Delivery) -> None:
    with read_session() as db:
        webhook = db.get(Webhook, delivery.webhook_id) if delivery.webhook_id else None
        user = db.get(User, delivery.user_id) if delivery.user_id else None
    if webhook is not None:
        content = json.dumps(delivery.body, ensure_ascii=False).encode()
        message_id = f"delivery_{delivery.id}"
        headers = sign_headers(webhook.secret, message_id, int(utc_now().timestamp()), content)
        post(webhook.url, headers, content, allows_private=webhook.is_private)
    elif user is not None and user.email and user.is_active:
        send_mail(user.email, delivery.body)
    else:
        raise Unreachable("The recipient no longer exists.")


def _note_failure(delivery: Delivery, sentence: str) -> None:
    if delivery.attempt > len(RETRY_DELAYS):
        _finish(delivery, abandoned_at=utc_now(), error=sentence)
        return
    next_attempt_at = utc_now() + RETRY_DELAYS[delivery.attempt - 1]
    _update_attempt(
        delivery, attempt=delivery.attempt + 1, next_attempt_at=next_attempt_at, error=sentence
    )


def _finish(delivery: Delivery, **values: datetime | str | None) -> None:
    _update_attempt(delivery, next_attempt_at=None, **values)


def _update_attempt(delivery: Delivery, **values: datetime | str | int | None) -> None:
    # Only if this attempt is still the current one, so that a repeated step changes nothing.
    same = (Delivery.id == delivery.id, Delivery.attempt == delivery.attempt)
    with write_session() as db:
        db.execute(
            update(Delivery).where(*same, Delivery.next_attempt_at.is_not(None)).values(**values)
        )
