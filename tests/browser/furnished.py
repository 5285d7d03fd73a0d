"""A project in which everything has happened once, and the address of every page there is."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import select
from starlette.routing import BaseRoute

from app.accounts.invitations import invite
from app.db.session import read_session, write_session
from app.exchange.imports.imports import run_import
from app.labeling.annotations.comments import store_comment
from app.main import ROUTER_MODULES
from app.maps.drawing import draw_sketch
from app.maps.map_files import MAP, find_map, publish_map
from app.models import Project, TrainingRun, User, Version, utc_now
from app.search.index_revisions import write_index
from app.search.versions import get_or_create_raw_version
from app.training.pipeline import steps as loop
from tests.conftest import client_of, make_project, make_user
from tests.training.conftest import embedded_project, label, label_ids, record_ids

ROOT = "/projects/letters"
TABLE = b"id,text,topic\n1,the parcel never came,Delivery\n2,thanks a lot,Praise\n3,,Payment\n"
# What an address asks for, where it must ask for something.
QUERIES = {
    "/map/before-after": "?before=1&after=2",
    "/map/before-after/picture.svg": "?before=1&after=2",
    "/map/before-after/numbers.csv": "?before=1&after=2",
    "/records/bulk": "?do=none&record_ids=1&record_ids=2",
    "/sessions/forecast": "?seed_kind=random",
    "/sessions/{session_id}/rows": "?ranks=0,1",
    "/versions/compare": "?a=1&b=2",
}
MAPPING = {"text_columns": "text", "id_column": "id", "label_column": "topic"}


@dataclass
class House:
    """What stands in the place of {slug}, {session_id} and so on in the addresses of routes, and
    more that is worth a look: name → an address with a query, or of another project."""

    admin: User
    annotator: User
    places: dict[str, str]
    states: dict[str, str]

    def address(self, route: str) -> str:
        """The route's address in this house."""
        query = QUERIES.get(route.removeprefix("/projects/{slug}"), "")
        for name, value in self.places.items():
            route = route.replace("{" + name + "}", value)
        assert "{" not in route, f"say in tests/browser/furnished.py what stands in {route}"
        return route + query


def furnish() -> House:
    """Labels, a run and its versions, maps, sessions of two kinds, files, people, remarks."""
    admin, annotator = make_user("ada", "admin"), make_user("ben", "annotator")
    project, empty = embedded_project(), make_project("empty")
    client = client_of(admin)
    _train(project, admin)
    _say_more(project, admin, annotator, client)
    records = record_ids(project)
    suggested = _started(client, seed_kind="suggested", label_id=label_ids(project)[0])
    likes = _started(client, seed_kind="record", record_ids=records[0])
    mapping, finished = _uploaded(client), _uploaded(client)
    client.post(f"{finished}/start", data=MAPPING)
    run_import(int(finished.rpartition("/")[2]))
    with write_session() as db:
        token = invite(db, "annotator", admin)
    ids = {"session_id": suggested, "import_id": mapping}
    nothing = f"/projects/{empty.slug}"
    return House(
        admin,
        annotator,
        {
            "slug": project.slug,
            "number": "1",
            "record_id": str(records[0]),
            "token": token,
            "rank": "0",
            **{name: address.rpartition("/")[2] for name, address in ids.items()},
        },
        {
            "session as cards": f"{suggested}?view=card",
            "session of likes": likes,
            "finished import": finished,
            "empty project": nothing,
            **{
                f"empty {tab}": f"{nothing}/{tab}"
                for tab in (
                    "sessions",
                    "records",
                    "map",
                    "progress",
                    "training",
                    "labels",
                    "imports",
                    "exports",
                )
            },
            "no such page": f"{ROOT}/nothing-here",
            "no such record": f"{ROOT}/records/2147483000",
        },
    )


def routes_for_people() -> list[str]:
    """The path of every GET route that is not for programs, and no stream."""
    rooms = (room for room in ROUTER_MODULES if not room.router.prefix.startswith("/api/"))
    paths = {path for room in rooms for path in _paths(room.router.routes)}
    return sorted(path for path in paths if not path.endswith("/live"))


def _paths(routes: list[BaseRoute]) -> Iterator[str]:
    for route in routes:
        if isinstance(route, APIRoute):
            if "GET" in (route.methods or ()):
                yield route.path
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _paths(included.routes)


def _train(project: Project, admin: User) -> None:
    """48 labels, one head run on them, and a quick map of both versions."""
    with write_session() as db:
        raw_id = get_or_create_raw_version(db, project).id
    write_index(raw_id)
    label(project, admin, range(48))
    assert client_of(admin).post(f"/api/v1{ROOT}/runs", json={}).status_code == 201
    with read_session() as db:
        run_id = db.scalars(select(TrainingRun.id)).one()
    for _, step in loop.STEPS:
        step(run_id)
    with read_session() as db:
        versions = db.scalars(select(Version.id).where(Version.project_id == project.id)).all()
    for version_id in versions:
        draw_sketch(version_id)
        with read_session() as db:
            drawn = find_map(db, version_id)[1]
        publish_map(version_id, drawn, MAP, utc_now())


def _say_more(project: Project, admin: User, annotator: User, client: TestClient) -> None:
    """Somebody disagrees, comments and flags; a label is retired; there is a goal."""
    label(project, annotator, range(8))
    first, labels = record_ids(project)[0], label_ids(project)
    with write_session() as db:
        store_comment(db, project, admin.id, first, "flag", key="flag")
        words = "Is this one of ours?"
        store_comment(db, project, admin.id, first, "comment", body=words, key="comment")
    client.post(f"{ROOT}/labels", data={"name": "Nuisance"})
    client.post(f"{ROOT}/labels/{labels[-1] + 1}/retire")
    client.post(f"{ROOT}/progress/goal", data={"goal": "80 %", "until": "2030-12-31"})
    client.post("/me/tokens", data={"name": "nightly"})


def _started(client: TestClient, **form: object) -> str:
    answer = client.post(f"{ROOT}/sessions", data=form)
    assert answer.status_code == 303, answer.text
    return re.sub(r"^https?://[^/]+", "", answer.headers["location"])


def _uploaded(client: TestClient) -> str:
    sent = client.post(f"{ROOT}/imports", files={"file": ("letters.csv", io.BytesIO(TABLE))})
    assert sent.status_code == 303, sent.text
    return re.sub(r"^https?://[^/]+", "", sent.headers["location"])
