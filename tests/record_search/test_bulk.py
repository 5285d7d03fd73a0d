import re
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import func, select

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.consensus import update_consensus
from app.labeling.annotations.undo import undo
from app.models import (
    Annotation,
    Comment,
    Label,
    LabelingSession,
    Project,
    Record,
    SessionItem,
    User,
    UserAction,
)
from app.record_search import bulk_apply as acting
from app.record_search.bulk_apply import apply_plan
from app.record_search.bulk_plan import BulkAction, BulkPlan, build_plan
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids
from app.records.records import load_consensus
from tests.conftest import client_of, make_project, make_user
from tests.labeling.conftest import publish_suggestions
from tests.records.test_filters import make_records

PAGE = "/projects/letters/records"


class Desk:
    """Five records; Ada labeled the first World, Ben the second Sport."""

    def __init__(self) -> None:
        self.project = make_project()
        self.ada, self.ben = make_user("ada"), make_user("ben", "annotator")
        self.records = make_records(self.project.id, [f"text {n}" for n in range(5)])
        self.world, self.sport = (self.add(name, n) for n, name in enumerate(["World", "Sport"]))
        self.say(self.ada, self.records[:1], self.world, "1")
        self.say(self.ben, self.records[1:2], self.sport, "2")
        self.client = client_of(self.ada)

    def add(self, name: str, position: int) -> Label:
        with write_session() as db:
            label = Label(
                project_id=self.project.id,
                name=name,
                name_key=name.casefold(),
                colour=position,
                position=position,
            )
            db.add(label)
        return label

    def say(self, user: User, record_ids: Sequence[int], label: Label, key: str) -> None:
        says = [AnnotationInput(each, "label", (label.id,)) for each in record_ids]
        with write_session() as db:
            annotate(db, self.project, user.id, says, key=key)

    def preview(self, **query: str | list[int]) -> str:
        answer = self.client.get(f"{PAGE}/bulk", params=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    def confirm(self, page: str) -> tuple[int, str]:
        """Press the button of a preview."""
        form = page[page.index(f'action="{PAGE}/bulk"') :]
        sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.replace("&amp;", "&")))
        answer = self.client.post(f"{PAGE}/bulk", data=sent)
        return answer.status_code, answer.headers.get("location", "") or answer.text

    def consensus(self) -> list[list[int | None] | None]:
        with read_session() as db:
            agreed = load_consensus(db, self.records)
        return [agreed.get(each) for each in self.records]


@pytest.fixture
def desk(database: str) -> Desk:
    return Desk()


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", page).split())


def test_a_preview_describes_the_bulk_action(desk: Desk) -> None:
    page = desk.preview(do=f"label:{desk.world.id}", scope="all", query="q=text")

    assert "This labels 5 records as World." in plain(page)
    assert "1 of them currently has a different label." in plain(page)
    assert "1 already has this label." in plain(page)


def test_one_action_labels_all_and_one_undo_reverts_it(desk: Desk) -> None:
    before = desk.consensus()
    page = desk.preview(do=f"label:{desk.world.id}", scope="all", query="q=text")

    status, location = desk.confirm(page)
    again = desk.confirm(page)

    assert (status, again) == (303, (303, location))
    assert location.startswith(f"{PAGE}?q=text&done=")
    w, s = desk.world.id, desk.sport.id
    # Ben said Sport about the second: one voice each is no consensus.
    assert desk.consensus() == [[w], None, [w], [w], [w]]
    shown = desk.client.get(location).text
    assert "5 records: World." in plain(shown)
    action = location.rpartition("=")[2]
    desk.client.post(f"{PAGE}/undo", data={"action_id": action, "query": "q=text"})
    assert desk.consensus() == before == [[w], [s], None, None, None]
    assert "Undone: 5 records: World." in plain(desk.client.get(location).text)
    desk.client.post(f"{PAGE}/redo", data={"action_id": action})
    assert desk.consensus() == [[w], None, [w], [w], [w]]
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(UserAction)) == 3


def test_what_changed_since_the_preview_is_previewed_again(desk: Desk) -> None:
    page = desk.preview(do=f"label:{desk.sport.id}", scope="all", query="state=unlabeled")
    desk.say(desk.ada, desk.records[4:], desk.world, "3")

    status, text = desk.confirm(page)

    assert status == 409
    assert "the matching records changed after the preview (3 then)." in plain(text)
    assert "This labels 2 records as Sport." in plain(text)
    assert desk.confirm(text)[0] == 303
    assert desk.consensus()[2:] == [[desk.sport.id], [desk.sport.id], [desk.world.id]]


def test_ticked_records_alone_are_meant(desk: Desk) -> None:
    page = desk.preview(do="none", scope="ticked", record_ids=desk.records[2:4], query="q=text")

    desk.confirm(page)

    assert desk.consensus()[2:] == [[None], [None], None]
    nothing = desk.client.get(f"{PAGE}/bulk?do=none&scope=ticked")
    assert nothing.status_code == 422
    assert "No record is selected" in nothing.text


def test_withdrawing_my_labels_leaves_those_of_others(desk: Desk) -> None:
    page = desk.preview(do="withdraw", scope="all")
    assert "This withdraws your labels on 1 record and marks" in plain(page)
    assert "4 of 5 selected records stay unchanged" in plain(page)

    _, location = desk.confirm(page)

    assert desk.consensus()[:2] == [None, [desk.sport.id]]
    with write_session() as db:
        undo(db, desk.project, desk.ada.id, action_id=int(location.rpartition("=")[2]))
    assert desk.consensus()[:2] == [[desk.world.id], [desk.sport.id]]


def test_flags_are_set_once_and_taken_back_as_one(desk: Desk) -> None:
    desk.confirm(desk.preview(do="flag", scope="ticked", record_ids=desk.records[:1]))

    _, location = desk.confirm(desk.preview(do="flag", scope="all"))

    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Comment)) == 5
        flagged = find_matching_ids(db, desk.project.id, Filters(state="flagged"))
    assert flagged.tolist() == desk.records
    desk.client.post(f"{PAGE}/undo", data={"action_id": location.rpartition("=")[2]})
    with read_session() as db:
        flagged = find_matching_ids(db, desk.project.id, Filters(state="flagged"))
    assert flagged.tolist() == desk.records[:1]


def test_without_suggestions_there_is_nothing_to_accept(desk: Desk) -> None:
    page = desk.preview(do="accept", scope="all")
    assert "These records have no suggestions to accept." in plain(page)


def test_only_suggestions_above_the_threshold_are_accepted(desk: Desk) -> None:
    chances = np.array([[0.9, 0.1], [0.1, 0.9], [0.8, 0.2], [0.7, 0.3], [0.04, 0.96]])
    publish_suggestions(desk.project, desk.records, [desk.world.id, desk.sport.id], chances)

    page = desk.preview(do="accept", scope="all")
    assert (
        "This accepts the suggestions for 4 records with a probability of at least 80 % "
        "(mean 89 %)." in plain(page)
    )
    assert "1 of 5 selected records stay unchanged: no suggestion, or" in plain(page)
    lower = desk.preview(do="accept:0.6", scope="all")
    assert "for 5 records with a probability of at least 60 %" in plain(lower)
    none = desk.preview(do="accept:0.99", scope="all")
    assert "No suggestion for these records has a probability of at least 99 %." in plain(none)
    assert desk.client.get(f"{PAGE}/bulk", params={"do": "accept:1.5", "scope": "all"}).is_error

    assert desk.confirm(page)[0] == 303
    w, s = desk.world.id, desk.sport.id
    assert desk.consensus() == [[w], [s], [w], None, [s]]


def test_what_was_found_opens_as_a_session_in_its_order(desk: Desk) -> None:
    page = desk.preview(do="session", scope="all", query="sort=newest")
    assert "Opens a session with these 5 records, in this order." in plain(page)
    form = dict(re.findall(r'name="(seed_kind|record_ids)" value="([^"]*)"', page))

    answer = desk.client.post("/projects/letters/sessions", data=form | {"title": "Mine"})

    assert answer.status_code == 303
    with read_session() as db:
        items = db.scalars(select(SessionItem.record_id).order_by(SessionItem.rank)).all()
        assert db.scalars(select(LabelingSession.title)).one() == "Mine"
    assert list(items) == desk.records[::-1]
    like = desk.client.get(f"{PAGE}/bulk?do=like&scope=ticked&record_ids={desk.records[2]}")
    assert like.headers["location"] == f"{PAGE}?record={desk.records[2]}"


def test_an_interrupted_action_resumes_with_the_same_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "PART", 2)
    n_parts = 0

    def killed_at_the_second(*given: object) -> None:
        nonlocal n_parts
        n_parts += 1
        if n_parts == 2:
            raise KeyboardInterrupt
        update_consensus(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("app.record_search.bulk_apply.update_consensus", killed_at_the_second)
    planned = _plan(desk.project, desk)
    with pytest.raises(KeyboardInterrupt):
        apply_plan(desk.project, desk.ada.id, planned, "one key")

    action = apply_plan(desk.project, desk.ada.id, planned, "one key")

    with read_session() as db:
        said = select(Annotation.record_id).where(Annotation.action_id == action.id)
        assert sorted(db.scalars(said)) == desk.records
    assert desk.consensus()[2:] == [[desk.world.id]] * 3


def test_a_confirmation_sent_again_is_answered_as_before_and_another_is_refused(
    desk: Desk,
) -> None:
    # Of what is done with, the search finds nothing any more.
    page = desk.preview(do=f"label:{desk.sport.id}", scope="all", query="state=unlabeled")
    first = desk.confirm(page)
    with write_session() as db:
        late = Record(
            project_id=desk.project.id, external_id="late", text="late", content_hash="1" * 64
        )
        db.add(late)

    again = desk.confirm(page)
    other = desk.confirm(page.replace("state=unlabeled", "q=text"))

    assert (first[0], again) == (303, first)
    assert other[0] == 409
    assert "This idempotency key was already used for another request." in plain(other[1])
    with read_session() as db:
        assert late.id not in db.scalars(select(Annotation.record_id)).all()


@pytest.mark.parametrize("do", ["label", "flag"])
def test_a_double_click_stores_each_record_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, do: str
) -> None:
    monkeypatch.setattr(acting, "PART", 1)
    with read_session() as db:
        deed = BulkAction("label", desk.world) if do == "label" else BulkAction("flag")
        every = find_matching_ids(db, desk.project.id, Filters())
        planned = build_plan(db, desk.project, desk.ada.id, deed, every)
    start = threading.Barrier(4)
    actions: list[int] = []

    def press() -> None:
        start.wait()
        actions.append(apply_plan(desk.project, desk.ada.id, planned, "key", "hash").id)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(actions)) == 1
    table = Annotation if do == "label" else Comment
    with read_session() as db:
        stored = db.scalars(select(table.record_id).where(table.action_id == actions[0])).all()
    assert sorted(stored) == desk.records


def _plan(project: Project, desk: Desk) -> BulkPlan:
    with read_session() as db:
        ids = find_matching_ids(db, project.id, Filters())
        return build_plan(db, project, desk.ada.id, BulkAction("label", desk.world), ids)


@pytest.mark.parametrize("do", ["", "label:999", "label:x", "delete"])
def test_deeds_that_nobody_offers_are_refused(desk: Desk, do: str) -> None:
    assert desk.client.get(f"{PAGE}/bulk?scope=all&do={do}").status_code in (409, 422)


def test_records_and_actions_of_other_projects_are_not_found(desk: Desk) -> None:
    [foreign] = make_records(make_project("other").id, ["secret"])
    with read_session() as db:
        bens = db.scalars(select(UserAction.id).where(UserAction.user_id == desk.ben.id)).one()

    assert desk.client.get(f"{PAGE}/bulk?do=none&record_ids={foreign}").status_code == 422
    assert desk.client.post(f"{PAGE}/undo", data={"action_id": bens}).status_code == 404
    assert "World" not in plain(
        desk.client.get(f"{PAGE}?done={bens}").text.split("record-search")[0]
    )
