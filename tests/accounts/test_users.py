from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.logins import begin_login
from app.accounts.users import (
    change_role,
    create_user,
    disable,
    enable,
    find_user,
    get_user,
    set_password,
)
from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid, NotFound
from app.models import AuditEvent, Login, User

SECRET = "a sentence to remember"


def logins_of(user: User) -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).where(Login.user_id == user.id)) or 0


def make(name: str, role: str = "annotator") -> User:
    with write_session() as db:
        user = create_user(db, name, role, SECRET)
        begin_login(db, user)
    return user


def test_names_are_one_whatever_their_case(database: str) -> None:
    make("Zoë")

    with write_session() as db, pytest.raises(Conflict, match="named “ZOË”"):
        create_user(db, "ZOË", "annotator")
    with read_session() as db:
        assert find_user(db, "zoë").name == "Zoë"
        with pytest.raises(NotFound):
            find_user(db, "zoe")


@pytest.mark.parametrize(
    ("name", "role"), [("", "admin"), ("a\nb", "admin"), ("x" * 61, "admin"), ("ok", "owner")]
)
def test_unusable_names_and_roles_are_refused(database: str, name: str, role: str) -> None:
    with write_session() as db, pytest.raises(Invalid):
        create_user(db, name, role)


def test_a_new_password_a_new_role_and_disabling_log_out_everywhere(database: str) -> None:
    make("root", "admin")
    changes: list[Callable[[Session, User], None]] = [
        lambda db, user: set_password(db, user, "another long sentence"),
        lambda db, user: change_role(db, user, "reviewer", None),
        lambda db, user: disable(db, user, None),
    ]
    for number, change in enumerate(changes):
        user = make(f"user {number}")
        assert logins_of(user) == 1

        with write_session() as db:
            change(db, get_user(db, user.id))

        assert logins_of(user) == 0


def test_the_last_admin_stays(database: str) -> None:
    first = make("first", "admin")

    with write_session() as db, pytest.raises(Conflict, match="only admin"):
        disable(db, get_user(db, first.id), None)
    with write_session() as db, pytest.raises(Conflict, match="only admin"):
        change_role(db, get_user(db, first.id), "annotator", None)
    make("second", "admin")
    with write_session() as db:
        disable(db, get_user(db, first.id), None)
        enable(db, get_user(db, first.id), None)

    with read_session() as db:
        assert get_user(db, first.id).is_active


def test_changes_are_noted_without_any_secret(database: str) -> None:
    user = make("ada", "admin")

    with write_session() as db:
        set_password(db, user, "another long sentence", by=user)

    with read_session() as db:
        events = db.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [event.action for event in events] == ["user created", "logged in", "password set"]
    assert events[-1].user_id == user.id
    assert "sentence" not in str([event.details for event in events])
