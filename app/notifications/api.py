"""Notices and webhooks for programs."""

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.accounts.access import Admin, CurrentUser
from app.db.session import Db, ReadDb
from app.models import Notification, Webhook
from app.notifications.notifications import list_latest_notifications
from app.notifications.webhooks import (
    add_webhook,
    find_newest_delivery,
    load_webhooks,
    remove_webhook,
)
from app.projects.access import AdminProject
from app.web.schemas import StrictModel

router = APIRouter(prefix="/api/v1", tags=["notifications"])


class NotificationResponse(BaseModel):
    """One sentence for the user who asks; seen_at null: new."""

    id: int
    project: str
    kind: str
    sentence: str
    path: str
    created_at: datetime
    seen_at: datetime | None

    @classmethod
    def of(cls, notification: Notification, project: str) -> Self:
        """Built from the row."""
        return cls(
            id=notification.id,
            project=project,
            kind=notification.kind,
            sentence=notification.sentence,
            path=notification.path,
            created_at=notification.created_at,
            seen_at=notification.seen_at,
        )


class WebhookBody(StrictModel):
    """An address to tell."""

    url: str = Field(max_length=500)


class WebhookResponse(BaseModel):
    """An address that is told. secret: once, in the answer that makes it.

    last_error  why the newest message has not arrived, or null
    """

    id: int
    url: str
    is_private: bool
    created_at: datetime
    last_error: str | None = None
    secret: str | None = None

    @classmethod
    def of(cls, webhook: Webhook, **more: str | None) -> Self:
        """Built from the row."""
        return cls(
            id=webhook.id,
            url=webhook.url,
            is_private=webhook.is_private,
            created_at=webhook.created_at,
            **more,
        )


@router.get("/notifications")
def list_notifications(user: CurrentUser, db: ReadDb) -> list[NotificationResponse]:
    """One's own, the newest first."""
    return [
        NotificationResponse.of(notification, name)
        for notification, name in list_latest_notifications(db, user.id)
    ]


@router.get("/projects/{slug}/webhooks")
def list_webhooks(project: AdminProject, user: Admin, db: ReadDb) -> list[WebhookResponse]:
    """Who is told, and whether the newest message arrived."""
    answers = []
    for webhook in load_webhooks(db, project.id):
        newest = find_newest_delivery(db, webhook.id)
        answers.append(WebhookResponse.of(webhook, last_error=newest.error if newest else None))
    return answers


@router.post("/projects/{slug}/webhooks", status_code=201)
def create_webhook_by_api(
    project: AdminProject, user: Admin, db: Db, body: WebhookBody
) -> WebhookResponse:
    """One more address; keep the secret of this answer, it is never told again."""
    webhook = add_webhook(db, project, body.url, by=user)
    return WebhookResponse.of(webhook, secret=webhook.secret)


@router.delete("/projects/{slug}/webhooks/{webhook_id}", status_code=204)
def delete_webhook_by_api(project: AdminProject, user: Admin, webhook_id: int, db: Db) -> None:
    """It is told nothing more."""
    remove_webhook(db, project, webhook_id, by=user)
