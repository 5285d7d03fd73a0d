from collections.abc import Callable

import numpy as np
import pytest

from app.db.session import read_session
from app.errors import AppError, Conflict, Invalid, NotFound
from app.models import Project
from app.records.filters import Filters
from app.search.embedding import load_all_vectors
from app.search.indexes import NotIndexed
from app.search.similar import Hit, Seed, find_neighbours
from tests.search.conftest import (
    TEXTS,
    CountingEncoder,
    Library,
    active,
    add_records,
    delete_records,
    embed_all,
    label_records,
)


def hits(
    library: Library, seed: Seed, k: int = 10, filters: Filters | None = None, **more: bool
) -> list[Hit]:
    with read_session() as db:
        return find_neighbours(db, library.project, seed, k, filters, **more)


def of_record(library: Library, text: str) -> Seed:
    return Seed("record", record_ids=(library.id_of(text),))


def cosines(library: Library, query: np.ndarray) -> dict[int, float]:
    """By NumPy over the stored vectors, as the oracle."""
    with read_session() as db:
        ids, vectors = load_all_vectors(db, active(library.project).id)
    unit = query / np.linalg.norm(query)
    return dict(zip(ids.tolist(), (vectors @ unit).tolist(), strict=True))


def vector_of(library: Library, *texts: str) -> np.ndarray:
    with read_session() as db:
        ids, vectors = load_all_vectors(db, active(library.project).id)
    rows = [ids.tolist().index(library.id_of(text)) for text in texts]
    return np.asarray(vectors[rows].mean(axis=0))


def test_a_records_neighbours_are_its_nearest_by_cosine(library: Library) -> None:
    found = hits(library, of_record(library, "my lamp is late"))

    expected = cosines(library, vector_of(library, "my lamp is late"))
    del expected[library.id_of("my lamp is late")]
    best = sorted(expected, key=lambda each: -expected[each])[:10]
    assert [hit.record_id for hit in found] == best
    assert [hit.rank for hit in found] == list(range(1, 11))
    for hit in found:
        assert hit.similarity == pytest.approx(expected[hit.record_id], abs=2e-3)


def test_several_records_stand_for_their_mean(library: Library) -> None:
    texts = ("my lamp is late", "my card was lost")
    seed = Seed("selection", record_ids=tuple(library.id_of(text) for text in texts))

    found = hits(library, seed, 5)

    expected = cosines(library, vector_of(library, *texts))
    for text in texts:
        del expected[library.id_of(text)]
    assert found[0].similarity == pytest.approx(max(expected.values()), abs=2e-3)
    assert len({hit.record_id for hit in found} & set(seed.record_ids)) == 0


def test_the_seed_is_included_on_request(library: Library) -> None:
    found = hits(library, of_record(library, "my lamp is late"), with_seed=True)

    assert found[0].record_id == library.id_of("my lamp is late")
    assert found[0].similarity == pytest.approx(1, abs=2e-3)


def test_a_label_is_searched_by_the_mean_of_its_records(library: Library) -> None:
    texts = ("my lamp is late", "my lamp was lost")
    label = label_records(library.project, "Lamps", [library.id_of(text) for text in texts])

    found = hits(library, Seed("label", label_id=label.id), 40)

    expected = cosines(library, vector_of(library, *texts))
    for hit in found:
        assert hit.similarity == pytest.approx(expected[hit.record_id], abs=3e-3)
    assert len(found) == 40


def test_a_text_is_encoded_like_a_record(library: Library, encoder: CountingEncoder) -> None:
    found = hits(library, Seed("text", text="  my kettle never came "), 3)

    assert found[0].record_id == library.id_of("my kettle never came")
    assert found[0].similarity == pytest.approx(1, abs=2e-3)
    assert encoder.asked[-1] == ["my kettle never came"]


def test_filters_apply_inside_the_search_so_that_k_results_come_back(library: Library) -> None:
    unfiltered = hits(library, of_record(library, "my lamp is late"), 5)

    found = hits(
        library, of_record(library, "my lamp is late"), 5, Filters(field="thing", value="refund")
    )

    refunds = {library.id_of(text) for text in TEXTS if "refund" in text}
    assert {hit.record_id for hit in found} == refunds
    assert {hit.record_id for hit in unfiltered} != refunds
    assert [hit.rank for hit in found] == [1, 2, 3, 4, 5]


def test_unlabeled_and_keyword_filters(library: Library) -> None:
    labeled = [library.id_of(text) for text in TEXTS[:38]]
    label_records(library.project, "Many", labeled)

    unlabeled = hits(library, of_record(library, TEXTS[0]), 10, Filters(state="unlabeled"))
    by_word = hits(library, of_record(library, TEXTS[0]), 40, Filters(keyword="kettle"))

    assert {hit.record_id for hit in unlabeled} == {library.id_of(text) for text in TEXTS[38:]}
    assert {hit.record_id for hit in by_word} == {
        library.id_of(text) for text in TEXTS if "kettle" in text
    }


def test_a_deleted_record_is_never_found_and_another_takes_its_place(library: Library) -> None:
    before = hits(library, of_record(library, "my lamp is late"), 10)
    delete_records([before[0].record_id, before[3].record_id])

    after = hits(library, of_record(library, "my lamp is late"), 10)

    survivors = [hit.record_id for i, hit in enumerate(before) if i not in {0, 3}]
    assert [hit.record_id for hit in after][:8] == survivors
    assert len(after) == 10


def test_more_than_there_are_gives_what_there_is(library: Library) -> None:
    assert len(hits(library, of_record(library, TEXTS[0]), 1000)) == len(TEXTS) - 1


def test_a_record_embedded_after_the_index_was_written_can_be_the_seed(library: Library) -> None:
    [late] = add_records(library.project, ["my lamp is late and my kettle is late"])
    embed_all(library.project)

    found = hits(library, Seed("record", record_ids=(late,)), 5)

    assert len(found) == 5
    assert late not in {hit.record_id for hit in found}


def test_unsearchable_requests_have_a_message(
    library: Library, new_project: Callable[[str], Project]
) -> None:
    [unembedded] = add_records(library.project, ["not embedded"])
    empty = label_records(library.project, "Empty", [])
    other = new_project("other")
    [foreign] = add_records(other, ["foreign"])
    sentences: list[tuple[Seed, type[AppError], str]] = [
        (Seed("record", record_ids=(unembedded,)), Conflict, "not been embedded yet"),
        (Seed("record", record_ids=(foreign,)), NotFound, "Record not found"),
        (Seed("record", record_ids=()), Invalid, "at least one record"),
        (Seed("label", label_id=empty.id), Conflict, "has the label Empty yet"),
        (Seed("label", label_id=999_999), NotFound, "Label not found"),
        (Seed("text", text="  "), Invalid, "Enter a text"),
    ]

    for seed, kind, sentence in sentences:
        with pytest.raises(kind, match=sentence):
            hits(library, seed)
    with read_session() as db, pytest.raises(NotIndexed, match="still being embedded"):
        find_neighbours(db, other, Seed("record", record_ids=(foreign,)), 5)
    with read_session() as db, pytest.raises(NotFound, match="Version not found"):
        find_neighbours(db, other, Seed("text", text="x"), 5, version_id=active(library.project).id)
