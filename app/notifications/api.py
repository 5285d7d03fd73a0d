"""API of notifications and webhooks."""

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
    """A notification of the requesting user. seen_at null: new."""

    id: int
    project: str
    kind: str
    sentence: str
    path: str
    created_at: datetime
    seen_at: datetime | None

    @classmethod
    def of(cls, notification: Notification, project: str) -> Self:
        """Build the response from the row."""
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
    """The URL of a new webhook."""

    url: str = Field(max_length=500)


class WebhookResponse(BaseModel):
    """A webhook. secret: only in the response that creates it.

    last_error  why the newest message was not delivered, or null
    """

    id: int
    url: str
    is_private: bool
    created_at: datetime
    last_error: str | None = None
    secret: str | None = None

    @classmethod
    def of(cls, webhook: Webhook, **more: str | None) -> Self:
        """Build the response from the row."""
        return cls(
            id=webhook.id,
            url=webhook.url,
            is_private=webhook.is_private,
            created_at=webhook.created_at,
            **more,
        )


@router.get("/notifications")
def list_notifications(user: CurrentUser, db: ReadDb) -> list[NotificationResponse]:
    """List the user's notifications, newest first."""
    return [
        NotificationResponse.of(notification, name)
        for notification, name in list_latest_notifications(db, user.id)
    ]


@router.get("/projects/{slug}/webhooks")
def list_webhooks(project: AdminProject, user: Admin, db: ReadDb) -> list[WebhookResponse]:
    """List the webhooks with the error of the newest delivery."""
    answers = []
    for webhook in load_webhooks(db, project.id):
        newest = find_newest_delivery(db, webhook.id)
        answers.append(WebhookResponse.of(webhook, last_error=newest.error if newest else None))
    return answers


@router.post("/projects/{slug}/webhooks", status_code=201)
def create_webhook_by_api(
    project: AdminProject, user: Admin, db: Db, body: WebhookBody
) -> WebhookResponse:
    """Add a webhook. The response holds the secret, which is never shown again."""
    webhook = add_webhook(db, project, body.url, by=user)
    return WebhookResponse.of(webhook, secret=webhook.secret)


@router.delete("/projects/{slug}/webhooks/{webhook_id}", status_code=204)
def delete_webhook_by_api(project: AdminProject, user: Admin, webhook_id: int, db: Db) -> None:
    """Remove a webhook."""
    remove_webhook(db, project, webhook_id, by=user)
