"""The map's page without a script, and the fragments that its script asks for."""

import re

from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.labeling.sessions.sessions import load_record_ids
from app.maps.drawing import draw_sketch, note_failure
from app.models import LabelingSession, Project, Record, User
from tests.conftest import client_of, make_project
from tests.maps.conftest import draw_all, indexed_project, raw
from tests.training.conftest import record_ids

URL = "/projects/letters/map"
MARKUP = "<img src=x onerror=alert(1)>"


def sessions() -> list[LabelingSession]:
    with read_session() as db:
        return list(db.scalars(select(LabelingSession).order_by(LabelingSession.id)))


def test_the_page_offers_versions_and_a_list(client: TestClient, project: Project) -> None:
    page = client.get(URL).text

    assert "40 records; records close together are similar." in page
    assert 'data-version="2"' in page
    assert re.findall(r"<option value=\"(\d)\" selected>", page) == ["2"]
    assert '<option value="suggestion" selected>' in page
    assert page.count("data-record=") == 40
    assert "being drawn" not in page
    assert 'data-version="1"' in client.get(URL, params={"version": 1}).text
    compared = client.get(URL, params={"after": 2, "before": 1}).text
    assert re.findall(r"<option value=\"(\d)\" selected>", compared) == ["2", "1"]
    assert client.get(URL, params={"before": 1, "after": 9}).status_code == 404
    assert '<option value="suggestion">' in client.get(URL, params={"version": 1}).text


def test_the_page_is_focused_on_the_record_of_its_address(
    client: TestClient, project: Project
) -> None:
    seventh = record_ids(project)[6]

    assert (
        f'data-most="10000" data-record="{seventh}"' in client.get(f"{URL}?record={seventh}").text
    )
    assert client.get(f"{URL}?record=999999").status_code == 404
    assert 'data-most="10000">' in client.get(f"{URL}?record=").text


def test_before_the_map_the_page_shows_what_it_waits_for(ada: User) -> None:
    empty, client = make_project("empty"), client_of(ada)
    project = indexed_project(6)

    assert "No records yet" in client.get(f"/projects/{empty.slug}/map").text
    waiting = client.get(URL).text
    assert "The map is being drawn: 0 %." in waiting
    assert "No map yet" in waiting
    assert "map/drawing?first=yes" in waiting
    assert "HX-Refresh" not in client.get(f"{URL}/drawing?first=yes").headers
    draw_sketch(raw(project).id)
    sketched = client.get(URL).text
    assert "Showing a first sketch." in sketched
    assert client.get(f"{URL}/drawing?first=yes").headers["HX-Refresh"] == "true"
    assert 'data-version="1"' in sketched
    note_failure(raw(project).id, "The disk is full.")
    assert "could not be drawn: The disk is full." in client.get(URL).text


def test_a_map_during_embedding_shows_its_progress(ada: User) -> None:
    project = indexed_project(6)
    with write_session() as db:
        db.add(Record(project_id=project.id, external_id="new", text="new", content_hash="0" * 64))

    assert "once all records are embedded (6 of 7 so far)" in client_of(ada).get(URL).text


def test_the_page_asks_until_the_map_is_drawn(ada: User) -> None:
    project, client = indexed_project(6), client_of(ada)

    before = client.get(f"{URL}/drawing")
    draw_all()
    after = client.get(f"{URL}/drawing")

    assert 'hx-trigger="load delay:2s"' in before.text
    assert "HX-Trigger" not in before.headers
    assert "hx-trigger" not in after.text
    assert after.headers["HX-Trigger"] == "map-drawn"
    assert project.slug == "letters"


def test_a_chosen_record_shows_its_text_and_what_can_be_done(
    client: TestClient, project: Project
) -> None:
    ids = record_ids(project)
    with write_session() as db:
        db.get_one(Record, ids[7]).text = MARKUP + "long " * 400

    card = client.get(f"{URL}/records/{ids[7]}?version=2").text
    hint = client.get(f"{URL}/records/{ids[7]}/hint?version=2").text
    labeled = client.get(f"{URL}/records/{ids[0]}?version=2").text

    assert MARKUP not in card + hint
    assert "&lt;img src=x" in card
    assert len(hint) < len(card) < 4_000
    assert "Label similar" in card
    assert f'href="/projects/letters/records/{ids[7]}"' in card
    assert "Praise" in hint
    assert "suggested, " in hint
    assert "Delivery" in labeled
    assert "suggested, " not in labeled
    assert client.get(f"{URL}/records/999999").status_code == 404


def test_the_list_keeps_the_requested_order(client: TestClient, project: Project) -> None:
    ids = record_ids(project)
    with write_session() as db:
        other = make_project("other")
        db.add(Record(id=9_000, project_id=other.id, external_id="x", text="x", content_hash="x"))

    listed = client.get(f"{URL}/list?version=2&ids={ids[8]},{ids[2]},9000,{ids[5]}").text

    assert re.findall(r'data-record="(\d+)"', listed) == [str(ids[8]), str(ids[2]), str(ids[5])]
    assert client.get(f"{URL}/list?ids=1,x").status_code == 422


def test_a_selection_becomes_a_session_in_its_order(client: TestClient, project: Project) -> None:
    ids = record_ids(project)
    wanted = [ids[9], ids[3], ids[30]]

    seen = client.post(
        f"{URL}/sessions", data={"record_ids": ",".join(map(str, wanted)), "then": "label"}
    )
    audited = client.post(f"{URL}/sessions", data={"record_ids": f"{ids[1]}", "then": "spot_check"})

    first, second = sessions()
    with read_session() as db:
        assert load_record_ids(db, first).tolist() == wanted
    assert (first.seed_kind, first.title) == ("given", "Selected on the map: 3 records")
    assert seen.headers["location"] == f"/projects/letters/sessions/{first.id}"
    assert second.title == "Selected on the map: 1 record"
    assert audited.headers["location"] == f"/projects/letters/sessions/{second.id}?spot_check=yes"
    assert client.post(f"{URL}/sessions", data={"record_ids": "999999"}).status_code == 404
    assert client.post(f"{URL}/sessions", data={"record_ids": "1;2"}).status_code == 422
    assert len(sessions()) == 2
