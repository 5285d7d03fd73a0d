"""Pages to log in, log out and use a one-time link."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.access import LONGEST, cookie_name, find_current_user
from app.accounts.devices import LASTS as DEVICE_LASTS
from app.accounts.devices import device_cookie_name
from app.accounts.invitations import accept_invitation, has_users, require_open_invitation
from app.accounts.logins import Entry, WrongPassword, enter, log_in, log_out
from app.accounts.passwords import LoginsBusy
from app.accounts.throttling import TooManyTries
from app.accounts.users import get_user
from app.db.session import Db, ReadDb
from app.errors import AppError, Conflict, Invalid
from app.models import User
from app.settings import settings
from app.web.templating import render

router = APIRouter(include_in_schema=False)
MaybeUser = Annotated[User | None, Depends(find_current_user)]
Text = Annotated[str, Form()]
NextOfQuery = Annotated[str, Query(alias="next")]
NextOfForm = Annotated[str, Form(alias="next")]


def local_path(path: str) -> str:
    """Return the path if it is local, else "/": a link must not redirect to another site."""
    parts = urlsplit(path)
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours and not parts.scheme and not parts.netloc else "/"


def with_cookies(response: Response, entry: Entry) -> Response:
    """Set the cookies that log this browser in and mark it as known."""
    for name, value, lasts in (
        (cookie_name(), entry.login, LONGEST),
        (device_cookie_name(), entry.device, DEVICE_LASTS),
    ):
        response.set_cookie(
            name,
            value,
            max_age=int(lasts.total_seconds()),
            path="/",
            secure=settings().is_https,
            httponly=True,
            samesite="lax",
        )
    return response


def device_of(request: Request) -> str:
    """Return the cookie of a known device; "" if there is none."""
    return request.cookies.get(device_cookie_name(), "")


def client_address(request: Request) -> str:
    """Return the client's address as the server saw it; headers count only when a proxy that
    LIKEWISE_TRUSTED_PROXIES names has sent them."""
    return request.client.host if request.client else ""


def with_retry_after(response: Response, error: AppError | None) -> Response:
    """Render the error, with Retry-After if it has one."""
    if isinstance(error, TooManyTries | LoginsBusy):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


@router.get("/login")
def show_login(
    request: Request, db: ReadDb, user: MaybeUser, next_path: NextOfQuery = "/"
) -> Response:
    """Show the login form, or redirect if already logged in."""
    if user is not None:
        return RedirectResponse(local_path(next_path), 303)
    return _login_form(request, local_path(next_path), is_new=not has_users(db))


@router.post("/login")
def log_in_here(
    request: Request, name: Text, password: Text, next_path: NextOfForm = "/"
) -> Response:
    """Log in and redirect, or show the form with an error."""
    try:
        entry = log_in(name, password, client_address(request), device_of(request))
    except (WrongPassword, TooManyTries, LoginsBusy) as error:
        return _login_form(request, local_path(next_path), error=error, name=name)
    return with_cookies(RedirectResponse(local_path(next_path), 303), entry)


def _login_form(
    request: Request,
    next_path: str,
    *,
    is_new: bool = False,
    error: AppError | None = None,
    name: str = "",
) -> Response:
    answer = render(
        request,
        "accounts/login.html",
        status=error.status if error else 200,
        next=next_path,
        is_new=is_new,
        error=error.sentence if error else None,
        name=name,
    )
    return with_retry_after(answer, error)


@router.post("/logout")
def log_out_here(request: Request, db: Db) -> Response:
    """End this login and delete the cookie."""
    log_out(db, request.cookies.get(cookie_name(), ""))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(
        cookie_name(), path="/", secure=settings().is_https, httponly=True, samesite="lax"
    )
    return response


@router.get("/welcome/{token}")
def show_welcome(request: Request, token: str, db: ReadDb) -> Response:
    """Show the form for name and password. Raises NotFound, UsedUp."""
    return _welcome_form(request, db, token)


@router.post("/welcome/{token}")
def accept_welcome(
    request: Request, token: str, db: Db, password: Text, name: Text = ""
) -> Response:
    """Redeem the link and log in."""
    try:
        user = accept_invitation(db, token, name, password)
    except (Invalid, Conflict) as error:
        db.rollback()  # The link stays good; it is looked up again, which says if it is not.
        return _welcome_form(request, db, token, error=error, name=name)
    return with_cookies(RedirectResponse("/", 303), enter(db, user, device_of(request)))


def _welcome_form(
    request: Request, db: Session, token: str, error: AppError | None = None, name: str = ""
) -> HTMLResponse:
    invitation = require_open_invitation(db, token)
    invited = get_user(db, invitation.user_id) if invitation.user_id else None
    return render(
        request,
        "accounts/welcome.html",
        status=error.status if error else 200,
        token=token,
        role=invitation.role,
        invited=invited,
        is_first=not has_users(db),
        error=error.sentence if error else None,
        name=name,
    )
