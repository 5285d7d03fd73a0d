from fastapi.testclient import TestClient
from sqlalchemy import select

from app.database import transaction
from app.labeling.annotations import Say, annotate
from app.labeling.undoing import undo
from app.models import Label, Record
from tests.conftest import make_project, make_user
from tests.exchange.files import as_csv, imported
from tests.records.test_filters import make_records

ROWS = [
    {"id": "a", "text": "my card <script>", "label": "Card", "split": "x"},
    {"id": "b", "text": "my refund", "label": "", "split": "y"},
]  # fmt: skip


def test_records_are_filtered_by_the_address(annotator: TestClient) -> None:
    project = make_project()
    imported(project, as_csv(ROWS))

    every = annotator.get("/projects/letters/records").text
    one = annotator.get("/projects/letters/records?q=refund&state=unlabeled&field=split&value=y")

    assert "my card &lt;script&gt;" in every
    assert "2 records." in every
    assert "my card" not in one.text
    assert "my refund" in one.text
    assert "Nothing matches" in annotator.get("/projects/letters/records?q=nowhere").text
    assert annotator.get("/projects/letters/records?state=lost").status_code == 422


def test_pages_of_records_follow_each_other(annotator: TestClient) -> None:
    project = make_project()
    ids = make_records(project.id, [f"text number {n}." for n in range(120)])

    page = annotator.get("/projects/letters/records?q=text")

    assert f"/projects/letters/records?q=text&amp;after={ids[49]}" in page.text
    last = annotator.get(f"/projects/letters/records?q=text&after={ids[99]}").text
    assert "text number 100." in last
    assert "text number 99." not in last
    assert 'rel="next"' not in last


def test_a_record_shows_what_was_said_about_it(annotator: TestClient) -> None:
    project, carol = make_project(), make_user("carol", "annotator")
    imported(project, as_csv(ROWS))
    with transaction() as db:
        record = db.scalars(select(Record).where(Record.external_id == "a")).one()
        label = db.scalars(select(Label)).one()
        annotate(db, project, carol.id, [Say(record.id, "label", (label.id,))], key="1")
    with transaction() as db:
        undo(db, project, carol.id)

    page = annotator.get(f"/projects/letters/records/{record.id}").text
    read = annotator.get(f"/api/v1/projects/letters/records/{record.id}").json()

    assert "from a file" in page
    assert "carol" in page
    assert "withdrawn" in page
    assert [(each["user"], each["source"]) for each in read["annotations"]] == [
        ("carol", "single"), (None, "import"),
    ]  # fmt: skip
    assert (read["labels"], read["fields"], read["is_labeled"]) == (["Card"], {"split": "x"}, True)


def test_a_long_text_is_folded(annotator: TestClient) -> None:
    project = make_project()
    [record_id] = make_records(project.id, ["x" * 30_000])

    page = annotator.get(f"/projects/letters/records/{record_id}").text

    assert "Show all 30,000 characters" in page
    assert "x" * 20_001 not in page


def test_records_of_other_projects_are_unknown(annotator: TestClient) -> None:
    make_project()
    [foreign] = make_records(make_project("other").id, ["secret"])

    assert annotator.get(f"/projects/letters/records/{foreign}").status_code == 404
    assert annotator.get(f"/api/v1/projects/letters/records/{foreign}").status_code == 404


def test_a_program_reads_records_page_by_page(annotator: TestClient) -> None:
    project = make_project()
    imported(project, as_csv(ROWS))

    first = annotator.get("/api/v1/projects/letters/records?limit=1").json()
    after = first["next_after_id"]
    second = annotator.get(f"/api/v1/projects/letters/records?limit=1&after={after}").json()

    assert (first["n_matching"], first["records"][0]["labels"]) == (2, ["Card"])
    assert second["records"][0]["text"] == "my refund"
    assert second["next_after_id"] is None
