"""API of users and API tokens."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.accounts.access import Admin, CurrentUser, TokenEnd
from app.accounts.tokens import (
    LONGEST_DAYS,
    create_token,
    every_token,
    load_tokens,
    revoke_of_anyone,
    revoke_token,
)
from app.accounts.users import load_users
from app.db.session import Db, ReadDb
from app.web.schemas import StrictModel

router = APIRouter(prefix="/api/v1", tags=["accounts"])


class UserResponse(StrictModel):
    """A user, without anything secret."""

    id: int
    name: str
    role: str
    is_active: bool
    created_at: datetime


class MeResponse(UserResponse):
    """The requesting user."""

    preferences: dict[str, Any]


class TokenResponse(StrictModel):
    """A stored token, identified by its prefix."""

    id: int
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class OwnedTokenResponse(TokenResponse):
    """A token and its user."""

    user_id: int
    user: str


class TokenBody(StrictModel):
    """Purpose and validity of a new token."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS)] = 90


class NewToken(BaseModel):
    """The token itself; it cannot be shown again."""

    token: str


@router.get("/me")
def read_me(user: CurrentUser) -> MeResponse:
    """Return the requesting user."""
    return MeResponse.model_validate(user)


@router.get("/tokens")
def list_tokens(user: CurrentUser, db: ReadDb) -> list[TokenResponse]:
    """List the user's tokens except revoked ones."""
    return [TokenResponse.model_validate(token) for token in load_tokens(db, user)]


@router.post("/tokens", status_code=201)
def add_token(user: CurrentUser, ends_by: TokenEnd, db: Db, body: TokenBody) -> NewToken:
    """Create a token; it is returned once. Made with a token, it cannot outlive that one."""
    return NewToken(token=create_token(db, user, body.name, body.days, ends_by))


@router.delete("/tokens/{token_id}", status_code=204)
def delete_token(user: CurrentUser, db: Db, token_id: int) -> None:
    """Revoke one of the user's tokens immediately."""
    revoke_token(db, user, token_id)


@router.get("/users")
def list_users(admin: Admin, db: ReadDb) -> list[UserResponse]:
    """List all users. Admins only."""
    return [UserResponse.model_validate(user) for user in load_users(db)]


@router.get("/users/tokens")
def list_users_tokens(admin: Admin, db: ReadDb) -> list[OwnedTokenResponse]:
    """List all users' tokens except revoked ones. Admins only."""
    return [
        OwnedTokenResponse(
            **TokenResponse.model_validate(token).model_dump(), user_id=owner.id, user=owner.name
        )
        for token, owner in every_token(db)
    ]


@router.delete("/users/tokens/{token_id}", status_code=204)
def delete_users_token(admin: Admin, db: Db, token_id: int) -> None:
    """Revoke any user's token immediately. Admins only."""
    revoke_of_anyone(db, token_id, by=admin)
