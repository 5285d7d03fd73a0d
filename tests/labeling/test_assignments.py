import pytest

from app.database import reading, transaction
from app.errors import NotAllowed, NotFound
from app.labeling.assignments import assign, assigned_to, assignees
from app.labeling.listing import hide, lists
from app.labeling.sessions import seed_of, start_session
from app.models import LabelingSession, Project, User
from tests.conftest import make_user
from tests.labeling.conftest import Desk


def start(desk: Desk, by: User, n: int = 3) -> LabelingSession:
    seed = seed_of("given", desk.records[:n])
    return start_session(desk.project, by, "given", seed=seed)


def give(desk: Desk, session: LabelingSession, *users: User, by: User | None = None) -> None:
    with transaction() as db:
        assign(db, desk.project, session, [user.id for user in users], by or desk.ada)


def states(desk: Desk, session: LabelingSession) -> dict[str, tuple[int, bool]]:
    with reading() as db:
        found = assignees(db, [session.id]).get(session.id, [])
    return {each.name: (each.n_decided, each.is_done) for each in found}


def test_each_assignee_has_a_state_of_their_own(desk: Desk) -> None:
    session = start(desk, desk.ada)
    give(desk, session, desk.ada, desk.ben)
    desk.label(desk.ben, (0, 0), (1, 0), (2, None), key="b")
    desk.label(desk.ada, (0, 0), (5, 0), key="a")

    assert states(desk, session) == {"ada": (1, False), "ben": (3, True)}
    with reading() as db:
        assert [each.id for each, _ in assigned_to(db, desk.project.id, desk.ada.id)] == [
            session.id
        ]
        assert assigned_to(db, desk.project.id, desk.ben.id) == []
    give(desk, session, desk.ben)
    assert states(desk, session) == {"ben": (3, True)}


def test_those_who_may_assign_to_those_who_may_label(desk: Desk) -> None:
    session = start(desk, desk.ada)
    vera = make_user("vera", "reviewer")
    give(desk, session, desk.ben, by=vera)
    assert states(desk, session) == {"ben": (0, False)}

    with pytest.raises(NotAllowed, match="admin or a reviewer"):
        give(desk, session, desk.ada, by=desk.ben)
    with transaction() as db:
        db.get_one(User, vera.id).is_active = False
    with pytest.raises(NotFound):
        give(desk, session, vera)
    with transaction() as db:
        db.get_one(Project, desk.project.id).is_open = False
    desk.project.is_open = False
    with pytest.raises(NotFound):
        give(desk, session, desk.ben)


def test_a_session_stands_in_one_list(desk: Desk) -> None:
    assigned, own, done, foreign = (
        start(desk, desk.ada, 4), start(desk, desk.ben, 5), start(desk, desk.ben, 1),
        start(desk, desk.ada, 6),
    )  # fmt: skip
    give(desk, assigned, desk.ben)
    desk.label(desk.ben, (0, 0), key="b")

    with reading() as db:
        found = lists(db, desk.project, desk.ben)

    ids = [[line.session.id for line in of] for of in (found.assigned, found.continued)]
    assert ids == [[assigned.id], [own.id]]
    assert [line.session.id for line in found.recent] == [foreign.id, done.id]
    line = found.assigned[0]
    assert (line.by, line.n_labeled, line.n_decided, line.is_own) == ("ada", 1, 1, False)


def test_an_own_session_is_hidden_and_shown_again(desk: Desk) -> None:
    session = start(desk, desk.ben)

    with pytest.raises(NotAllowed), transaction() as db:
        hide(db, session, make_user("cleo", "annotator"))
    with transaction() as db:
        hide(db, session, desk.ben)
    with reading() as db:
        found = lists(db, desk.project, desk.ben)
        assert (found.continued, found.recent, found.n_hidden) == ([], [], 1)
    with transaction() as db:
        hide(db, session, desk.ben, is_hidden=False)
    with reading() as db:
        assert len(lists(db, desk.project, desk.ben).continued) == 1
