"""The accounts room for programs."""

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
    """The user who asks."""

    preferences: dict[str, Any]


class TokenResponse(StrictModel):
    """A token as it is remembered: by the beginning of it."""

    id: int
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class OwnedTokenResponse(TokenResponse):
    """A token, and whom a program acts as with it."""

    user_id: int
    user: str


class TokenBody(StrictModel):
    """What a new token is for, and for how long."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS)] = 90


class NewToken(BaseModel):
    """The token itself; there is no way to see it again."""

    token: str


@router.get("/me")
def read_me(user: CurrentUser) -> MeResponse:
    """Who I am."""
    return MeResponse.model_validate(user)


@router.get("/tokens")
def list_tokens(user: CurrentUser, db: ReadDb) -> list[TokenResponse]:
    """My tokens that were not revoked."""
    return [TokenResponse.model_validate(token) for token in load_tokens(db, user)]


@router.post("/tokens", status_code=201)
def add_token(user: CurrentUser, ends_by: TokenEnd, db: Db, body: TokenBody) -> NewToken:
    """A new token of mine, told this once. Made with a token, it cannot end later than that one."""
    return NewToken(token=create_token(db, user, body.name, body.days, ends_by))


@router.delete("/tokens/{token_id}", status_code=204)
def delete_token(user: CurrentUser, db: Db, token_id: int) -> None:
    """End a token of mine, at once."""
    revoke_token(db, user, token_id)


@router.get("/users")
def list_users(admin: Admin, db: ReadDb) -> list[UserResponse]:
    """Everyone. For admins."""
    return [UserResponse.model_validate(user) for user in load_users(db)]


@router.get("/users/tokens")
def list_users_tokens(admin: Admin, db: ReadDb) -> list[OwnedTokenResponse]:
    """Everyone's tokens that were not revoked. For admins."""
    return [
        OwnedTokenResponse(
            **TokenResponse.model_validate(token).model_dump(), user_id=owner.id, user=owner.name
        )
        for token, owner in every_token(db)
    ]


@router.delete("/users/tokens/{token_id}", status_code=204)
def delete_users_token(admin: Admin, db: Db, token_id: int) -> None:
    """End anybody's token, at once. For admins."""
    revoke_of_anyone(db, token_id, by=admin)
