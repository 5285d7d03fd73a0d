import numpy as np
import pytest

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.sessions.reranking import RowOrder, compute_order
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import LabelingSession, Record
from tests.conftest import client_of
from tests.labeling.conftest import Desk
from tests.labeling.test_sessions import embed, order, suggest

BILLING, DELIVERY = 0, 1


def ordered(desk: Desk, session: LabelingSession) -> RowOrder:
    with read_session() as db:
        return compute_order(db, desk.project, session, desk.ada.id)


def say(desk: Desk, session: LabelingSession, *says: AnnotationInput) -> None:
    with write_session() as db:
        annotate(db, desk.project, desk.ada.id, says, key=f"{says}"[:80], session_id=session.id)


def decide(desk: Desk, session: LabelingSession, *ranks: int) -> list[int]:
    """Label these rows truly: a record's label is its direction. Returns the open ranks."""
    ids = order(session)
    labels = {rank: desk.labels[desk.records.index(ids[rank]) % 3] for rank in ranks}
    says = [
        AnnotationInput(ids[rank], "label", (label,), rank=rank) for rank, label in labels.items()
    ]
    say(desk, session, *says)
    return [rank for rank in range(len(ids)) if rank not in ranks]


def whole_session(desk: Desk) -> LabelingSession:
    """Everything, seen from the first record: each label is a direction."""
    seed = build_seed("record", [desk.records[0]])
    return start_session(desk.project, desk.ada, "record", seed=seed, k=11)


def directions(desk: Desk, session: LabelingSession, found: RowOrder) -> list[int]:
    ids = order(session)
    return [desk.records.index(ids[rank]) % 3 for rank in found.ranks.tolist()]


def test_open_rows_of_the_seeds_label_come_first_once_enough_is_decided(desk: Desk) -> None:
    embed(desk)
    session = whole_session(desk)
    before = ordered(desk, session)
    open_ranks = decide(desk, session, 0, 4, 5, 8, 11)

    after = ordered(desk, session)

    assert (before.is_reranked, before.n_learned, before.cut) == (False, 0, None)
    assert before.ranks.tolist() == list(range(12))
    assert (after.is_reranked, after.n_learned) == (True, 5)
    assert sorted(after.ranks.tolist()) == open_ranks
    assert directions(desk, session, after)[:3] == [BILLING] * 3
    assert set(after.suggestions) == set(open_ranks)
    assert {after.suggestions[int(rank)][0][0] for rank in after.ranks[:3]} == {desk.labels[0]}


def test_the_end_is_proposed_where_the_seeds_label_is_no_longer_likely(desk: Desk) -> None:
    shares = np.full((12, 3), 0.05)
    shares[np.arange(12), np.arange(12) % 3] = 0.9
    suggest(desk, embed(desk), shares)
    session = whole_session(desk)

    found = ordered(desk, session)

    assert (found.cut, found.is_reranked, found.n_learned) == (4, False, 0)
    assert found.cut_sentence == "Below this line, fewer than half are probably billing."
    assert directions(desk, session, found)[:4] == [BILLING] * 4
    decide(desk, session, *range(4))
    assert ordered(desk, session).cut is None, "nothing more of the session is likely billing"


def test_not_similar_and_none_of_these_speak_against_the_seeds_label(desk: Desk) -> None:
    embed(desk)
    session = whole_session(desk)
    decide(desk, session, 0, 1, 2)
    ids = order(session)
    elsewhere = [rank for rank in range(12) if desk.records.index(ids[rank]) % 3 == DELIVERY]
    say(desk, session, AnnotationInput(ids[elsewhere[0]], "not_similar", rank=elsewhere[0]))
    say(desk, session, AnnotationInput(ids[elsewhere[1]], "none", rank=elsewhere[1]))

    found = ordered(desk, session)

    assert found.n_learned == 5
    assert directions(desk, session, found)[-2:] == [DELIVERY, DELIVERY]


def test_a_session_that_teaches_keeps_its_order_but_its_rows_are_suggested(desk: Desk) -> None:
    embed(desk)
    session = start_session(desk.project, desk.ada, "random", k=12)
    open_ranks = decide(desk, session, *range(6))

    found = ordered(desk, session)

    assert (found.is_reranked, found.cut) == (False, None)
    assert found.ranks.tolist() == open_ranks
    assert set(found.suggestions) == set(open_ranks)


def test_the_commonest_label_is_not_suggested_where_nothing_speaks_about_a_row(desk: Desk) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    says = [
        AnnotationInput(record_id, "label", (desk.labels[0],)) for record_id in order(session)[:6]
    ]
    say(desk, session, *says)

    found = ordered(desk, session)

    assert (found.n_learned, found.ranks.tolist()) == (6, list(range(6, 12)))
    assert found.suggestions == {}


def test_a_holdout_session_suggests_nothing(desk: Desk) -> None:
    suggest(desk, embed(desk), np.tile([0.9, 0.05, 0.05], (12, 1)))
    session = start_session(desk.project, desk.ada, "holdout", k=12)
    decide(desk, session, *range(6))

    assert ordered(desk, session).suggestions == {}


@pytest.mark.parametrize("kind", ["record", "random"])
def test_rows_without_a_vector_or_a_record_do_no_harm(desk: Desk, kind: str) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    open_ranks = decide(desk, session, *range(5))
    assert ordered(desk, session).ranks.tolist() == open_ranks
    embed(desk)
    seed = build_seed(kind, desk.records[:1])
    session = start_session(desk.project, desk.ada, kind, seed=seed, k=11)
    gone = order(session)[6]
    with write_session() as db:
        db.delete(db.get_one(Record, gone))

    assert 6 not in ordered(desk, session).ranks.tolist()


def test_programs_read_the_order(desk: Desk) -> None:
    embed(desk)
    session = whole_session(desk)
    decide(desk, session, 0, 4, 5, 8, 11)

    path = f"/api/v1/projects/letters/sessions/{session.id}/order"
    answer = client_of(desk.ada).get(path).json()

    assert answer["is_reranked"]
    assert len(answer["order"]) == 7
    best = str(answer["order"][0])
    assert answer["suggestions"][best][0][0] == desk.labels[BILLING]
    assert answer["cut_label_id"] in (None, desk.labels[BILLING])
