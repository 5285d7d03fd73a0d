"""Pages of the user's own password, tokens and preferences."""

import json
import re
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Form, Request
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.access import CurrentUser, TokenEnd
from app.accounts.display_preferences import DENSITIES, TEXT_SIZES, DisplayPreferences
from app.accounts.logins import check_password, enter
from app.accounts.pages import client_address, device_of, with_cookies, with_retry_after
from app.accounts.tokens import create_token, load_tokens, revoke_token
from app.accounts.users import get_user, set_password
from app.db.session import Db, ReadDb
from app.errors import AppError, Invalid
from app.models import User
from app.web.templating import redirect_to, render

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
MOST_PREFERENCES = 8192  # bytes of JSON


@router.get("/me")
def show_me(
    request: Request, user: CurrentUser, db: ReadDb, changed: bool = False, kept: bool = False
) -> Response:
    """Show the user's settings."""
    return _page(request, db, user, has_changed=changed, has_kept=kept)


@router.post("/me/password")
def change_my_password(
    request: Request, user: CurrentUser, db: Db, present: Text, password: Text
) -> Response:
    """Change the password: log all other browsers out and revoke the API tokens."""
    try:
        check_password(user, present, client_address(request), device_of(request))
        set_password(db, user, password, by=user)
    except AppError as error:
        return with_retry_after(_page(request, db, user, error=error), error)
    entry = enter(db, user, device_of(request))
    return with_cookies(RedirectResponse("/me?changed=true", 303), entry)


@router.post("/me/tokens")
def create_my_token(
    request: Request,
    user: CurrentUser,
    ends_by: TokenEnd,
    db: Db,
    name: Text,
    days: Annotated[int, Form()] = 90,
) -> Response:
    """Create a token; it is shown once."""
    token = create_token(db, user, name, days, ends_by)
    return _page(request, db, user, token=token)


@router.post("/me/tokens/{token_id}/revoke")
def revoke_my_token(request: Request, user: CurrentUser, db: Db, token_id: int) -> Response:
    """Revoke the token."""
    revoke_token(db, user, token_id)
    return redirect_to(request, "show_me")


@router.post("/me/display")
def choose_my_look(
    user: CurrentUser,
    db: Db,
    density: Text,
    text_size: Text,
    shows_differences: Annotated[bool, Form()] = False,
    is_reranked: Annotated[bool, Form()] = False,
) -> Response:
    """Save display preferences."""
    if density not in DENSITIES or text_size not in TEXT_SIZES:
        raise Invalid("Choose one of the listed densities and text sizes.")
    chosen = DisplayPreferences(density, text_size, shows_differences, is_reranked)
    _merge(db, user, asdict(chosen))
    return RedirectResponse("/me?kept=true#look", 303)


@router.post("/me/preferences")
def keep_my_preferences(
    user: CurrentUser, db: Db, changes: Annotated[dict[str, Any], Body()]
) -> dict[str, Any]:
    """Merge these preferences into the stored ones; null deletes one. Returns all."""
    if not all(re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", key) for key in changes):
        raise Invalid("Preference names consist of lowercase letters, digits and underscores.")
    return _merge(db, user, changes)


def _merge(db: Session, user: User, changes: dict[str, Any]) -> dict[str, Any]:
    row = get_user(db, user.id)
    merged = {k: v for k, v in {**row.preferences, **changes}.items() if v is not None}
    if len(json.dumps(merged)) > MOST_PREFERENCES:
        raise Invalid(f"Preferences are limited to {MOST_PREFERENCES} bytes.")
    row.preferences = merged
    return merged


def _page(
    request: Request,
    db: Session,
    user: User,
    *,
    error: AppError | None = None,
    token: str | None = None,
    has_changed: bool = False,
    has_kept: bool = False,
) -> Response:
    return render(
        request,
        "accounts/me.html",
        status=error.status if error else 200,
        error=error.sentence if error else None,
        token=token,
        tokens=load_tokens(db, user),
        has_changed=has_changed,
        has_kept=has_kept,
        look=DisplayPreferences.from_user(user),
        densities=DENSITIES,
        text_sizes=TEXT_SIZES,
    )
