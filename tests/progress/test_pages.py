"""The progress page, its downloads, its twin for programs, and the goal."""

import csv
import io
import itertools
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.db import schema
from app.db.session import read_session, write_session
from app.labeling.annotations.undo import undo
from app.models import Annotation, LabelingSession, SessionItem, User, UserAction, utc_now
from app.progress import report as progress_report
from tests.conftest import client_of, make_user
from tests.labeling.conftest import Desk

PAGE = "/projects/letters/progress"
API = "/api/v1/projects/letters"
keys = (f"key-{n}" for n in itertools.count())


def session_of(desk: Desk, user: User, seed_kind: str, positions: range) -> int:
    with write_session() as db:
        session = LabelingSession(
            project_id=desk.project.id,
            user_id=user.id,
            seed_kind=seed_kind,
            title=f"{seed_kind} of {user.name}",
            n_records=len(positions),
        )
        db.add(session)
        db.flush()
        db.add_all(
            SessionItem(session_id=session.id, rank=rank, record_id=desk.records[position])
            for rank, position in enumerate(positions)
        )
        return session.id


def label(
    desk: Desk,
    user: User,
    label: int | None,
    *positions: int,
    session_id: int | None = None,
    seconds: float = 0.0,
    milliseconds: int | None = None,
) -> UserAction:
    """One act; several records are a page. It took that long since the act before."""
    source = "page" if len(positions) > 1 else "single"
    action = desk.label(user, *((p, label) for p in positions), key=next(keys), source=source)
    with write_session() as db:
        of_act = Annotation.action_id == action.id
        told = {"session_id": session_id, "milliseconds": milliseconds}
        db.execute(update(Annotation).where(of_act).values(**told))
        timed = {"session_id": session_id, "active_seconds": seconds}
        db.execute(update(UserAction).where(UserAction.id == action.id).values(**timed))
    return action


@pytest.fixture
def worked(desk: Desk) -> Desk:
    """Ada accepts a page of 6 and corrects one; Ben labels 3 one by one, one of them Ada's."""
    theirs = session_of(desk, desk.ada, "suggested", range(8))
    label(desk, desk.ada, 0, *range(6), session_id=theirs, seconds=20)
    label(desk, desk.ada, 1, 5, session_id=theirs, seconds=10, milliseconds=4000)
    taken_back = label(desk, desk.ada, 2, 6, session_id=theirs, seconds=30, milliseconds=9000)
    with write_session() as db:
        undo(db, desk.project, desk.ada.id, action_id=taken_back.id)
    for position, said in ((5, 1), (8, None), (9, 2)):
        label(desk, desk.ben, said, position, seconds=15, milliseconds=3000 + position)
    return desk


def test_records_are_counted_label_by_label(worked: Desk) -> None:
    found = client_of(worked.ada).get(f"{API}/progress").json()

    assert (found["n_records"], found["n_labeled"], found["n_last_7_days"]) == (12, 8, 8)
    by_label = {row["label"]: (row["n_labeled"], row["share"]) for row in found["labels"]}
    assert by_label == {
        "billing": (5, 0.625),
        "delivery": (1, 0.125),
        "returns": (1, 0.125),
        None: (1, 0.125),
    }
    assert found["over_time"][-1]["n_labeled"] == 8
    assert {row["n_suggested"] for row in found["labels"]} == {None}


def test_every_person_has_methods_speed_and_agreement(worked: Desk) -> None:
    people = client_of(worked.ada).get(f"{API}/progress").json()["people"]

    ada, ben = people
    assert (ada["user"], ben["user"]) == ("ada", "ben")
    assert ada["by_way"] == {"single": 1, "page": 6, "import": 0, "rule": 0}
    assert ada["done"] == {
        "n_labels": 7,
        "n_actions": 4,
        "n_undone": 1,
        "active_seconds": 60.0,
        "labels_per_minute": 7.0,
        "actions_per_label": pytest.approx(4 / 7),
    }
    assert (ada["median_seconds"], ada["n_shared"], ada["n_agreed"]) == (4.0, 1, 1)
    assert ben["median_seconds"] == pytest.approx(3.008)
    assert (ben["n_shared"], ben["n_agreed"]) == (1, 1)


def test_the_ways_of_labeling_stand_side_by_side(worked: Desk) -> None:
    found = client_of(worked.ada).get(f"{API}/progress").json()

    ways = {(row["seed_kind"], row["hand"]): row["done"] for row in found["ways"]}
    assert list(ways) == [("suggested", "single"), ("suggested", "page"), ("", "single")]
    assert ways["suggested", "page"]["actions_per_label"] == pytest.approx(1 / 6)
    assert ways["suggested", "page"]["labels_per_minute"] is None
    assert ways["suggested", "single"]["actions_per_label"] == 3.0
    assert ways["", "single"]["labels_per_minute"] == 4.0
    (session,) = found["sessions"]
    assert (session["n_decided"], session["n_records"]) == (6, 8)
    assert session["purity"] == pytest.approx(5 / 6)
    assert (session["started_by"], session["done"]["n_actions"]) == ("ada", 4)


def test_annotators_see_themselves_and_the_project_but_nobody_else(worked: Desk) -> None:
    ben, reviewer = client_of(worked.ben), client_of(make_user("eve", "reviewer"))

    own = ben.get(f"{API}/progress").json()
    page = ben.get(PAGE).text
    downloads = [ben.get(f"{PAGE}/{name}.csv").text for name in ("people", "sessions")]

    assert [row["user"] for row in own["people"]] == ["ben"]
    assert own["sessions"] == []
    assert own["n_labeled"] == 8
    assert own["done"]["n_labels"] == 10
    assert "Your work" in page
    assert not [text for text in (page, *downloads) if "ada" in text]
    assert len(reviewer.get(f"{API}/progress").json()["people"]) == 2
    assert "Set a goal" not in page


def test_agreement_names_pairs_only_to_those_who_see_everybody(worked: Desk) -> None:
    label(worked, worked.ben, 1, 0)
    ada, ben = client_of(worked.ada), client_of(worked.ben)

    told = ada.get(f"{API}/agreement").json()
    fragment = ada.get(f"{PAGE}/agreement", headers={"HX-Request": "true"}).text
    own = ben.get(f"{PAGE}/agreement").text

    assert (told["n_records"], told["share"]) == (2, 0.5)
    assert [(pair["user"], pair["other"], pair["n"]) for pair in told["pairs"]] == [
        ("ada", "ben", 2)
    ]
    assert ben.get(f"{API}/agreement").json()["pairs"] == []
    assert "ada and ben" in fragment
    assert "<html" not in fragment
    assert "50.0 %" in own
    assert "ada and ben" not in own


def test_a_goal_is_a_number_or_a_share_and_perhaps_a_day(
    worked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, now = client_of(worked.ada), utc_now()
    monkeypatch.setattr(progress_report, "utc_now", lambda: now)
    in_two_days = (now + timedelta(days=2)).date()

    kept = client.post(f"{PAGE}/goal", data={"goal": "100 %", "until": in_two_days.isoformat()})
    page = client.get(PAGE).text
    number = client.put(f"{API}/goal", json={"goal": "6"}).json()["goal"]
    reached = client.get(PAGE).text
    refused = client.post(f"{PAGE}/goal", data={"goal": "most of it"})
    none = client.put(f"{API}/goal", json={"goal": ""}).json()["goal"]

    assert kept.status_code == 303
    assert "4 records left to reach the goal of 100 % of the records by" in page
    assert "about 2 a day" in page
    assert ">goal 12</text>" in page
    assert number == {"n": 6, "words": "6 records", "until": None}
    assert "The goal of 6 records is reached." in reached
    assert refused.status_code == 422
    assert "The goal must be a number of records" in refused.text
    assert 'value="most of it"' in refused.text
    assert none is None


def test_an_impossible_goal_is_refused(desk: Desk) -> None:
    client = client_of(desk.ada)
    words = ["0", "-3", "101 %", "0 %", "nan%", "inf %", "½", "1.5"]

    answers = [client.put(f"{API}/goal", json={"goal": each}) for each in words]

    assert [answer.status_code for answer in answers] == [422] * len(words)
    assert client.get(f"{API}/progress").json()["goal"] is None


def test_only_an_admin_sets_the_goal(annotator: TestClient) -> None:
    make_desk_project = annotator.post(f"{PAGE}/goal", data={"goal": "5"})

    assert make_desk_project.status_code == 403


def test_tables_come_as_csv_that_no_spreadsheet_runs(worked: Desk) -> None:
    client = client_of(worked.ada)
    with write_session() as db:
        db.execute(update(LabelingSession).values(title="=1+1"))

    tables = {
        name: list(csv.reader(io.StringIO(client.get(f"{PAGE}/{name}.csv").text)))
        for name in ("labels", "people", "sessions", "ways", "days")
    }

    assert tables["labels"][1] == ["billing", "5", "0.625", "", "5"]
    assert tables["sessions"][1][1] == "'=1+1"
    assert tables["ways"][2][:4] == ["Suggested", "by page", "6", "1"]
    assert tables["people"][1][:3] == ["ada", "1", "6"]
    assert tables["days"][-1][1] == "8"
    assert client.get(f"{PAGE}/secrets.csv").status_code == 404


def test_an_empty_project_shows_where_to_begin(desk: Desk) -> None:
    page = client_of(desk.ben).get(PAGE).text

    assert "Nothing labeled yet" in page
    assert '<svg class="course"' not in page


def test_an_action_stores_the_time_since_the_last_one_without_pauses(desk: Desk) -> None:
    first = desk.label(desk.ada, (0, 0), key="a")
    with write_session() as db:
        earlier = first.performed_at - timedelta(seconds=45)
        db.execute(update(UserAction).where(UserAction.id == first.id).values(performed_at=earlier))
    second = desk.label(desk.ada, (1, 0), key="b")
    with write_session() as db:
        long_ago = second.performed_at - timedelta(minutes=3)
        db.execute(
            update(UserAction).where(UserAction.id == second.id).values(performed_at=long_ago)
        )
    third = desk.label(desk.ada, (2, 0), key="c")
    other = desk.label(desk.ben, (2, 0), key="a")

    assert (first.active_seconds, third.active_seconds, other.active_seconds) == (0, 0, 0)
    assert 45 <= second.active_seconds < 120


def test_earlier_actions_get_their_active_times(desk: Desk) -> None:
    actions = [desk.label(desk.ada, (n, 0), key=str(n)) for n in range(3)]
    with write_session() as db:
        for action, ago in zip(actions, (500, 90, 60), strict=True):
            moment = actions[0].performed_at - timedelta(seconds=ago)
            db.execute(
                update(UserAction).where(UserAction.id == action.id).values(performed_at=moment)
            )

    schema.downgrade("0001")
    schema.upgrade()

    with read_session() as db:
        seconds = db.scalars(select(UserAction.active_seconds).order_by(UserAction.id)).all()
    assert list(seconds) == [0, 0, pytest.approx(30, abs=0.01)]
