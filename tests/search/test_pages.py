import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.database import reading
from app.models import Project, SessionItem
from app.records.filters import Filters
from app.search import base_models
from app.search.encoders import active_encoder
from app.search.similar import Seed, similar
from tests.search.conftest import TEXTS, Library, add_records, label_records

PAGE = "/projects/letters/search"
FRAGMENT = {"HX-Request": "true"}


@pytest.mark.usefixtures("library")
def test_the_empty_page_asks_for_words(admin: TestClient) -> None:
    page = admin.get(PAGE)

    assert page.status_code == 200
    assert 'name="text"' in page.text
    assert "Search by meaning" in page.text


def test_a_records_neighbours_with_rank_and_similarity(library: Library, admin: TestClient) -> None:
    page = admin.get(f"{PAGE}?record={library.records[0]}&k=20").text

    assert "20 nearest records" in page
    assert page.count('class="rank num"') == 20
    assert 'aria-label="rank 1"' in page
    assert f'<input type="hidden" name="record_ids" value="{library.records[0]}">' in page


def test_the_form_and_the_session_keep_the_filters(library: Library, admin: TestClient) -> None:
    page = admin.get(f"{PAGE}?record={library.records[0]}&field=thing&value=refund").text

    assert "5 nearest records" in page
    assert "<option selected>thing</option>" in page
    form = page[page.index('id="open-session"') :]
    assert '<input type="hidden" name="field" value="thing">' in form
    assert '<input type="hidden" name="value" value="refund">' in form
    assert '<input type="hidden" name="seed_kind" value="record">' in form
    assert '<input type="hidden" name="state" value="any">' in form


def test_what_was_found_opens_as_a_session_in_the_same_order(
    library: Library, admin: TestClient
) -> None:
    label_records(library.project, "Lamps", library.records[20:25])
    page = admin.get(f"{PAGE}?text=my+lamp&field=thing&value=lamp").text
    form = page[page.index('id="open-session"') : page.index("</form>", page.index("open-session"))]
    sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))

    answer = admin.post("/projects/letters/sessions", data=sent)

    assert answer.status_code == 303
    with reading() as db:
        items = db.scalars(select(SessionItem.record_id).order_by(SessionItem.rank)).all()
        found = similar(
            db, library.project, Seed("text", text="my lamp"), 50,
            Filters(field="thing", value="lamp"),
        )  # fmt: skip
    assert list(items) == [hit.record_id for hit in found]
    assert len(items) == 5


def test_a_text_is_found_at_once_when_its_encoder_is_loaded(
    library: Library, admin: TestClient
) -> None:
    page = admin.get(PAGE, params={"text": TEXTS[0], "k": 20}).text

    assert "20 nearest records" in page
    assert TEXTS[0] in page.split("<li>")[-20]
    assert 'aria-busy="true"' not in page


def test_the_first_search_for_words_says_that_it_takes_a_moment(
    library: Library, admin: TestClient
) -> None:
    base_models._loaded.clear()

    page = admin.get(PAGE, params={"text": "my lamp & <b>late</b>"}).text

    assert 'aria-busy="true"' in page
    assert f'hx-get="{PAGE}?text=my+lamp+%26+%3Cb%3Elate%3C%2Fb%3E"' in page
    fragment = admin.get(PAGE, params={"text": "my lamp"}, headers=FRAGMENT).text
    assert fragment.lstrip().startswith("<section")
    assert "nearest records" in fragment
    with reading() as db:
        active = active_encoder(db, library.project.id)
        assert active is not None
        assert base_models.is_loaded(db, active)


def test_a_label_is_something_to_be_near_to(library: Library, admin: TestClient) -> None:
    label = label_records(library.project, "Lamps", library.records[20:25])

    page = admin.get(f"{PAGE}?label={label.id}&state=unlabeled").text

    assert "Like the label" in page
    assert "35 nearest records" in page


def test_what_is_wrong_is_said_in_the_page(
    library: Library, admin: TestClient, new_project: Callable[[str], Project]
) -> None:
    [foreign] = add_records(new_project("other"), ["a secret of others"])

    unknown = admin.get(f"{PAGE}?record={foreign}")
    wrong = admin.get(f"{PAGE}?record=x")
    unindexed = admin.get(f"/projects/other/search?record={foreign}")

    assert unknown.status_code == 404
    assert "There is no such record here." in unknown.text
    assert "a secret of others" not in unknown.text
    assert (wrong.status_code, unindexed.status_code) == (422, 409)
    assert "record is given as a whole number" in wrong.text
    assert "still being embedded" in unindexed.text


def test_markup_in_a_record_is_shown_literally(library: Library, admin: TestClient) -> None:
    [late] = add_records(library.project, ["<script>alert(1)</script>"])

    page = admin.get(f"{PAGE}?record={late}").text

    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.usefixtures("library")
def test_only_users_search(nobody: TestClient) -> None:
    answer = nobody.get(PAGE)

    assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")
