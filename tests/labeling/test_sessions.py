import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid, NotFound
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.sessions.rows import compute_session_progress, find_first_undecided, load_items
from app.labeling.sessions.sessions import build_seed, find_session, start_again, start_session
from app.ml.index import VectorIndex
from app.models import Embedding, LabelingSession, Record, SessionItem, Version
from app.projects.labels import list_all_labels
from app.records.filters import Filters
from app.search.suggestions import Suggestions, save_suggestions
from app.search.versions import activate, publish
from app.storage import StoredFile, store_file
from tests.conftest import make_project
from tests.labeling.conftest import Desk, add_records


def vectors(n: int = 12) -> NDArray[np.float32]:
    """Three directions, four records each; within a direction the later ones lean away."""
    rows = np.zeros((n, 8), np.float32)
    for i in range(n):
        rows[i, i % 3] = 1.0
        rows[i, 3 + i % 5] = 0.25 * (i // 3)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def embed(desk: Desk) -> Version:
    """Give every record a vector, and the project an active raw version with an index."""
    ids, rows = np.array(desk.records, np.int64), vectors()
    index = VectorIndex.build(ids, rows)
    stored: StoredFile = store_file("index", index.save)
    with write_session() as db:
        encoder = publish(
            db,
            desk.project,
            kind="raw",
            base_version=None,
            files={"index": stored},
            n_records=len(ids),
        )
        db.flush()
        records = db.scalars(select(Record).order_by(Record.id)).all()
        for record, row in zip(records, rows, strict=True):
            db.add(
                Embedding(
                    version_id=encoder.id,
                    record_id=record.id,
                    content_hash=record.content_hash,
                    vector=row.astype("<f4").tobytes(),
                )
            )
    return encoder


def suggest(desk: Desk, raw: Version, shares: NDArray[np.float64]) -> Version:
    """A second version over the same vectors that suggests labels with these shares."""
    ids = np.array(desk.records, np.int64)
    found = Suggestions(ids, tuple(desk.labels), shares.astype(np.float16))
    files = {
        "index": store_file("index", VectorIndex.build(ids, vectors()).save),
        "suggestions": store_file("suggestions", lambda path: save_suggestions(found, path)),
    }
    with write_session() as db:
        encoder = publish(
            db, desk.project, kind="head", base_version=raw, files=files, n_records=len(ids)
        )
        activate(db, encoder, by=None, reason="better")
    return encoder


def order(session: LabelingSession) -> list[int]:
    with read_session() as db:
        places = select(SessionItem.record_id).where(SessionItem.session_id == session.id)
        return list(db.scalars(places.order_by(SessionItem.rank)))


def test_random_records_can_be_labeled_before_anything_is_embedded(desk: Desk) -> None:
    session = start_session(desk.project, desk.ada, "random", k=5)

    assert len(set(order(session))) == 5
    assert session.n_records == 5
    assert session.version_id is None


def test_similar_sessions_wait_for_embedding_with_one_clear_sentence(desk: Desk) -> None:
    seed = build_seed("record", [desk.records[0]])

    for kind, given in (("record", seed), ("cold_start", None), ("uncertain", None)):
        with pytest.raises(Conflict, match=r"still being embedded \(0 of 12\)"):
            start_session(desk.project, desk.ada, kind, seed=given)


def test_a_session_from_a_record_starts_with_it_then_its_nearest(desk: Desk) -> None:
    encoder = embed(desk)
    seed = build_seed("record", [desk.records[0]])

    session = start_session(desk.project, desk.ada, "record", seed=seed, k=3)

    assert order(session) == [desk.records[i] for i in (0, 3, 6, 9)]
    assert session.version_id == encoder.id
    assert session.title == "Similar to “message number 0”"
    with read_session() as db:
        rows = load_items(db, desk.project, session, desk.ada.id)
    assert [row.similarity is None for row in rows] == [True, False, False, False]
    assert rows[1].similarity is not None
    assert rows[1].similarity > (rows[2].similarity or 0) > 0.8


def test_labeled_records_are_left_out_unless_requested(desk: Desk) -> None:
    embed(desk)
    desk.label(desk.ada, (3, 0), key="a")
    seed = build_seed("record", [desk.records[0]])

    fresh = start_session(desk.project, desk.ada, "record", seed=seed, k=2)
    whole = start_session(desk.project, desk.ada, "record", seed=seed, k=2, filters=Filters())

    assert order(fresh) == [desk.records[i] for i in (0, 6, 9)]
    assert order(whole) == [desk.records[i] for i in (0, 3, 6)]


def test_more_like_a_label(desk: Desk) -> None:
    embed(desk)
    desk.label(desk.ada, (1, 0), (4, 0), key="a", source="page")

    session = start_session(
        desk.project, desk.ada, "label", seed=build_seed("label", label_id=desk.labels[0]), k=2
    )

    assert set(order(session)) == {desk.records[7], desk.records[10]}
    assert session.title == "More like the label “billing”"


def test_representatives_come_from_every_group(desk: Desk) -> None:
    embed(desk)

    session = start_session(desk.project, desk.ada, "cold_start", k=3)

    assert {desk.records.index(i) % 3 for i in order(session)} == {0, 1, 2}


def test_uncertain_records_come_in_order_of_uncertainty(desk: Desk) -> None:
    raw = embed(desk)
    with pytest.raises(Conflict, match="first 25 labels"):
        start_session(desk.project, desk.ada, "uncertain")
    sure = np.linspace(0.4, 0.95, 12)
    suggest(desk, raw, np.stack([sure, 0.97 - sure, np.full(12, 0.03)], axis=1))
    desk.label(desk.ada, (1, 0), key="a")

    session = start_session(desk.project, desk.ada, "uncertain", k=3)

    margins = {i: abs(2 * sure[i] - 0.97) for i in range(12) if i != 1}
    expected = sorted(margins, key=lambda i: margins[i])[:3]
    assert order(session) == [desk.records[i] for i in expected]


def test_suggestions_are_of_the_pinned_version_in_labels_that_count_now(desk: Desk) -> None:
    raw = embed(desk)
    before = start_session(desk.project, desk.ada, "random", k=12)
    suggest(desk, raw, np.tile([0.8, 0.15, 0.05], (12, 1)))
    after = start_session(desk.project, desk.ada, "random", k=12)

    with write_session() as db:
        billing, delivery = list_all_labels(db, desk.project.id)[:2]
        billing.merged_into_id = delivery.id
    with read_session() as db:
        old = load_items(db, desk.project, before, desk.ada.id)
        new = load_items(db, desk.project, after, desk.ada.id)

    assert [row.suggestions for row in old] == [()] * 12
    assert {row.suggestions[0].label_id for row in new} == {desk.labels[1]}
    assert new[0].suggestions[0].score == pytest.approx(0.8, abs=0.001)


def test_a_session_keeps_its_order_and_version_and_can_be_started_again(desk: Desk) -> None:
    raw = embed(desk)
    seed = build_seed("record", [desk.records[2]])
    session = start_session(desk.project, desk.ada, "record", seed=seed, k=4)
    frozen = order(session)
    newer = suggest(desk, raw, np.tile([0.8, 0.15, 0.05], (12, 1)))
    desk.label(desk.ada, (5, 0), key="a")

    assert order(session) == frozen
    again = start_again(desk.project, desk.ben, session)
    assert again.version_id == newer.id
    assert desk.records[5] not in order(again)
    assert order(again)[0] == desk.records[2]


def test_progress_and_position_are_each_users_own(desk: Desk) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    ids = order(session)
    says = [
        AnnotationInput(ids[0], "label", (desk.labels[0],)),
        AnnotationInput(ids[1], "skip"),
        AnnotationInput(ids[2], "none"),
    ]
    with write_session() as db:
        annotate(db, desk.project, desk.ada.id, says, key="k", session_id=session.id)

    with read_session() as db:
        ada = compute_session_progress(db, session, desk.ada.id)
        ben = compute_session_progress(db, session, desk.ben.id)
        assert (ada.n_decided, ada.n_labeled, ben.n_decided, ben.n_labeled) == (3, 2, 0, 2)
        assert ada.by_label == {desk.labels[0]: 1, None: 1}
        assert find_first_undecided(db, session, desk.ada.id) == 3
        assert find_first_undecided(db, session, desk.ben.id) == 0


def test_votes_of_others_are_shown_and_disagreement_is_no_consensus(desk: Desk) -> None:
    session = start_session(desk.project, desk.ada, "random", k=12)
    rank = order(session).index(desk.records[0])
    desk.label(desk.ada, (0, 0), key="a")
    desk.label(desk.ben, (0, 1), key="b")

    with read_session() as db:
        standing = load_items(db, desk.project, session, desk.ada.id)[rank].state

    assert (standing.own_verdict, standing.own_label_ids) == ("label", (desk.labels[0],))
    assert [(other.name, other.label_ids) for other in standing.others] == [
        ("ben", (desk.labels[1],))
    ]
    assert standing.consensus == ()


def test_given_records_come_in_their_order_labeled_or_not(desk: Desk) -> None:
    encoder = embed(desk)
    desk.label(desk.ada, (4, 0), key="a")
    wanted = [desk.records[i] for i in (7, 4, 0, 7)]

    session = start_session(
        desk.project, desk.ada, "given", seed=build_seed("given", wanted), title="  Odd\n ones "
    )
    again = start_again(desk.project, desk.ben, session)

    assert order(session) == order(again) == [desk.records[i] for i in (7, 4, 0)]
    assert (session.title, again.title, session.version_id) == ("Odd ones", "Odd ones", encoder.id)
    assert "record_ids" not in session.seed
    untitled = start_session(desk.project, desk.ada, "given", seed=build_seed("given", wanted[:1]))
    assert untitled.title == "1 chosen record"


def test_given_records_must_be_the_projects_and_not_too_many(desk: Desk) -> None:
    foreign = add_records(make_project("others"), ["elsewhere"])

    for ids, error in (
        ([desk.records[0], *foreign], NotFound),
        ([], Invalid),
        (range(1, 10_002), Invalid),
    ):
        with pytest.raises(error):
            start_session(desk.project, desk.ada, "given", seed=build_seed("given", ids))
    with pytest.raises(Invalid, match="at most 80 characters"):
        start_session(
            desk.project, desk.ada, "given", seed=build_seed("given", desk.records), title="x" * 81
        )


def test_a_session_that_cannot_start_shows_the_reason(desk: Desk) -> None:
    embed(desk)
    other = make_project("others")

    for kind, seed, k, error in (
        ("nonsense", None, 5, Invalid),
        ("record", build_seed("record", []), 5, Invalid),
        ("text", build_seed("text", text="  "), 5, Invalid),
        ("random", None, 0, Invalid),
        ("random", None, 1_001, Invalid),
        ("record", build_seed("record", [999_999]), 5, NotFound),
        ("label", build_seed("label", label_id=999_999), 5, NotFound),
    ):
        with pytest.raises(error):
            start_session(desk.project, desk.ada, kind, seed=seed, k=k)
    with pytest.raises(Conflict, match="no records yet"):
        start_session(other, desk.ada, "cold_start")
    session = start_session(desk.project, desk.ada, "random", k=2)
    with pytest.raises(NotFound), read_session() as db:
        find_session(db, other.id, session.id)


def test_when_everything_is_labeled_there_is_nothing_to_start(desk: Desk) -> None:
    desk.label(desk.ada, *[(i, 0) for i in range(12)], key="all", source="page")

    with pytest.raises(Conflict, match="Nothing left to label"):
        start_session(desk.project, desk.ada, "random")
