import re

from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.undo import undo
from app.models import Comment, Label, Record
from app.records.records import load_consensus
from tests.conftest import make_project, make_user
from tests.exchange.files import as_csv, imported
from tests.record_search.test_bulk import plain
from tests.records.test_filters import make_records
from tests.search.conftest import Library
from tests.search.test_indexes import tune

PAGE = "/projects/letters/records"
ROWS = [
    {"id": "a", "text": "my card <script>", "label": "Card", "split": "x"},
    {"id": "b", "text": "my refund", "label": "", "split": "y"},
]


def test_a_record_shows_its_history(annotator: TestClient) -> None:
    project, carol = make_project(), make_user("carol", "annotator")
    imported(project, as_csv(ROWS))
    with write_session() as db:
        record = db.scalars(select(Record).where(Record.external_id == "a")).one()
        label = db.scalars(select(Label)).one()
        annotate(db, project, carol.id, [AnnotationInput(record.id, "label", (label.id,))], key="1")
    with write_session() as db:
        undo(db, project, carol.id)

    page = annotator.get(f"{PAGE}/{record.id}").text
    read = annotator.get(f"/api/v1{PAGE}/{record.id}").json()

    assert "imported," in page
    assert "carol" in page
    assert "<strong>withdrawn</strong>" in page
    assert page.count("<s>") == 1
    assert "my card &lt;script&gt;" in page
    assert [(each["user"], each["source"]) for each in read["annotations"]] == [
        ("carol", "single"),
        (None, "import"),
    ]
    assert (read["labels"], read["fields"], read["is_labeled"]) == (["Card"], {"split": "x"}, True)


def test_a_record_is_labeled_flagged_and_commented_on_its_page(annotator: TestClient) -> None:
    project = make_project()
    imported(project, as_csv(ROWS))
    with read_session() as db:
        record_id = db.scalars(select(Record.id).where(Record.external_id == "b")).one()
        label = db.scalars(select(Label)).one()
    here = f"{PAGE}/{record_id}"

    def post(path: str, **form: str) -> str:
        answer = annotator.post(f"{here}/{path}", data={"query": "state=unlabeled", **form})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    location = post("votes", key="k1", vote=f"label:{label.id}")
    assert post("votes", key="k1", vote=f"label:{label.id}") == location
    assert location.startswith(f"{here}?state=unlabeled&done=")
    page = annotator.get(location).text
    assert "1 record: Card." in plain(page)
    assert "not in these results" in page
    with read_session() as db:
        assert load_consensus(db, [record_id]) == {record_id: [label.id]}
    form = {"action_id": location.rpartition("=")[2], "record_id": str(record_id)}
    assert annotator.post(f"{PAGE}/undo", data=form).headers["location"].startswith(here)
    post("votes", key="k2", vote="none")
    post("comments", key="k3", kind="comment", body="odd <b>one</b>")
    post("comments", key="k4", kind="flag")
    with read_session() as db:
        assert load_consensus(db, [record_id]) == {record_id: [None]}
        assert sorted(db.scalars(select(Comment.kind))) == ["comment", "flag"]
    assert "odd &lt;b&gt;one&lt;/b&gt;" in annotator.get(here).text
    assert annotator.post(f"{here}/votes", data={"key": "k5", "vote": "accept:"}).status_code == 422
    assert (
        annotator.post(f"{here}/votes", data={"key": "k6", "vote": "label:99"}).status_code == 404
    )


def test_previous_and_next_follow_the_search_it_was_opened_from(annotator: TestClient) -> None:
    project = make_project()
    ids = make_records(project.id, ["red one", "blue", "red two", "red three"])

    page = annotator.get(f"{PAGE}/{ids[2]}?q=red&sort=newest").text.replace("&amp;", "&")

    assert "2 of 3" in page
    assert f'rel="prev" href="{PAGE}/{ids[3]}?q=red&sort=newest"' in page
    assert f'rel="next" href="{PAGE}/{ids[0]}?q=red&sort=newest"' in page
    assert f'<a href="{PAGE}?q=red&sort=newest">' in page


def test_a_long_text_is_folded(annotator: TestClient) -> None:
    project = make_project()
    [record_id] = make_records(project.id, ["x" * 1_000_000])

    page = annotator.get(f"{PAGE}/{record_id}").text

    assert "Show all 1,000,000 characters" in page
    assert page.index("<details><summary>Show all") < page.index("x" * 20_001)
    assert len(annotator.get(PAGE).text) < 60_000


def test_neighbours_stand_side_by_side_with_who_entered_and_left(
    library: Library, admin: TestClient
) -> None:
    alone = admin.get(f"{PAGE}/{library.records[0]}").text
    assert "Not tuned yet" in alone
    assert len(re.findall(r'class="num rank"', alone)) == 10
    tune(library)

    pages = (admin.get(f"{PAGE}/{each}").text for each in library.records)
    page = next(page for page in pages if "+ new" in page)

    raw, tuned = page.split("Tuned, version 2")
    entered = re.findall(r"\+ new, was rank (\d+)", tuned)
    left = re.findall(r"− dropped out, now rank (\d+)", raw)
    assert len(entered) == len(left) > 0
    assert min(map(int, entered + left)) > 10
    assert len(re.findall(r'class="move">([+↑↓=])', tuned)) == 10


def test_records_of_other_projects_are_unknown(annotator: TestClient) -> None:
    make_project()
    [foreign] = make_records(make_project("other").id, ["secret"])

    assert annotator.get(f"{PAGE}/{foreign}").status_code == 404
    assert annotator.get(f"/api/v1{PAGE}/{foreign}").status_code == 404
    says = annotator.post(f"{PAGE}/{foreign}/votes", data={"key": "k", "vote": "none"})
    assert says.status_code == 404
