"""What is on its way gets there, or is given up after a day: the worker's part.

Each try is a job of its own, numbered by `attempt`; between tries the row alone remembers. The
waits are those that the Standard Webhooks specification proposes, up to a day.
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
    """(id, attempt) of what is to be tried now, the oldest first."""
    due = select(Delivery.id, Delivery.attempt).where(Delivery.next_attempt_at <= now)
    return [(i, n) for i, n in db.execute(due.order_by(Delivery.next_attempt_at).limit(BATCH_SIZE))]


def deliver(delivery_id: int) -> None:
    """Try once, and note what came of it. Safe to repeat: what has ended is left alone."""
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
    """The job of a try ended in an accident: that counts as a failed try."""
    with read_session() as db:
        delivery = db.get(Delivery, delivery_id)
    if delivery is not None and delivery.next_attempt_at is not None:
        _note_failure(delivery, sentence)


def list_latest_deliveries(
    db: Session, project_id: int, limit: int = 20
) -> list[tuple[Delivery, str]]:
    """(delivery, to whom) of the project, the newest first."""
    query = (
        select(Delivery, Webhook.url, User.name)
        .outerjoin(Webhook, Webhook.id == Delivery.webhook_id)
        .outerjoin(User, User.id == Delivery.user_id)
        .where(Delivery.project_id == project_id)
    )
    rows = db.execute(query.order_by(Delivery.id.desc()).limit(limit))
    return [(delivery, url or f"{name}, by e-mail") for delivery, url, name in rows]


def send_again(db: Session, project: Project, delivery_id: int) -> None:
    """Due once more, now, whatever became of it. Raises NotFound, Conflict."""
    delivery = db.get(Delivery, delivery_id)
    if delivery is None or delivery.project_id != project.id:
        raise NotFound("delivery")
    if delivery.next_attempt_at is not None and delivery.next_attempt_at <= utc_now():
        raise Conflict("This message is on its way.")
    delivery.next_attempt_at, delivery.abandoned_at, delivery.delivered_at = utc_now(), None, None
    # A new number, so that the try is a job of its own.
    delivery.attempt += 1
    db.flush()


STEPS: tuple[tuple[str, Step], ...] = (("deliver", deliver),)


def delete_old_deliveries() -> None:
    """Those that ended a month ago."""
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
        raise Unreachable("Nobody is there to be told any more.")


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
    # Bound to the try that it reports, so that a repeated step changes nothing.
    same = (Delivery.id == delivery.id, Delivery.attempt == delivery.attempt)
    with write_session() as db:
        db.execute(
            update(Delivery).where(*same, Delivery.next_attempt_at.is_not(None)).values(**values)
        )
