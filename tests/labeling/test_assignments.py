import pytest

from app.db.session import read_session, write_session
from app.errors import NotAllowed, NotFound
from app.labeling.sessions.session_list import load_session_lists, set_hidden
from app.labeling.sessions.sessions import build_seed, start_session
from app.labeling.team.assignments import assign, list_assigned_sessions, load_assignees
from app.models import LabelingSession, Project, User
from tests.conftest import make_user
from tests.labeling.conftest import Desk


def start(desk: Desk, by: User, n: int = 3) -> LabelingSession:
    seed = build_seed("given", desk.records[:n])
    return start_session(desk.project, by, "given", seed=seed)


def give(desk: Desk, session: LabelingSession, *users: User, by: User | None = None) -> None:
    with write_session() as db:
        assign(db, desk.project, session, [user.id for user in users], by or desk.ada)


def states(desk: Desk, session: LabelingSession) -> dict[str, tuple[int, bool]]:
    with read_session() as db:
        found = load_assignees(db, [session.id]).get(session.id, [])
    return {each.name: (each.n_decided, each.is_done) for each in found}


def test_each_assignee_has_a_state_of_their_own(desk: Desk) -> None:
    session = start(desk, desk.ada)
    give(desk, session, desk.ada, desk.ben)
    desk.label(desk.ben, (0, 0), (1, 0), (2, None), key="b")
    desk.label(desk.ada, (0, 0), (5, 0), key="a")

    assert states(desk, session) == {"ada": (1, False), "ben": (3, True)}
    with read_session() as db:
        assert [
            each.id for each, _ in list_assigned_sessions(db, desk.project.id, desk.ada.id)
        ] == [session.id]
        assert list_assigned_sessions(db, desk.project.id, desk.ben.id) == []
    give(desk, session, desk.ben)
    assert states(desk, session) == {"ben": (3, True)}


def test_those_who_may_assign_to_those_who_may_label(desk: Desk) -> None:
    session = start(desk, desk.ada)
    vera = make_user("vera", "reviewer")
    give(desk, session, desk.ben, by=vera)
    assert states(desk, session) == {"ben": (0, False)}

    with pytest.raises(NotAllowed, match="admin or a reviewer"):
        give(desk, session, desk.ada, by=desk.ben)
    with write_session() as db:
        db.get_one(User, vera.id).is_active = False
    with pytest.raises(NotFound):
        give(desk, session, vera)
    with write_session() as db:
        db.get_one(Project, desk.project.id).is_open = False
    desk.project.is_open = False
    with pytest.raises(NotFound):
        give(desk, session, desk.ben)


def test_a_session_stands_in_one_list(desk: Desk) -> None:
    assigned, own, done, foreign = (
        start(desk, desk.ada, 4),
        start(desk, desk.ben, 5),
        start(desk, desk.ben, 1),
        start(desk, desk.ada, 6),
    )
    give(desk, assigned, desk.ben)
    desk.label(desk.ben, (0, 0), key="b")

    with read_session() as db:
        found = load_session_lists(db, desk.project, desk.ben)

    ids = [[line.session.id for line in of] for of in (found.assigned, found.continued)]
    assert ids == [[assigned.id], [own.id]]
    assert [line.session.id for line in found.recent] == [foreign.id, done.id]
    line = found.assigned[0]
    assert (line.by, line.n_labeled, line.n_decided, line.is_own) == ("ada", 1, 1, False)


def test_an_own_session_is_hidden_and_shown_again(desk: Desk) -> None:
    session = start(desk, desk.ben)

    with pytest.raises(NotAllowed), write_session() as db:
        set_hidden(db, session, make_user("cleo", "annotator"))
    with write_session() as db:
        set_hidden(db, session, desk.ben)
    with read_session() as db:
        found = load_session_lists(db, desk.project, desk.ben)
        assert (found.continued, found.recent, found.n_hidden) == ([], [], 1)
    with write_session() as db:
        set_hidden(db, session, desk.ben, is_hidden=False)
    with read_session() as db:
        assert len(load_session_lists(db, desk.project, desk.ben).continued) == 1
