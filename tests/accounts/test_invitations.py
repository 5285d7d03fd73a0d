import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.accounts.invitations import UsedUp, accept, first_admin_link, invite, open_invitation
from app.accounts.users import create_user
from app.database import reading, transaction
from app.errors import AppError, Invalid, NotFound
from app.models import Invitation, User, utc_now

SECRET = "a sentence to remember"


def admins() -> int:
    with reading() as db:
        return db.scalar(select(func.count()).where(User.role == "admin")) or 0


def test_the_first_link_makes_the_admin_and_there_is_no_second_one(database: str) -> None:
    with transaction() as db:
        token = first_admin_link(db)
    assert token is not None

    with transaction() as db:
        user = accept(db, token, "Ada", SECRET)

    assert (user.name, user.role) == ("Ada", "admin")
    with transaction() as db:
        assert first_admin_link(db) is None
    with transaction() as db, pytest.raises(UsedUp):
        accept(db, token, "Eve", SECRET)


def test_a_fresh_first_link_ends_the_older_one(database: str) -> None:
    with transaction() as db:
        old, new = first_admin_link(db), first_admin_link(db)
    assert old is not None
    assert new is not None

    with transaction() as db, pytest.raises(UsedUp):
        accept(db, old, "Eve", SECRET)
    with transaction() as db:
        assert accept(db, new, "Ada", SECRET).role == "admin"


def test_of_two_browsers_that_race_one_becomes_the_admin(database: str) -> None:
    with transaction() as db:
        token = first_admin_link(db)
    assert token is not None
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def come_in(name: str) -> None:
        start.wait()
        try:
            with transaction() as db:
                outcomes.append(accept(db, token, name, SECRET).role)
        except AppError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=come_in, args=(f"racer {i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["UsedUp", "UsedUp", "UsedUp", "admin"]
    assert admins() == 1


def test_the_first_link_ends_when_the_operator_makes_an_admin(database: str) -> None:
    with transaction() as db:
        token = first_admin_link(db)
        assert token is not None
        create_user(db, "root", "admin", SECRET)

    with transaction() as db, pytest.raises(UsedUp):
        accept(db, token, "Eve", SECRET)
    assert admins() == 1


def test_an_unusable_password_leaves_the_link_good(database: str) -> None:
    with transaction() as db:
        root = create_user(db, "root", "admin", SECRET)
        token = invite(db, "annotator", by=root)

    with transaction() as db, pytest.raises(Invalid):
        accept(db, token, "Ben", "short")
    with transaction() as db:
        assert accept(db, token, "Ben", SECRET).role == "annotator"


def test_a_link_ends_after_its_time(database: str) -> None:
    with transaction() as db:
        root = create_user(db, "root", "admin", SECRET)
        token = invite(db, "annotator", by=root)
        db.execute(update(Invitation).values(expires_at=utc_now() - timedelta(seconds=1)))

    with transaction() as db, pytest.raises(UsedUp):
        accept(db, token, "Ben", SECRET)
    with reading() as db, pytest.raises(NotFound):
        open_invitation(db, "guessed")


def test_a_link_for_a_user_sets_that_users_password(database: str) -> None:
    with transaction() as db:
        root = create_user(db, "root", "admin", SECRET)
        ben = create_user(db, "Ben", "reviewer")
        token = invite(db, ben.role, by=root, user=ben)

    with transaction() as db:
        user = accept(db, token, "ignored", SECRET)

    assert (user.id, user.name, user.role) == (ben.id, "Ben", "reviewer")
    assert user.password_hash is not None
