"""Filters by what people did: they need acts, which the records room does not know."""

from datetime import UTC, datetime, timedelta

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.undo import undo
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids
from tests.record_search.test_bulk import Desk


def found(desk: Desk, **query: str) -> list[int]:
    """Positions of the matching records."""
    with read_session() as db:
        ids = find_matching_ids(db, desk.project.id, Filters.from_query(query))
    return [desk.records.index(int(each)) for each in ids]


def test_the_history_has_voter_vote_and_time(database: str) -> None:
    desk = Desk()  # Ada labeled 0 World, Ben labeled 1 Sport.
    desk.say(desk.ben, desk.records[:1], desk.sport, "3")
    desk.say(desk.ada, desk.records[2:3], desk.world, "4")
    with write_session() as db:
        skipped = annotate(
            db,
            desk.project,
            desk.ada.id,
            [AnnotationInput(desk.records[each], "skip") for each in (2, 3)],
            key="5",
        )
    today = datetime.now(UTC).date()
    yesterday, tomorrow = str(today - timedelta(days=1)), str(today + timedelta(days=1))

    assert found(desk, state="disagreed") == [0]
    assert found(desk, state="skipped") == [2, 3]
    assert found(desk, by=str(desk.ada.id)) == [0]
    assert found(desk, by=str(desk.ben.id)) == [0, 1]
    assert found(desk, source="person") == [0, 1]
    assert found(desk, source="import") == []
    assert found(desk, when="labeled", since=yesterday, until=tomorrow) == [1]
    assert found(desk, when="labeled", until=yesterday) == []
    assert found(desk, since=yesterday, until=tomorrow) == [0, 1, 2, 3, 4]
    assert found(desk, since=tomorrow) == []
    with write_session() as db:
        undo(db, desk.project, desk.ada.id, action_id=skipped.id)
    assert found(desk, by=str(desk.ada.id)) == [0, 2]
    assert found(desk, state="skipped") == []
