"""Pages of notifications: the bell, the user's list, and a project's settings."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.access import Admin, CurrentUser
from app.db.session import Db, ReadDb
from app.errors import Invalid
from app.models import Project, User
from app.models.enums import Role
from app.notifications.delivery import list_latest_deliveries, send_again
from app.notifications.events import EVENT_KINDS
from app.notifications.mail import is_mail_configured
from app.notifications.notifications import count_unseen, list_latest_notifications, mark_seen
from app.notifications.subscriptions import find_subscription, set_email, subscribe, unsubscribe
from app.notifications.webhooks import add_webhook, load_webhooks, ping, remove_webhook
from app.projects.access import AdminProject, CurrentProject
from app.web.templating import redirect_to, render

router = APIRouter(include_in_schema=False)
OF_PROJECT = "/projects/{slug}/notifications"


@router.get("/notifications")
def show_notifications(request: Request, user: CurrentUser, db: ReadDb) -> Response:
    """Show the user's notifications, newest first."""
    return render(
        request,
        "notifications/list.html",
        notifications=list_latest_notifications(db, user.id),
        email=db.get_one(User, user.id).email or "",
        can_mail=is_mail_configured(),
    )


@router.get("/notifications/bell")
def show_bell(request: Request, user: CurrentUser, db: ReadDb) -> Response:
    """Show the header link with the number of new notifications."""
    return render(request, "notifications/_bell.html", n_unseen=count_unseen(db, user.id))


@router.post("/notifications/seen")
def mark_notifications_seen(
    request: Request,
    user: CurrentUser,
    db: Db,
    up_to: Annotated[int, Form(ge=0, lt=2**31)],
) -> Response:
    """Mark all shown notifications as read."""
    mark_seen(db, user.id, up_to)
    return redirect_to(request, "show_notifications")


@router.post("/notifications/email")
def save_email(
    request: Request, user: CurrentUser, db: Db, email: Annotated[str, Form()] = ""
) -> Response:
    """Set the user's e-mail address."""
    set_email(db, user.id, email)
    return redirect_to(request, "show_notifications")


@router.get(OF_PROJECT)
def show_project_notifications(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb
) -> Response:
    """Show the user's subscription and, to admins, webhooks and their deliveries."""
    return render(request, "notifications/project.html", **_project_context(db, project, user))


@router.get(OF_PROJECT + "/subscription")
def show_subscription(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb
) -> Response:
    """Show the subscribe button, for other pages to include."""
    watched = find_subscription(db, project.id, user.id)
    return render(request, "notifications/_subscription.html", project=project, watched=watched)


@router.post(OF_PROJECT + "/subscription")
def save_subscription(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    db: Db,
    choice: Annotated[str, Form(alias="tell")] = "no",
) -> Response:
    """Subscribe ("yes"), also by e-mail ("email"), or unsubscribe ("no")."""
    if choice == "no":
        unsubscribe(db, project.id, user.id)
    elif choice in ("yes", "email"):
        if choice == "email" and not db.get_one(User, user.id).email:
            raise Invalid("Set your e-mail address on the Notifications page first.")
        subscribe(db, project.id, user.id, by_email=choice == "email")
    else:
        raise Invalid("Choose yes, email or no.")
    return redirect_to(request, "show_project_notifications", slug=project.slug)


@router.post(OF_PROJECT + "/webhooks")
def create_webhook(
    request: Request, project: AdminProject, user: Admin, db: Db, url: Annotated[str, Form()]
) -> Response:
    """Add a webhook; its secret is shown only now."""
    webhook = add_webhook(db, project, url, by=user)
    shown = _project_context(db, project, user) | {"secret": webhook.secret}
    return render(request, "notifications/project.html", **shown)


@router.post(OF_PROJECT + "/webhooks/{webhook_id}/test")
def test_webhook(
    request: Request, project: AdminProject, user: Admin, webhook_id: int, db: Db
) -> Response:
    """Send a test message to the webhook."""
    ping(db, project, webhook_id, by=user)
    return redirect_to(request, "show_project_notifications", slug=project.slug)


@router.post(OF_PROJECT + "/webhooks/{webhook_id}/remove")
def delete_webhook(
    request: Request, project: AdminProject, user: Admin, webhook_id: int, db: Db
) -> Response:
    """Remove the webhook."""
    remove_webhook(db, project, webhook_id, by=user)
    return redirect_to(request, "show_project_notifications", slug=project.slug)


@router.post(OF_PROJECT + "/deliveries/{delivery_id}/retry")
def repeat_delivery(
    request: Request, project: AdminProject, user: Admin, delivery_id: int, db: Db
) -> Response:
    """Send a delivery again now."""
    send_again(db, project, delivery_id)
    return redirect_to(request, "show_project_notifications", slug=project.slug)


def _project_context(db: Session, project: Project, user: User) -> dict[str, Any]:
    is_admin = user.role == Role.ADMIN
    return {
        "project": project,
        "watched": find_subscription(db, project.id, user.id),
        "email": db.get_one(User, user.id).email,
        "can_mail": is_mail_configured(),
        "kinds": EVENT_KINDS,
        "webhooks": load_webhooks(db, project.id) if is_admin else [],
        "deliveries": list_latest_deliveries(db, project.id) if is_admin else [],
        "secret": None,
    }
