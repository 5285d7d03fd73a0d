"""Records join the audit stream by chance alone, and never leave it."""

from sqlalchemy import select

from app.db.session import read_session, write_session
from app.labeling.team.holdout import HoldoutCounts, count_holdout, draw_holdout, is_in_holdout
from app.models import Project, Record
from tests.labeling.conftest import Desk, add_records, make_desk


def draw(project: Project, n_more: int) -> list[int]:
    with write_session() as db:
        return draw_holdout(db, project, n_more)


def stream(project: Project) -> set[int]:
    with read_session() as db:
        ours = (Record.project_id == project.id, is_in_holdout(project.id))
        return set(db.scalars(select(Record.id).where(*ours)))


def test_the_stream_grows_in_the_order_of_the_hashes_and_shows_what_is_not_labeled(
    desk: Desk,
) -> None:
    with read_session() as db:
        by_hash = list(
            db.scalars(
                select(Record.id)
                .where(Record.project_id == desk.project.id)
                .order_by(Record.content_hash)
            )
        )
    assert stream(desk.project) == set()

    first = draw(desk.project, 4)
    desk.label(desk.ada, (desk.records.index(first[0]), 0), key="one")
    desk.label(desk.ada, (desk.records.index(by_hash[5]), 1), key="two")
    second = draw(desk.project, 4)

    assert first == by_hash[:4]
    # Three of the first four are still open; the sixth was labeled elsewhere, and joins unasked.
    assert second == [*by_hash[1:4], by_hash[4]]
    assert stream(desk.project) == set(by_hash[:5])
    assert draw(desk.project, 5) == [*by_hash[1:5], by_hash[6]]
    assert stream(desk.project) == set(by_hash[:7])
    with read_session() as db:
        assert count_holdout(db, desk.project.id) == HoldoutCounts(n_records=7, n_labeled=2)


def test_the_stream_never_shrinks_and_ends_with_the_project(desk: Desk) -> None:
    draw(desk.project, 10)

    few = draw(desk.project, 2)
    every = draw(desk.project, 1_000)

    assert len(few) == 2
    assert len(stream(desk.project)) == 12
    assert set(every) == set(desk.records)


def test_equal_texts_join_together_and_other_projects_stay_out(database: str) -> None:
    desk = make_desk(n_records=0)
    add_records(desk.project, ["the very same words"])
    with write_session() as db:
        one = db.scalars(select(Record).where(Record.project_id == desk.project.id)).one()
        twin = Record(
            project_id=desk.project.id,
            external_id="twin",
            text=one.text,
            content_hash=one.content_hash,
        )
        db.add(twin)
        db.flush()
        pair = {one.id, twin.id}

    assert len(draw(desk.project, 1)) == 1

    assert stream(desk.project) == pair
