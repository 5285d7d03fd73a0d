import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db.session import read_session
from app.models import Project, SessionItem
from app.records.filters import Filters
from app.search import model_cache as base_models
from app.search.similar import Seed, find_neighbours
from app.search.versions import find_active_version
from tests.conftest import make_project
from tests.exchange.files import as_csv, imported
from tests.records.test_filters import make_records
from tests.search.conftest import TEXTS, Library, add_records, label_records

PAGE = "/projects/letters/records"
FRAGMENT = {"HX-Request": "true"}
ROWS = [
    {"id": "a", "text": "my card <script>", "label": "Card", "split": "x"},
    {"id": "b", "text": "my refund", "label": "", "split": "y"},
]


def texts_in(page: str) -> list[str]:
    lines = re.findall(r'class="clamp" dir="auto">(.*?)</span></a>', page)
    return [re.sub(r"</?mark>", "", line) for line in lines]


def test_records_are_filtered_by_the_address(annotator: TestClient) -> None:
    project = make_project()
    assert "No records yet" in annotator.get(PAGE).text
    imported(project, as_csv(ROWS))

    every = annotator.get(PAGE).text
    one = annotator.get(f"{PAGE}?q=refund&state=unlabeled&field=split&value=y&mode=").text

    assert texts_in(every) == ["my card &lt;script&gt;", "my refund"]
    assert texts_in(one) == ["my refund"]
    assert "my <mark>refund</mark>" in one
    assert "No matching records" in annotator.get(f"{PAGE}?q=nowhere").text
    for wrong in ("state=lost", "mode=x", "sort=x", "after=x", "after=1~x", "record=x"):
        assert annotator.get(f"{PAGE}?{wrong}").status_code == 422


def test_each_chip_takes_its_filter_away_and_the_export_has_them_all(
    annotator: TestClient,
) -> None:
    imported(make_project(), as_csv(ROWS))

    narrow = "q=my&state=unlabeled&field=split&value=y"
    page = annotator.get(f"{PAGE}?{narrow}&source=import").text

    chips = dict(
        re.findall(
            r'badge" href="([^"]*)" aria-label="Remove filter: ([^"]*)"', page.replace("&amp;", "&")
        )
    )
    assert chips == {
        f"{PAGE}?q=my&field=split&value=y&source=import": "unlabeled",
        f"{PAGE}?q=my&state=unlabeled&source=import": "split: y",
        f"{PAGE}?q=my&state=unlabeled&field=split&value=y": "label source: imported",
    }
    page = annotator.get(f"{PAGE}?{narrow}").text.replace("&amp;", "&")
    assert f'href="/projects/letters/exports?{narrow}"' in page
    export = annotator.get(f"/projects/letters/exports?{narrow}").text
    assert "1 record matches the filter" in export


@pytest.mark.parametrize("sort", ["oldest", "newest", "id", "labeled", "confident", "unsure"])
def test_pages_go_on_behind_a_key_while_records_arrive(annotator: TestClient, sort: str) -> None:
    project = make_project()
    make_records(project.id, [f"text number {n}." for n in range(120)])
    url, seen, previous = f"{PAGE}?sort={sort}", [], ""

    while url:
        page = annotator.get(url).text.replace("&amp;", "&")
        seen.append(texts_in(page))
        add_records(project, [f"another {len(seen)}."])
        url = address_of("next", page)
        previous = address_of("prev", page)

    every = [text for texts in seen for text in texts if text.startswith("text")]
    assert len(every) == len(set(every)) == 120
    assert texts_in(annotator.get(previous).text)[-1] == seen[-2][-1]


def address_of(rel: str, page: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    return found[1] if found else ""


def test_meaning_ranks_inside_the_filters(library: Library, admin: TestClient) -> None:
    page = admin.get(f"{PAGE}?q=my+lamp&mode=meaning&field=thing&value=lamp").text

    with read_session() as db:
        hits = find_neighbours(
            db,
            library.project,
            Seed("text", text="my lamp"),
            50,
            Filters(field="thing", value="lamp"),
        )
    assert texts_in(page) == [TEXTS[library.records.index(hit.record_id)] for hit in hits]
    assert page.count("similarity 0.") == 5
    without = admin.get(f'{PAGE}?q=my+lamp+-"is late" -lost&mode=meaning&field=thing&value=lamp')
    assert sorted(texts_in(without.text)) == [
        "my lamp does not work",
        "my lamp is wrong",
        "my lamp never came",
    ]


def test_both_fuses_the_two_rankings(library: Library, admin: TestClient) -> None:
    page = admin.get(f"{PAGE}?q=lamp&mode=both").text

    assert "40 records" in page
    first = texts_in(page)[:5]
    assert sorted(first) == sorted(text for text in TEXTS if "lamp" in text)
    assert "word rank 1" in page
    assert page.count("word rank") == 5
    assert page.count("meaning rank") == 40


def test_what_was_found_opens_as_a_session_in_the_same_order(
    library: Library, admin: TestClient
) -> None:
    label_records(library.project, "Lamps", library.records[20:25])
    page = admin.get(f"{PAGE}?q=my+lamp&mode=meaning&field=thing&value=lamp").text
    form = page[page.index('id="open-session"') : page.index("</form>", page.index("open-session"))]
    sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))

    answer = admin.post("/projects/letters/sessions", data=sent)

    assert answer.status_code == 303
    with read_session() as db:
        items = db.scalars(select(SessionItem.record_id).order_by(SessionItem.rank)).all()
    assert [TEXTS[library.records.index(each)] for each in items] == texts_in(page)


def test_the_first_search_by_meaning_announces_that_the_model_loads(
    library: Library, admin: TestClient
) -> None:
    base_models._loaded.clear()
    asked = {"q": "my lamp & <b>late</b>", "mode": "meaning"}

    page = admin.get(PAGE, params=asked).text

    assert 'aria-busy="true"' in page
    waiting = f"{PAGE}?q=my+lamp+%26+%3Cb%3Elate%3C%2Fb%3E&amp;mode=meaning&amp;now=1"
    assert f'hx-get="{waiting}"' in page
    fragment = admin.get(waiting.replace("&amp;", "&"), headers=FRAGMENT)
    assert fragment.text.lstrip().startswith("<section")
    assert "nearest records" in fragment.text or "40 records" in fragment.text
    assert fragment.headers["HX-Push-Url"].endswith("%3C%2Fb%3E&mode=meaning")
    with read_session() as db:
        active = find_active_version(db, library.project.id)
        assert active is not None
        assert base_models.is_loaded(db, active)


def test_a_record_and_a_label_are_something_to_be_near_to(
    library: Library, admin: TestClient
) -> None:
    label = label_records(library.project, "Lamps", library.records[20:25])

    by_label = admin.get(f"{PAGE}?like={label.id}&state=unlabeled").text
    by_record = admin.get(f"{PAGE}?record={library.records[0]}&q=refund").text

    assert "35 records" in by_label
    assert "Similar to label" in by_label
    assert sorted(texts_in(by_record)) == sorted(text for text in TEXTS if "refund" in text)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("text=my+lamp&state=unlabeled&k=20", "q=my+lamp&mode=meaning&state=unlabeled"),
        ("record=3&version=2", "record=3&version=2"),
        ("like=4", "like=4"),
        ("label=4", "like=4"),
        ("record=nonsense", ""),
    ],
)
def test_addresses_of_the_search_that_was_lead_here(
    annotator: TestClient, old: str, new: str
) -> None:
    make_project()

    answer = annotator.get(f"/projects/letters/search?{old}")

    assert answer.headers["location"] == (f"{PAGE}?{new}" if new else PAGE)


def test_errors_are_shown_in_the_page(
    library: Library, admin: TestClient, new_project: Callable[[str], Project]
) -> None:
    [foreign] = add_records(new_project("other"), ["a secret of others"])

    unknown = admin.get(f"{PAGE}?record={foreign}")
    unindexed = admin.get(f"/projects/other/records?record={foreign}")

    assert unknown.status_code == 404
    assert "Record not found." in unknown.text
    assert "a secret of others" not in unknown.text
    assert unindexed.status_code == 409
    assert "still being embedded" in unindexed.text


def test_only_users_look(library: Library, nobody: TestClient) -> None:
    answer = nobody.get(PAGE)

    assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")


def test_saved_searches_have_names(annotator: TestClient) -> None:
    imported(make_project(), as_csv(ROWS))

    kept = annotator.post(
        f"{PAGE}/saved-searches", data={"name": " Open  cards", "query": "state=unlabeled"}
    )
    again = annotator.post(f"{PAGE}/saved-searches", data={"name": "OPEN CARDS", "query": "q=my"})
    bare = annotator.post(f"{PAGE}/saved-searches", data={"name": "All", "query": "sort=newest"})
    page = annotator.get(PAGE).text

    assert kept.headers["location"] == f"{PAGE}?state=unlabeled"
    assert (again.status_code, bare.status_code) == (409, 422)
    assert "Open cards" in page
    assert annotator.get(f"{PAGE}/count?state=unlabeled").text == "1"
    saved_search_id = re.search(r"saved-searches/(\d+)/rename", page)
    assert saved_search_id
    annotator.post(f"{PAGE}/saved-searches/{saved_search_id[1]}/rename", data={"name": "Rest"})
    assert ">Rest <" in annotator.get(PAGE).text
    annotator.post(f"{PAGE}/saved-searches/{saved_search_id[1]}/delete")
    assert "Rest" not in annotator.get(PAGE).text
