"""The family of versions, two of them side by side, and a text to try."""

import pytest

from app.db.session import read_session, write_session
from app.models import Project, User, Version
from app.search.indexes import open_version
from app.versions.comparison import compare
from app.versions.lineage import build_lineage
from tests.conftest import client_of, make_user
from tests.versions.conftest import train

API = "/api/v1/projects/letters/versions"


def test_each_version_is_followed_by_versions_built_on_it(project: Project, ada: User) -> None:
    train(project)

    kin = client_of(ada).get(f"{API}/lineage").json()

    assert [(each["number"], each["kind"], each["source"]) for each in kin] == [
        (1, "raw", None),
        (3, "head", 1),
        (2, "head", 1),
    ]
    assert [each["is_active"] for each in kin] == [False, True, False]
    assert [each["n_examples"] for each in kin] == [None, 40, 40]
    with read_session() as db:
        [raw, *_] = build_lineage(db, project)
    # 80 vectors of its own, beside the index.
    dimension = open_dimension(project)
    assert raw.n_bytes > 80 * 4 * dimension


def open_dimension(project: Project) -> int:
    with read_session() as db:
        return open_version(db, db.query(Version).filter_by(number=1).one().id).index.dimension


def test_a_version_beside_itself_has_not_changed(project: Project, ada: User) -> None:
    same = client_of(ada).get(f"{API}/compare?a=2&b=2").json()

    assert (same["kept"], same["n_probes"], same["n_changed"]) == (1.0, 80, 0)
    assert same["overlap"] == pytest.approx(1.0)
    assert same["n_suggested"] == 80


def test_comparing_raw_and_tuned_counts_retained_neighbours(project: Project, ada: User) -> None:
    with read_session() as db:
        ids = {each.number: each.id for each in db.query(Version)}
        raw, tuned = open_version(db, ids[1]), open_version(db, ids[2])
        found = compare(raw, tuned)
        again = compare(raw, tuned)

    assert found == again
    assert 0 < found.kept < 1
    assert (found.n_suggested, found.moved) == (0, ())  # A raw version suggests nothing.
    page = client_of(ada).get("/projects/letters/versions/compare?a=1&b=2").text
    assert f"{100 * found.kept:.1f} %" in page


def test_a_text_is_tried_on_raw_and_tuned_and_nothing_is_stored(
    project: Project, ada: User
) -> None:
    browser = client_of(ada)
    sent = {"text": "invoice refund card charged"}
    answer = browser.post("/api/v1/projects/letters/try", json=sent).json()

    raw, tuned = answer
    assert (raw["version"], raw["scores"], tuned["version"]) == (1, [], 2)
    assert tuned["scores"][0][0] == "Payment"
    assert sum(chance for _, chance in tuned["scores"]) == pytest.approx(1, abs=1e-3)
    named = {each["labels"][0] for each in tuned["neighbours"][:5] if each["labels"]}
    assert named == {"Payment"}
    assert len(raw["neighbours"]) == 10
    page = browser.get("/projects/letters/versions/try?text=invoice+refund+card").text
    assert "Payment" in page
    empty = browser.post("/api/v1/projects/letters/try", json={"text": "   "})
    assert (empty.status_code, empty.json()["title"]) == (
        422,
        "Enter a text of 1 to 20,000 characters.",
    )


def test_the_pages_show_a_family_and_offer_admins_alone_to_change_it(
    project: Project, ada: User
) -> None:
    annotator = client_of(make_user("ben", "annotator"))

    admins = client_of(ada).get("/projects/letters/versions").text
    others = annotator.get("/projects/letters/versions").text

    assert "Version 2" in admins
    assert "Cannot be deleted. It is the active version." in admins
    assert "Note, pin, delete" not in others
    assert annotator.post("/projects/letters/versions/2/delete").status_code == 403


def test_a_note_and_a_pin_are_stored(project: Project, ada: User) -> None:
    browser = client_of(ada)
    sent = {"note": "  Before the <summer>. ", "is_pinned": "true"}

    assert browser.post("/projects/letters/versions/2/note", data=sent).status_code == 303

    with read_session() as db:
        encoder = db.query(Version).filter_by(number=2).one()
    assert (encoder.note, encoder.is_pinned) == ("Before the <summer>.", True)
    assert "Before the &lt;summer&gt;." in browser.get("/projects/letters/versions").text
    long = browser.patch(f"{API}/2", json={"note": "x" * 2_001})
    assert (long.status_code, long.json()["title"]) == (
        422,
        "The note must have at most 2,000 characters.",
    )


def test_a_project_without_versions_shows_a_message(ada: User) -> None:
    with write_session() as db:
        db.add(Project(slug="new", name="New", base_model="x", min_labels=25))
    browser = client_of(ada)

    assert "No versions yet" in browser.get("/projects/new/versions").text
    assert "No versions yet" in browser.get("/projects/new/versions/try").text
    assert browser.post("/api/v1/projects/new/try", json={"text": "a"}).status_code == 409
