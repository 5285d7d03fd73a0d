import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.accounts.invitations import (
    InvitationUsed,
    accept_invitation,
    create_first_admin_token,
    invite,
    require_open_invitation,
)
from app.accounts.users import create_user
from app.db.session import read_session, write_session
from app.errors import AppError, Invalid, NotFound
from app.models import Invitation, User, utc_now

SECRET = "a sentence to remember"


def admins() -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).where(User.role == "admin")) or 0


def test_the_first_link_makes_the_admin_and_there_is_no_second_one(database: str) -> None:
    with write_session() as db:
        token = create_first_admin_token(db)
    assert token is not None

    with write_session() as db:
        user = accept_invitation(db, token, "Ada", SECRET)

    assert (user.name, user.role) == ("Ada", "admin")
    with write_session() as db:
        assert create_first_admin_token(db) is None
    with write_session() as db, pytest.raises(InvitationUsed):
        accept_invitation(db, token, "Eve", SECRET)


def test_a_fresh_first_link_ends_the_older_one(database: str) -> None:
    with write_session() as db:
        old, new = create_first_admin_token(db), create_first_admin_token(db)
    assert old is not None
    assert new is not None

    with write_session() as db, pytest.raises(InvitationUsed):
        accept_invitation(db, old, "Eve", SECRET)
    with write_session() as db:
        assert accept_invitation(db, new, "Ada", SECRET).role == "admin"


def test_only_one_of_two_racing_browsers_becomes_admin(database: str) -> None:
    with write_session() as db:
        token = create_first_admin_token(db)
    assert token is not None
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def come_in(name: str) -> None:
        start.wait()
        try:
            with write_session() as db:
                outcomes.append(accept_invitation(db, token, name, SECRET).role)
        except AppError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=come_in, args=(f"racer {i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["InvitationUsed", "InvitationUsed", "InvitationUsed", "admin"]
    assert admins() == 1


def test_the_first_link_ends_when_the_operator_makes_an_admin(database: str) -> None:
    with write_session() as db:
        token = create_first_admin_token(db)
        assert token is not None
        create_user(db, "root", "admin", SECRET)

    with write_session() as db, pytest.raises(InvitationUsed):
        accept_invitation(db, token, "Eve", SECRET)
    assert admins() == 1


def test_an_unusable_password_leaves_the_link_good(database: str) -> None:
    with write_session() as db:
        root = create_user(db, "root", "admin", SECRET)
        token = invite(db, "annotator", by=root)

    with write_session() as db, pytest.raises(Invalid):
        accept_invitation(db, token, "Ben", "short")
    with write_session() as db:
        assert accept_invitation(db, token, "Ben", SECRET).role == "annotator"


def test_a_link_ends_after_its_time(database: str) -> None:
    with write_session() as db:
        root = create_user(db, "root", "admin", SECRET)
        token = invite(db, "annotator", by=root)
        db.execute(update(Invitation).values(expires_at=utc_now() - timedelta(seconds=1)))

    with write_session() as db, pytest.raises(InvitationUsed):
        accept_invitation(db, token, "Ben", SECRET)
    with read_session() as db, pytest.raises(NotFound):
        require_open_invitation(db, "guessed")


def test_a_link_for_a_user_sets_that_users_password(database: str) -> None:
    with write_session() as db:
        root = create_user(db, "root", "admin", SECRET)
        ben = create_user(db, "Ben", "reviewer")
        token = invite(db, ben.role, by=root, user=ben)

    with write_session() as db:
        user = accept_invitation(db, token, "ignored", SECRET)

    assert (user.id, user.name, user.role) == (ben.id, "Ben", "reviewer")
    assert user.password_hash is not None
