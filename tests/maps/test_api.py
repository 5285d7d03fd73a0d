"""The map's bytes and JSON: the same order, the same values, sent again only when they changed."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from app.db.session import write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.undo import undo
from app.models import Label, Project, User
from tests.conftest import client_of, distinct_text, make_user
from tests.maps.conftest import arrive, draw_all, indexed_project, map_of, raw
from tests.training.conftest import N_CLASSES, label_ids, record_ids

URL = "/api/v1/projects/letters/map"


@pytest.fixture
def project(project: Project, ada: User) -> Project:
    """The fifth record is none of the labels."""
    with write_session() as db:
        annotate(db, project, ada.id, [AnnotationInput(record_ids(project)[4], "none")], key="none")
    return project


def arrays(content: bytes) -> dict[str, NDArray[Any]]:
    n = len(content) // 17
    names = ("labeled_at", "labels", "annotators", "suggestions")
    whole = np.frombuffer(content[: 16 * n], "<u4").reshape(4, n)
    return dict(zip(names, whole, strict=True)) | {
        "confidences": np.frombuffer(content[16 * n :], np.uint8)
    }


def test_the_header_describes_the_map(client: TestClient, project: Project, ada: User) -> None:
    header = client.get(URL).json()

    assert header["version"] == 2
    assert [(each["number"], each["kind"], each["is_active"]) for each in header["versions"]] == [
        (2, "head", True),
        (1, "raw", False),
    ]
    assert {each["n_records"] for each in header["versions"]} == {40}
    assert {each["is_sketch"] for each in header["versions"]} == {False}
    assert [each["id"] for each in header["labels"]] == label_ids(project)
    assert header["annotators"] == [{"id": ada.id, "name": "ada"}]
    assert header["drawing"] is None
    assert client.get(URL, params={"version": 1}).json()["version"] == 1


def test_points_are_coordinates_and_then_ids(client: TestClient, project: Project) -> None:
    answer = client.get(f"{URL}/points", params={"version": 1})

    drawn = map_of(raw(project))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert len(answer.content) == 40 * 12
    xy = np.frombuffer(answer.content[: 40 * 8], "<f4").reshape(40, 2)
    assert np.array_equal(xy, drawn.points)
    assert np.frombuffer(answer.content[40 * 8 :], "<u4").tolist() == record_ids(project)


def test_map_values_hold_labels_votes_and_suggestions(
    client: TestClient, project: Project, ada: User
) -> None:
    values = arrays(client.get(f"{URL}/values").content)

    labels = label_ids(project)
    assert values["labels"].tolist() == [*labels, 2**32 - 1, *[0] * 35]
    assert values["annotators"].tolist() == [*[ada.id] * 5, *[0] * 35]
    assert (values["labeled_at"] > 1_700_000_000).tolist() == [True] * 5 + [False] * 35
    own = [labels[i % N_CLASSES] for i in range(40)]
    assert np.mean(values["suggestions"] == np.array(own)) > 0.9
    assert 25 < values["confidences"].min() < values["confidences"].max() <= 100


def test_the_raw_version_suggests_nothing(client: TestClient) -> None:
    values = arrays(client.get(f"{URL}/values", params={"version": 1}).content)

    assert not values["suggestions"].any()
    assert not values["confidences"].any()


def test_what_did_not_change_is_not_sent_again(
    client: TestClient, project: Project, ada: User
) -> None:
    tags = {what: client.get(f"{URL}/{what}").headers["etag"] for what in ("points", "values")}

    def status_of(what: str) -> int:
        return client.get(f"{URL}/{what}", headers={"If-None-Match": tags[what]}).status_code

    assert (status_of("points"), status_of("values")) == (304, 304)
    with write_session() as db:
        say = AnnotationInput(record_ids(project)[9], "label", (label_ids(project)[0],))
        annotate(db, project, ada.id, [say], key="second")
    assert (status_of("points"), status_of("values")) == (304, 200)
    labeled = client.get(f"{URL}/values")
    with write_session() as db:
        undo(db, project, ada.id)
    undone = client.get(f"{URL}/values", headers={"If-None-Match": labeled.headers["etag"]})
    assert undone.status_code == 200
    assert np.count_nonzero(arrays(labeled.content)["labels"]) == 6
    assert np.count_nonzero(arrays(undone.content)["labels"]) == 5


def test_several_labels_show_the_first_of_the_set(ada: User) -> None:
    project = indexed_project(12)
    with write_session() as db:
        db.get_one(Project, project.id).is_multi_label = True
        first, second = label_ids(project)[:2]
        db.get_one(Label, first).position = 99
        db.flush()
        multi = db.get_one(Project, project.id)
        annotate(
            db,
            multi,
            ada.id,
            [AnnotationInput(record_ids(project)[0], "label", (first, second))],
            key="m",
        )
    draw_all()

    values = arrays(client_of(ada).get(f"{URL}/values").content)

    assert values["labels"].tolist() == [second, *[0] * 11]


def test_an_older_revision_is_served_while_it_is_there(
    client: TestClient, project: Project
) -> None:
    before = client.get(URL, params={"version": 1}).json()["versions"][1]["revision"]
    arrive(project, 3)
    draw_all()

    old = client.get(f"{URL}/points", params={"version": 1, "revision": before})
    new = client.get(f"{URL}/points", params={"version": 1})
    gone = client.get(f"{URL}/points", params={"version": 1, "revision": 99_999})

    assert (len(old.content), len(new.content)) == (40 * 12, 43 * 12)
    assert gone.status_code == 404
    assert (
        len(client.get(f"{URL}/values", params={"revision": before, "version": 1}).content) == 680
    )


def test_programs_read_the_map_in_parts(client: TestClient, project: Project) -> None:
    first = client.get(f"{URL}/records", params={"limit": 30}).json()
    rest = client.get(f"{URL}/records", params={"after": first["next_after_id"]}).json()

    found = first["records"] + rest["records"]
    ids, labels = record_ids(project), label_ids(project)
    assert [each["record_id"] for each in found] == ids
    assert (first["version"], first["n_records"], rest["next_after_id"]) == (2, 40, None)
    assert [found[0]["label_id"], found[4]["label_id"], found[9]["label_id"]] == [
        labels[0],
        None,
        None,
    ]
    assert [each["is_labeled"] for each in (found[0], found[4], found[9])] == [True, True, False]
    assert found[9]["suggestion_id"] == labels[1]
    assert 0.25 < found[9]["confidence"] <= 1
    assert found[9]["labeled_at"] is None
    assert found[0]["labeled_at"].startswith("20")


def test_matches_are_the_records_of_a_filter(client: TestClient, project: Project) -> None:
    found = client.get(f"{URL}/matches", params={"q": f'"{distinct_text(39)}"'}).json()

    assert found == {"n_matching": 1, "record_ids": [record_ids(project)[39]]}
    labeled = client.get(f"{URL}/matches", params={"state": "labeled"}).json()
    assert labeled["record_ids"] == record_ids(project)[:5]


def test_without_a_map_there_is_nothing_to_fetch(ada: User) -> None:
    project = indexed_project(5)
    client = client_of(ada)

    assert client.get(URL).json()["version"] is None
    assert client.get(URL).json()["drawing"] == 0.0
    assert client.get(f"{URL}/points").status_code == 404
    assert client.get(f"{URL}/records", params={"version": 1}).status_code == 404
    assert client.get(URL, params={"version": 7}).status_code == 404
    assert project.slug == "letters"


def test_another_projects_map_is_not_to_be_had(client: TestClient, project: Project) -> None:
    with write_session() as db:
        db.get_one(Project, project.id).is_open = False
    stranger = client_of(make_user("eve", "annotator"))

    for what in ("", "/points", "/values", "/records", "/matches"):
        assert stranger.get(URL + what).status_code == 404
    assert client_of(None).get(URL).status_code == 401
