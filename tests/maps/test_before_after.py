"""Two versions' maps beside each other: the same records on both, in a page and as files."""

import csv
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.db.session import read_session
from app.maps.before_after import build_before_after, find_drawn_pair, label_colours
from app.maps.drawing import note_failure
from app.maps.map_files import MAP, Map, publish_map
from app.models import Project, User, utc_now
from app.search.versions import find_version
from tests.conftest import client_of
from tests.maps.conftest import draw_all, indexed_project, map_of, raw, tuned
from tests.training.conftest import record_ids

pytestmark = pytest.mark.once

URL = "/projects/letters/map/before-after"
PAIR = {"before": 1, "after": 2}
SVG = "{http://www.w3.org/2000/svg}"


def test_both_maps_stand_in_one_figure_with_its_files(client: TestClient) -> None:
    figure = client.get(URL, params=PAIR).text

    assert 'data-before="1" data-after="2"' in figure
    assert 'href="/projects/letters/map?version=2&amp;before=1&amp;view=beside"' in figure
    for name in ("picture.svg", "numbers.csv"):
        assert f"{URL}/{name}?before=1&amp;after=2" in figure
        assert client.get(f"{URL}/{name}", params=PAIR).status_code == 200
    for name in ("", "/picture.svg", "/numbers.csv"):
        assert client.get(f"{URL}{name}", params={"before": 1, "after": 9}).status_code == 404


def test_the_numbers_are_those_of_the_maps(client: TestClient, project: Project) -> None:
    with read_session() as db:
        versions = [find_version(db, project.id, number) for number in (1, 2)]

    rows = list(csv.reader(io.StringIO(client.get(f"{URL}/numbers.csv", params=PAIR).text)))

    assert rows[0] == ["record", "label", "before_x", "before_y", "after_x", "after_y"]
    assert [int(row[0]) for row in rows[1:]] == record_ids(project)
    told = np.array([row[2:] for row in rows[1:]], np.float32)
    for columns, version in ((told[:, :2], versions[0]), (told[:, 2:], versions[1])):
        assert columns == pytest.approx(map_of(version).points, abs=1e-6)
    # Four are labeled; each of the others is suggested the label of its cluster, or a near one's.
    names = np.array([row[1] for row in rows[1:]])
    assert names[:4].tolist() == ["Delivery", "Payment", "Account", "Praise"]
    assert (names == np.resize(names[:4], 40)).sum() >= 36


def test_the_picture_shows_the_same_records_in_the_same_colours_on_both_sheets(
    client: TestClient,
) -> None:
    drawing = ElementTree.fromstring(client.get(f"{URL}/picture.svg", params=PAIR).text)

    sheets = drawing.findall(f"{SVG}g")
    dots = [
        {each.get("stroke"): each.get("d", "").count("M") for each in sheet.iter(f"{SVG}path")}
        for sheet in sheets
    ]
    names = [
        sorted(each.text or "" for each in sheet.findall(f"{SVG}text")[1:]) for sheet in sheets
    ]
    assert len(sheets) == 2
    assert dots[0] == dots[1]
    assert sum(dots[0].values()) == 40
    assert set(dots[0]) <= set(label_colours().values())
    assert names[0] == names[1] == ["Account", "Delivery", "Payment", "Praise"]
    assert len(label_colours()) == 20


def test_a_record_that_was_not_there_before_has_not_moved(project: Project) -> None:
    with read_session() as db:
        old = find_version(db, project.id, 1)
    was = map_of(old)
    publish_map(old.id, Map(was.ids[1:], was.points[1:], 39), MAP, utc_now())
    with read_session() as db:
        drawn = find_drawn_pair(db, project, 1, 2)
        assert drawn is not None
        found = build_before_after(db, project, *drawn)

    assert found.places[0][0] == pytest.approx(found.places[1][0])
    assert found.places[0][1:] == pytest.approx(was.points[1:])
    assert found.places[0][1] != pytest.approx(found.places[1][1], abs=1e-4)


def test_while_a_map_is_missing_the_figure_waits_for_it(ada: User) -> None:
    project, client = indexed_project(6), client_of(ada)
    encoder = tuned(project)

    waiting = client.get(URL, params=PAIR).text
    note_failure(encoder.id, "The disk is full.")
    failed = client.get(URL, params=PAIR).text
    draw_all()

    assert "It will appear here automatically." in waiting
    assert 'hx-trigger="load delay:5s"' in waiting
    assert "could not be drawn: The disk is full." in failed
    assert "hx-trigger" not in failed
    assert raw(project).number == 1
    assert client.get(f"{URL}/picture.svg", params=PAIR).status_code == 404
