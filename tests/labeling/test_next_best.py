from collections.abc import Sequence

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.undo import undo
from app.labeling.sessions.bulk_accept import (
    N_SAMPLED,
    AgreementTooLow,
    accept_session,
    draw_sample_ranks,
)
from app.labeling.sessions.duplicates import add_followers, fold_duplicates
from app.labeling.sessions.forecast import forecast_by_version
from app.labeling.sessions.kinds import SessionKind
from app.labeling.sessions.next_best import NextBest, find_next_best
from app.labeling.sessions.rows import load_items
from app.labeling.sessions.sessions import build_seed, start_next, start_session
from app.labeling.sessions.suggestion_batches import build_batches
from app.labeling.sessions.suggestion_scores import score_suggestions
from app.ml.index import VectorIndex
from app.models import Import, Label, LabelingSession, Project, Record, utc_now
from app.records.records import load_consensus
from app.search.suggestions import Suggestions, save_suggestions
from app.search.versions import publish
from app.storage import store_file
from tests.conftest import client_of
from tests.labeling.conftest import Desk, add_labels, make_desk, publish_suggestions, teach
from tests.labeling.test_sessions import embed, order, suggest, vectors


def shares(*of_first: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The chance of the first label on each record; the second has the rest, the third nothing."""
    first = np.array(of_first)
    return np.stack([first, 1 - first, np.zeros_like(first)], axis=1)


SURE = (0.99, 0.98, 0.97, 0.95, 0.9, 0.6, 0.04, 0.02, 0.01, 0.03, 0.45, 0.5)


def label_all_but(desk: Desk, *open_ones: int) -> None:
    pairs = [(i, 0) for i in range(len(desk.records)) if i not in open_ones]
    desk.label(desk.ada, *pairs, key="rest")


def chosen(desk: Desk) -> NextBest:
    with read_session() as db:
        return find_next_best(db, desk.project, desk.ada.id)


def require_labels(desk: Desk, n: int) -> None:
    with write_session() as db:
        db.get_one(Project, desk.project.id).min_labels = n
    desk.project.min_labels = n


# --- pages of equal suggestions ------------------------------------------------------------------


def test_a_page_ends_where_one_more_row_costs_more_than_a_record_does(desk: Desk) -> None:
    ids = np.array(desk.records)
    known = Suggestions(ids, tuple(desk.labels), shares(*SURE).astype(np.float16))
    with read_session() as db:
        pages = build_batches(score_suggestions(db, desk.project, known, ids))

    first = next(page for page in pages if page.label_id == desk.labels[0])
    # Five rows cost 1 + .01 + .02 + .03 + .05 + .1 = 1.21 actions; a sixth would add .4 for one
    # record, more than the .242 that a record costs so far.
    assert first.ids.tolist() == desk.records[:5]
    assert first.per_action == pytest.approx(5 / 1.21, rel=2e-3)
    assert first.expected == pytest.approx(4.79, abs=5e-3)
    assert [page.per_action for page in pages] == sorted(
        (page.per_action for page in pages), reverse=True
    )


def test_a_suggested_session_has_one_label_by_descending_probability(desk: Desk) -> None:
    suggest(desk, embed(desk), shares(*SURE))
    desk.label(desk.ben, (0, 0), key="done")

    seed = build_seed("suggested", label_id=desk.labels[1])
    session = start_session(desk.project, desk.ada, "suggested", seed=seed)

    assert order(session) == [desk.records[i] for i in (8, 7, 9, 6)]
    assert session.title == "Suggested: delivery"
    with pytest.raises(Conflict, match="5 labeled records yet"):
        start_session(desk.project, desk.ada, "suggested")
    teach(desk, 1)
    best = start_session(desk.project, desk.ada, "suggested")
    assert best.title == "Suggested: delivery", "4 records for 1.1 actions; billing: 4 for 1.2"


def test_a_merged_label_counts_for_its_target_and_a_retired_one_for_nothing(desk: Desk) -> None:
    ids = np.array(desk.records[:2])
    known = Suggestions(
        ids, tuple(desk.labels), np.array([[0.3, 0.3, 0.4], [0.1, 0.2, 0.7]], np.float16)
    )
    with write_session() as db:
        db.get_one(Label, desk.labels[1]).merged_into_id = desk.labels[0]
        db.get_one(Label, desk.labels[2]).retired_at = utc_now()

    with read_session() as db:
        certainty = score_suggestions(db, desk.project, known, ids)

    assert certainty.label_ids.tolist() == [desk.labels[0]]
    np.testing.assert_allclose(certainty.agreement, [0.6, 0.3], atol=1e-3)


def test_in_a_multi_label_project_all_that_is_suggested_must_be_right(multi_desk: Desk) -> None:
    ids = np.array(multi_desk.records[:2])
    known = Suggestions(
        ids, tuple(multi_desk.labels), np.array([[0.9, 0.8, 0.1], [0.4, 0.2, 0.1]], np.float16)
    )
    with read_session() as db:
        certainty = score_suggestions(db, multi_desk.project, known, ids)

    assert certainty.agreement[0] == pytest.approx(0.9 * 0.8 * 0.9, abs=2e-3)
    assert certainty.best.tolist() == [multi_desk.labels[0], -1]


# --- the next best session -----------------------------------------------------------------------


def test_the_next_best_session_follows_the_project_from_its_first_record_to_its_last(
    desk: Desk,
) -> None:
    assert chosen(desk).kind == "random", "nothing is embedded yet"
    raw = embed(desk)
    require_labels(desk, 3)
    desk.label(desk.ada, (11, 0), key="first")
    assert chosen(desk) == NextBest(
        SessionKind.COLD_START,
        2,
        "2 representative records, one for each group of similar ones: suggestions are learned "
        "from them.",
    )
    desk.label(desk.ada, (10, 1), (9, 1), key="more")
    assert chosen(desk).kind == "coverage", "no suggestions yet"

    suggest(desk, raw, shares(*SURE))
    assert chosen(desk) == NextBest(
        SessionKind.UNCERTAIN,
        9,
        "No suggested label has 5 labeled records yet. Labeling these 9 improves suggestions most.",
    )

    teach(desk, 0)
    session = start_next(desk.project, desk.ada)
    assert order(session) == [desk.records[i] for i in (0, 1, 2, 3, 4)]
    assert session.seed["why"] == (
        "About 96 % of these 5 are billing (95 % interval 50 to 100 %): correct the wrong ones, "
        "then accept the rest."
    )
    label_all_but(desk)
    with pytest.raises(Conflict, match="Nothing left to label"):
        start_next(desk.project, desk.ada)


@pytest.mark.parametrize(("share", "kind"), [(0.235, "suggested"), (0.205, "uncertain")])
def test_a_page_must_save_a_fifth_of_the_keys_or_a_key_is_better_spent_on_what_teaches(
    database: str, share: float, kind: str
) -> None:
    """A page of 50 at 23.5 % labels 1.27 records per action, one at 20.5 % 1.23."""
    desk = make_desk(n_records=260)
    labels = [*desk.labels, *add_labels(desk.project, ["refund", "praise", "other"])]
    chances = np.tile([share, *5 * [(1 - share) / 5]], (260, 1))
    publish_suggestions(desk.project, desk.records, labels, chances)
    teach(desk, 0)
    require_labels(desk, 5)

    assert chosen(desk).kind == kind


def test_the_api_starts_the_next_best_session_with_its_reason(desk: Desk) -> None:
    suggest(desk, embed(desk), shares(*SURE))
    require_labels(desk, 1)
    desk.label(desk.ada, (11, 1), key="first")
    client = client_of(desk.ben)
    early = client.post("/api/v1/projects/letters/sessions/next").json()
    assert (early["seed_kind"], "Or the most probable suggestions for" in offered_page(client)) == (
        "uncertain",
        False,
    )
    teach(desk, 0, 4)
    assert "Or the most probable suggestions for" not in offered_page(client)
    teach(desk, 0, 1)

    started = client.post("/api/v1/projects/letters/sessions/next")

    assert started.status_code == 201
    assert started.json()["why"].startswith("About 96 % of these 5 are billing")
    page = client.get("/projects/letters/sessions").text
    assert "About 96 % of these 5 are billing" in page
    shown = client.post("/projects/letters/sessions/next")
    assert "About 96 % of these 5 are billing" in client.get(shown.headers["location"]).text


def offered_page(client: TestClient) -> str:
    return client.get("/projects/letters/sessions").text


# --- the forecast --------------------------------------------------------------------------------


def test_a_forecast_counts_what_is_labeled_and_forecasts_the_rest(desk: Desk) -> None:
    encoder = suggest(desk, embed(desk), shares(*SURE))
    desk.label(desk.ben, (0, 0), (6, 1), key="known")

    with read_session() as db:
        told = forecast_by_version(db, desk.project, encoder.id, np.array(desk.records[:7]))

    # One is labeled so, one otherwise; five are expected to be 98, 97, 95, 90 and 60 percent so.
    expected = 1 + 0.98 + 0.97 + 0.95 + 0.9 + 0.6
    variance = sum(p * (1 - p) for p in (0.98, 0.97, 0.95, 0.9, 0.6))
    spread = 1.96 * np.sqrt(2 * variance + 1) / 7
    assert (told.label, told.n_labeled, told.n_unknown) == ("billing", 2, 0)
    assert told.share == pytest.approx(expected / 7, abs=1e-3)
    assert told.low == pytest.approx(expected / 7 - spread, abs=2e-3)
    assert told.sentence == "About 77 % billing (95 % interval 39 to 100 %); 2 already labeled."


def test_a_forecast_learns_from_suggestions_that_were_wrong(desk: Desk) -> None:
    encoder = suggest(desk, embed(desk), shares(*SURE))
    says = [
        AnnotationInput(
            desk.records[i],
            "label",
            (desk.labels[2],),
            rank=i,
            suggestion_id=desk.labels[0],
            suggestion_score=0.75,
        )
        for i in (8, 9, 10, 11)
    ]
    with write_session() as db:
        annotate(db, desk.project, desk.ada.id, says, key="wrong")

    with read_session() as db:
        told = forecast_by_version(db, desk.project, encoder.id, np.array(desk.records[:2]))

    # Four mistakes where one was expected, and two of each beforehand: (4 + 2) / (1 + 2) = 2.
    assert told.share == pytest.approx(1 - 2 * (0.01 + 0.02) / 2, abs=1e-3)


def test_a_session_is_forecast_before_it_is_started(desk: Desk) -> None:
    suggest(desk, embed(desk), shares(*SURE))
    client = client_of(desk.ben)
    body = {"seed_kind": "suggested", "label_id": desk.labels[0]}

    told = client.post("/api/v1/projects/letters/sessions/forecast", json=body).json()

    assert (told["n_records"], told["label"]) == (5, "billing")
    assert told["share"] == pytest.approx(4.79 / 5, abs=1e-3)
    assert client.get("/api/v1/projects/letters/sessions").json() == []
    refused = client.post(
        "/api/v1/projects/letters/sessions/forecast", json={"seed_kind": "holdout"}
    )
    assert refused.status_code == 422


def test_an_empty_session_kind_shows_the_reason_in_place_of_its_button(desk: Desk) -> None:
    suggest(desk, embed(desk), shares(*SURE))
    client, address = client_of(desk.ben), "/projects/letters/sessions/forecast?seed_kind="

    none = client.get(address + "contradictions").text
    some = client.get(address + "uncertain").text

    assert 'class="forecast-words is-none">No nearly identical records' in none
    assert "is-none" not in some


# --- an audit of the whole session ---------------------------------------------------------------


@pytest.fixture
def long(database: str) -> tuple[Desk, LabelingSession]:
    """A session of 100 records without duplicates, all suggested the first label."""
    desk = make_desk(n_records=100)
    session = start_long_session(desk)
    return desk, session


def start_long_session(desk: Desk) -> LabelingSession:
    ids = np.array(desk.records, np.int64)
    rows = np.random.default_rng(0).normal(size=(len(ids), 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    known = Suggestions(ids, tuple(desk.labels), shares(*[0.9] * len(ids)).astype(np.float16))
    files = {
        "index": store_file("index", VectorIndex.build(ids, rows).save),
        "suggestions": store_file("suggestions", lambda path: save_suggestions(known, path)),
    }
    with write_session() as db:
        publish(db, desk.project, kind="raw", base_version=None, files=files, n_records=len(ids))
    seed = build_seed("suggested", label_id=desk.labels[0])
    return start_session(desk.project, desk.ada, "suggested", seed=seed, k=100)


def label_ranks(desk: Desk, session: LabelingSession, ranks: Sequence[int], label: int) -> None:
    client = client_of(desk.ada)
    at = order(session)
    for rank in ranks:
        say = {
            "record_id": at[rank],
            "verdict": "label",
            "label_ids": [desk.labels[label]],
            "rank": rank,
            "suggestion_id": desk.labels[0],
            "suggestion_score": 0.9,
        }
        body = {"key": f"{rank}-{label}", "session_id": session.id, "votes": [say]}
        assert client.post("/api/v1/projects/letters/annotations", json=body).status_code == 200


def n_labeled(desk: Desk) -> int:
    with read_session() as db:
        return len(load_consensus(db, desk.records))


def test_a_session_that_agrees_is_accepted_whole_and_taken_back_whole(
    long: tuple[Desk, LabelingSession],
) -> None:
    desk, session = long
    client, accept = client_of(desk.ada), f"/api/v1/projects/letters/sessions/{session.id}"
    ranks = client.post(f"{accept}/sample").json()["ranks"]
    assert len(set(ranks)) == N_SAMPLED
    assert max(ranks) < 100
    early = client.post(f"{accept}/accept", json={"key": "early"})
    assert (early.status_code, n_labeled(desk)) == (409, 0)
    label_ranks(desk, session, ranks, 0)

    done = client.post(f"{accept}/accept", json={"key": "all"})

    assert done.status_code == 200
    assert len(done.json()["records"]) == 60
    assert n_labeled(desk) == 100
    assert (
        client.post(f"{accept}/accept", json={"key": "all"}).json()["action_id"]
        == (done.json()["action_id"])
    )
    other = client.post(f"{accept}/accept", json={"key": "all", "target": 0.8})
    assert other.status_code == 409
    assert "already used for another request" in other.json()["title"]
    with write_session() as db:
        undo(db, desk.project, desk.ada.id)
    assert n_labeled(desk) == 40


def test_a_session_with_too_many_wrong_suggestions_is_not_accepted(
    long: tuple[Desk, LabelingSession],
) -> None:
    desk, session = long
    ranks = draw_sample_ranks(session)
    label_ranks(desk, session, ranks[:38], 0)
    label_ranks(desk, session, ranks[38:], 1)

    with write_session() as db, pytest.raises(AgreementTooLow, match="38 of the 40") as refused:
        accept_session(db, desk.project, session, desk.ada.id, key="all")

    assert "at least 83 % of the session do; 90 % are required" in refused.value.sentence
    assert n_labeled(desk) == 40
    with write_session() as db:
        accept_session(db, desk.project, session, desk.ada.id, key="all", target=0.8)
    assert n_labeled(desk) == 100


def test_the_page_shows_the_drawn_rows_alone(long: tuple[Desk, LabelingSession]) -> None:
    desk, session = long
    client = client_of(desk.ada)
    url = f"/projects/letters/sessions/{session.id}"
    label_ranks(desk, session, draw_sample_ranks(session)[:3], 0)

    page = client.get(f"{url}?spot_check=yes").text

    shown = [rank for rank in range(100) if f'id="row-{rank}"' in page]
    assert shown == draw_sample_ranks(session)
    assert 'Label 40 random rows: <b id="n-sampled">3</b> done' in page
    refused = client.post(f"{url}/accept-rest", data={"key": "form-1"})
    assert (refused.status_code, n_labeled(desk)) == (409, 3)


# --- copies -----------------------------------------------------------------------------


def alike(desk: Desk) -> VectorIndex:
    """Records 0, 3 and 6 read nearly the same; so do 1 and 4."""
    rows = vectors()
    for original, copies in ((0, (3, 6)), (1, (4,))):
        for copy in copies:
            rows[copy] = rows[original] + 0.01 * np.eye(8, dtype=np.float32)[7]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return VectorIndex.build(np.array(desk.records, np.int64), rows)


def folded_session(desk: Desk) -> LabelingSession:
    """Records 3 and 6 are copies of 0, and 4 is one of 1, apart from capitals and blanks."""
    with write_session() as db:
        for copy, text in (
            (3, "Message  number 0"),
            (6, " message NUMBER 0\n"),
            (4, "MESSAGE number 1"),
        ):
            db.get_one(Record, desk.records[copy]).text = text
        stored = store_file("index", alike(desk).save)
        publish(
            db, desk.project, kind="raw", base_version=None, files={"index": stored}, n_records=12
        )
    return start_session(desk.project, desk.ada, "coverage", k=12)


def test_copies_are_shown_once_and_follow_the_label(desk: Desk) -> None:
    session = folded_session(desk)
    shown = [desk.records.index(record_id) for record_id in order(session)]
    assert len(shown) == 9
    assert len({0, 3, 6} & set(shown)) == len({1, 4} & set(shown)) == 1
    stands = next(each for each in shown if each in (0, 3, 6))

    body = {
        "key": "k",
        "session_id": session.id,
        "votes": [
            {
                "record_id": desk.records[stands],
                "verdict": "label",
                "label_ids": [desk.labels[2]],
                "rank": shown.index(stands),
            }
        ],
    }
    client, page = client_of(desk.ada), f"/projects/letters/sessions/{session.id}"
    assert "Also labels 2 identical copies" in client.get(page).text
    copies = client.get(f"{page}/copies/{shown.index(stands)}").text
    others = {0, 3, 6} - {stands}
    assert [f"/records/{desk.records[i]}" in copies for i in sorted(others)] == [True, True]
    done = client.post("/api/v1/projects/letters/annotations", json=body).json()

    assert {each["record_id"] for each in done["records"]} == {desk.records[i] for i in (0, 3, 6)}
    assert [desk.consensus(i) for i in (0, 3, 6)] == [[2]] * 3
    assert "Also labels 2 identical copies" in client.get(page).text
    with write_session() as db:
        undo(db, desk.project, desk.ada.id)
    assert [desk.consensus(i) for i in (0, 3, 6)] == [None] * 3


def test_a_copy_that_somebody_judged_by_itself_does_not_follow(desk: Desk) -> None:
    session = folded_session(desk)
    stands = next(i for i in (0, 3, 6) if desk.records[i] in order(session))
    other = next(i for i in (0, 3, 6) if i != stands)
    desk.label(desk.ben, (other, 1), key="own")
    with read_session() as db:
        say = AnnotationInput(desk.records[stands], "label", (desk.labels[0],), rank=0)
        says = add_followers(db, session, desk.ada.id, [say])

    assert desk.records[other] not in {each.record_id for each in says}
    assert len(says) == 2
    page = client_of(desk.ada).get(f"/projects/letters/sessions/{session.id}").text
    assert page.count("Also labels 1 identical copy<") == 2


def test_only_open_records_are_folded(desk: Desk) -> None:
    folded_session(desk)

    def groups(among: Sequence[int]) -> dict[int, list[int]]:
        with read_session() as db:
            return fold_duplicates(db, desk.project.id, desk.records, np.array(among))

    assert groups(desk.records[1:])[desk.records[0]] == [desk.records[3], desk.records[6]]
    assert groups(desk.records[7:])[desk.records[0]] == []


# --- second looks --------------------------------------------------------------------------------


def test_suspects_are_labels_that_their_neighbours_disagree_with(desk: Desk) -> None:
    embed(desk)
    # Three directions, a label each; the last record of the first says something else.
    pairs = [(i, i % 3) for i in range(12) if i != 9]
    desk.label(desk.ada, *pairs, (9, 1), key="all")

    session = start_session(desk.project, desk.ada, "likely_mislabeled")

    assert order(session)[0] == desk.records[9]
    assert session.title == "Likely mislabeled records"


def test_a_label_is_suspect_when_fewer_than_half_of_its_neighbours_agree(database: str) -> None:
    """All eleven are alike, so each has the ten others for neighbours."""
    desk = make_desk(n_records=11)
    index = VectorIndex.build(np.array(desk.records, np.int64), np.ones((11, 8), np.float32))
    with write_session() as db:
        files = {"index": store_file("index", index.save)}
        publish(db, desk.project, kind="raw", base_version=None, files=files, n_records=11)
    # Of five, each has four of its own label beside it; of six, five: that is half.
    desk.label(desk.ada, *[(i, int(i >= 5)) for i in range(11)], key="all")

    session = start_session(desk.project, desk.ada, "likely_mislabeled")

    assert sorted(order(session)) == desk.records[:5]


def test_contradictions_stand_beside_each_other(desk: Desk) -> None:
    session = folded_session(desk)
    desk.label(desk.ada, *[(i, 0) for i in range(12) if i != 4], (4, 2), key="all")

    session = start_session(desk.project, desk.ada, "conflicts")

    assert set(order(session)) == {desk.records[1], desk.records[4]}
    desk.label(desk.ada, (4, 0), key="mended")
    with pytest.raises(Conflict, match="No nearly identical records"):
        start_session(desk.project, desk.ada, "conflicts")


def test_coverage_goes_to_what_is_farthest_from_any_label(desk: Desk) -> None:
    embed(desk)
    desk.label(desk.ada, *[(i, 0) for i in range(12) if i % 3 != 2], key="two directions")

    session = start_session(desk.project, desk.ada, "coverage", k=1)

    assert desk.records.index(order(session)[0]) % 3 == 2


def test_new_records_are_those_of_the_last_import_that_brought_any(desk: Desk) -> None:
    with pytest.raises(Conflict, match="last import"):
        start_session(desk.project, desk.ada, "recent")
    began = utc_now()
    with write_session() as db:
        for n_stored in (2, 0):
            db.add(
                Import(
                    project_id=desk.project.id,
                    file_name="f",
                    file="f",
                    format="csv",
                    n_stored=n_stored,
                    started_at=began,
                    status="succeeded",
                )
            )
        late = [
            Record(
                project_id=desk.project.id,
                external_id=f"late{i}",
                text=f"late {i}",
                content_hash="0",
            )
            for i in range(2)
        ]
        db.add_all(late)
        db.flush()
        ids = [record.id for record in late]

    assert order(start_session(desk.project, desk.ada, "recent")) == ids


def test_a_holdout_session_shows_no_suggestions_and_enlarges_the_sample(desk: Desk) -> None:
    suggest(desk, embed(desk), shares(*SURE))

    session = start_session(desk.project, desk.ada, "holdout", k=4)

    with read_session() as db:
        hashes = select(Record.id).order_by(Record.content_hash, Record.id).limit(4)
        assert order(session) == list(db.scalars(hashes))
        rows = load_items(db, desk.project, session, desk.ada.id)
        assert db.get_one(Project, desk.project.id).holdout_until != ""
    assert [row.suggestions for row in rows] == [()] * 4
    with pytest.raises(Invalid, match="1 to 1,000"):
        start_session(desk.project, desk.ada, "holdout", k=0)
