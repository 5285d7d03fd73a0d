"""Pages for admins: users, invitations and all API tokens."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.access import Admin
from app.accounts.invitations import invite
from app.accounts.tokens import every_token, revoke_of_anyone
from app.accounts.users import (
    ROLES,
    change_role,
    disable,
    enable,
    get_user,
    load_last_seen,
    load_users,
)
from app.db.session import Db, ReadDb
from app.models import utc_now
from app.settings import settings
from app.web.templating import redirect_to, render

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]


def welcome_url(request: Request, token: str) -> str:
    """Build the link from the configured public URL, not from the Host header."""
    base = settings().public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return f"{base}/welcome/{token}"


@router.get("/users")
def show_users(request: Request, admin: Admin, db: ReadDb) -> Response:
    """Show all users and a form to invite more."""
    return _page(request, db)


@router.post("/users/invitations")
def invite_user(request: Request, admin: Admin, db: Db, role: Text) -> Response:
    """Create an invitation link for a new user; it is shown once."""
    link = welcome_url(request, invite(db, role, by=admin))
    return _page(request, db, link=link, link_is_for=f"a new {role}")


@router.post("/users/{user_id}/invitation")
def invite_to_reset(request: Request, admin: Admin, db: Db, user_id: int) -> Response:
    """Create a link to choose a new password; it is shown once."""
    user = get_user(db, user_id)
    link = welcome_url(request, invite(db, user.role, by=admin, user=user))
    return _page(request, db, link=link, link_is_for=user.name)


@router.post("/users/{user_id}/role")
def set_users_role(request: Request, admin: Admin, db: Db, user_id: int, role: Text) -> Response:
    """Set the user's role."""
    change_role(db, get_user(db, user_id), role, by=admin)
    return redirect_to(request, "show_users")


@router.post("/users/{user_id}/disable")
def disable_user(request: Request, admin: Admin, db: Db, user_id: int) -> Response:
    """Disable the user."""
    disable(db, get_user(db, user_id), by=admin)
    return redirect_to(request, "show_users")


@router.post("/users/{user_id}/enable")
def enable_user(request: Request, admin: Admin, db: Db, user_id: int) -> Response:
    """Enable the user."""
    enable(db, get_user(db, user_id), by=admin)
    return redirect_to(request, "show_users")


@router.get("/users/tokens")
def show_users_tokens(request: Request, admin: Admin, db: ReadDb) -> Response:
    """Show all users' API tokens."""
    return render(request, "accounts/tokens.html", tokens=every_token(db), now=utc_now())


@router.post("/users/tokens/{token_id}/revoke")
def revoke_users_token(request: Request, admin: Admin, db: Db, token_id: int) -> Response:
    """Revoke the token."""
    revoke_of_anyone(db, token_id, by=admin)
    return redirect_to(request, "show_users_tokens")


def _page(
    request: Request, db: Session, link: str | None = None, link_is_for: str = ""
) -> Response:
    return render(
        request,
        "accounts/users.html",
        users=load_users(db),
        seen=load_last_seen(db),
        roles=ROLES,
        link=link,
        link_is_for=link_is_for,
    )
