"""Webhooks: URLs that receive a project's events as signed messages.

The signature is that of the Standard Webhooks specification (standardwebhooks.com, version 1):
HMAC-SHA-256 over "id.timestamp.body" with the secret after its whsec_ prefix, base64.
"""

import base64
import hashlib
import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import audit_log as audit
from app.errors import Conflict, NotFound
from app.models import Delivery, Project, User, Webhook, utc_now
from app.notifications.safe_http import validate_url

PREFIX = "whsec_"
MAX_WEBHOOKS = 10


def add_webhook(
    db: Session, project: Project, url: str, *, by: User | None, is_private: bool = False
) -> Webhook:
    """Add a webhook with its own secret.

    is_private  the operator's word that it may lie in a private network
    Raises Invalid for what is no address, Conflict for one that is there already or too many.
    """
    url = validate_url(url)
    present = load_webhooks(db, project.id)
    if any(each.url == url for each in present):
        raise Conflict("This webhook already exists.")
    if len(present) >= MAX_WEBHOOKS:
        raise Conflict(f"A project can have at most {MAX_WEBHOOKS} webhooks.")
    secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    webhook = Webhook(project_id=project.id, url=url, secret=secret, is_private=is_private)
    db.add(webhook)
    db.flush()
    _note(db, "webhook.add", webhook, by)
    return webhook


def remove_webhook(db: Session, project: Project, webhook_id: int, by: User | None) -> None:
    """Remove the webhook and its unsent messages. Raises NotFound."""
    webhook = find_webhook(db, project, webhook_id)
    _note(db, "webhook.remove", webhook, by)
    db.delete(webhook)
    db.flush()


def ping(db: Session, project: Project, webhook_id: int, by: User) -> Delivery:
    """Send a test message. Raises NotFound."""
    webhook = find_webhook(db, project, webhook_id)
    data = {"project": project.slug, "sentence": f"Test message sent by {by.name}."}
    body = {"type": "ping", "timestamp": utc_now().isoformat(), "data": data}
    delivery = Delivery(project_id=project.id, kind="ping", body=body, webhook_id=webhook.id)
    db.add(delivery)
    db.flush()
    return delivery


def find_webhook(db: Session, project: Project, webhook_id: int) -> Webhook:
    """Find the project's webhook. Raises NotFound."""
    webhook = db.get(Webhook, webhook_id)
    if webhook is None or webhook.project_id != project.id:
        raise NotFound("webhook")
    return webhook


def load_webhooks(db: Session, project_id: int) -> list[Webhook]:
    """Return the project's webhooks, oldest first."""
    query = select(Webhook).where(Webhook.project_id == project_id).order_by(Webhook.id)
    return list(db.scalars(query))


def find_newest_delivery(db: Session, webhook_id: int) -> Delivery | None:
    """Return the last delivery to the webhook."""
    deliveries = select(Delivery).where(Delivery.webhook_id == webhook_id)
    return db.scalar(deliveries.order_by(Delivery.id.desc()).limit(1))


def sign_headers(secret: str, message_id: str, timestamp: int, content: bytes) -> dict[str, str]:
    """Sign a message: headers that prove sender and time to whoever has the secret."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + content
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Likewise",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def _note(db: Session, action: str, webhook: Webhook, by: User | None) -> None:
    audit.log_event(
        db,
        action,
        user_id=None if by is None else by.id,
        project_id=webhook.project_id,
        url=webhook.url,
    )
