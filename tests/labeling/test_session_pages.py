import numpy as np
import pytest

from app.db.session import write_session
from app.labeling.sessions.sessions import build_seed, start_session
from app.models import LabelingSession, Record
from tests.conftest import client_of
from tests.labeling.conftest import Desk
from tests.labeling.test_sessions import embed, order, suggest


@pytest.fixture
def session(desk: Desk) -> LabelingSession:
    """Everything, seen from the first record, with a suggestion of 0.9 for every row."""
    shares = np.full((12, 3), 0.05)
    shares[np.arange(12), np.arange(12) % 3] = 0.9
    suggest(desk, embed(desk), shares)
    seed = build_seed("record", [desk.records[0]])
    return start_session(desk.project, desk.ada, "record", seed=seed, k=11)


def test_rows_are_requested_by_rank_or_record(desk: Desk, session: LabelingSession) -> None:
    client = client_of(desk.ada)
    url = f"/projects/letters/sessions/{session.id}/rows"

    page = client.get(f"{url}?ranks=7,2,99").text
    assert [f'id="row-{rank}"' in page for rank in (2, 7, 3)] == [True, True, False]
    assert page.count('class="record-row"') == 2
    assert 'id="row-5"' in client.get(f"{url}?record={order(session)[5]}").text

    assert client.get(f"{url}?record=99999").status_code == 404
    assert client.get(url).status_code == 404
    assert client.get(f"{url}?ranks=1;2").status_code == 422
    assert client.get(f"{url}?ranks={10**9}").status_code == 422


def test_the_outline_has_status_similarity_and_probability(
    desk: Desk, session: LabelingSession
) -> None:
    second = desk.records.index(order(session)[1])
    desk.label(desk.ada, (second, 0), key="k")
    desk.label(desk.ben, (5, 0), key="k")

    outline = client_of(desk.ada).get(f"/projects/letters/sessions/{session.id}/outline").json()

    assert outline["ranks"] == [0, *range(2, 12)]
    assert outline["similarity"][0] is None
    assert outline["similarity"][1:] == sorted(outline["similarity"][1:], reverse=True)
    assert outline["score"] == pytest.approx([0.9] * 11, abs=0.01)


def test_a_long_text_and_the_fields_are_fetched_and_are_only_text(
    desk: Desk, session: LabelingSession
) -> None:
    text = "<script>alert(1)</script> " + "long " * 100_000
    with write_session() as db:
        record = db.get_one(Record, order(session)[3])
        record.text = text
        record.fields = {"sub<b>ject": "<i>hello</i>", "parts": ["a", 1]}
    client = client_of(desk.ada)
    url = f"/projects/letters/sessions/{session.id}"

    page = client.get(url).text
    whole = client.get(f"{url}/texts/3")
    fields = client.get(f"{url}/fields/3").text

    assert "Show all 500,026 characters" in page
    assert page.count("long ") < 300
    assert whole.text == text
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "sub&lt;b&gt;ject" in fields
    assert "&lt;i&gt;hello&lt;/i&gt;" in fields
    for path in ("texts/77", "fields/77"):
        assert client.get(f"{url}/{path}").status_code == 404


def test_the_page_carries_the_users_look_and_digits(desk: Desk, session: LabelingSession) -> None:
    client = client_of(desk.ada)
    digits = {f"digits_{desk.project.id}": [desk.labels[2], desk.labels[0]]}
    client.post("/me/preferences", json={"density": "compact", "is_reranked": False} | digits)

    page = client.get(f"/projects/letters/sessions/{session.id}").text

    assert 'data-density="compact"' in page
    assert 'data-rerank="no"' in page
    assert f'data-label="{desk.labels[2]}" data-key="1"' in page
    assert f'data-label="{desk.labels[0]}" data-key="2"' in page
    assert f'data-label="{desk.labels[1]}" data-key="3"' in page
