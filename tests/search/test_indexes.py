import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.ml.heads.baselines import RawHead
from app.ml.heads.head import EvidenceHead
from app.ml.heads.storage import save_head
from app.models import Artifact, Project, Version
from app.search import indexes
from app.search.embedding import load_all_vectors
from app.search.index_revisions import is_worth_writing, needs_index, write_index
from app.search.indexes import LoadedVersion, build_version_files, index_vectors, open_version
from app.search.similar import Seed, find_neighbours, open_pinned_version
from app.search.versions import activate, find_version, publish
from app.storage import CorruptFile, store_file
from tests.conftest import PATIENCE_SECONDS
from tests.search.conftest import (
    TEXTS,
    CountingEncoder,
    Library,
    active,
    add_records,
    change_text,
    delete_records,
    embed_all,
)


def evidence_head(classes: tuple[int, ...] = (7, 8, 9)) -> EvidenceHead:
    rng = np.random.default_rng(3)
    k = len(classes)
    return EvidenceHead(
        hidden_weight=rng.standard_normal((32, 16)).astype(np.float32),
        hidden_bias=np.zeros(16, np.float32),
        output_weight=rng.standard_normal((16, k)).astype(np.float32),
        output_bias=np.zeros(k, np.float32),
        centre=np.full(k, 1 / k, np.float32),
        classes=classes,
    )


def tune(library: Library) -> Version:
    """A tuned version, active from now on."""
    head = evidence_head()
    with read_session() as db:
        raw = find_version(db, library.project.id, 1)
        ids, vectors = load_all_vectors(db, raw.id)
    written = build_version_files(*index_vectors(head, [(ids, vectors)], len(ids)))
    files = {kind: store_file(kind, write) for kind, write in written.items()}
    files["head"] = store_file("head", lambda path: save_head(head, path))
    with write_session() as db:
        encoder = publish(
            db, library.project, kind="head", base_version=raw, files=files, n_records=len(ids)
        )
        activate(db, encoder, None, "Run 1")
    return encoder


def version(library: Library) -> LoadedVersion:
    with read_session() as db:
        return open_pinned_version(db, library.project)


def files_of(library: Library, kind: str = "index") -> list[Path]:
    """The version's files, the oldest revision first."""
    with read_session() as db:
        rows = db.scalars(
            select(Artifact)
            .where(Artifact.version_id == active(library.project).id, Artifact.kind == kind)
            .order_by(Artifact.revision)
        )
        return [library.data_dir / row.file for row in rows]


def flip_a_bit(path: Path) -> None:
    """In place of the file, as a bad disk would show it to whoever opens it next."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def is_needed(library: Library) -> bool:
    with read_session() as db:
        return needs_index(db, active(library.project))


def test_records_that_arrive_later_are_found_after_the_next_revision(library: Library) -> None:
    assert not is_needed(library)
    assert version(library).revision == 1
    [late] = add_records(library.project, ["my lamp is late and late"])
    embed_all(library.project)
    assert is_needed(library)

    write_index(active(library.project).id)

    assert not is_needed(library)
    assert (version(library).revision, version(library).index.n_records) == (2, 41)
    with read_session() as db:
        seed = Seed("record", record_ids=(library.id_of("my lamp is late"),))
        found = find_neighbours(db, library.project, seed, 40)
    assert late in {hit.record_id for hit in found}


def test_a_changed_text_and_a_deleted_record_need_the_next_revision(library: Library) -> None:
    change_text(library.records[0], "my kettle was kettled")
    embed_all(library.project)
    assert is_needed(library)
    write_index(active(library.project).id)
    assert not is_needed(library)

    delete_records(library.records[:1])
    assert is_needed(library)
    write_index(active(library.project).id)

    assert not is_needed(library)
    assert library.records[0] not in version(library).index.ids


def test_growing_by_half_is_worth_a_revision_while_embedding_goes_on(library: Library) -> None:
    def is_worth_it() -> bool:
        with read_session() as db:
            return is_worth_writing(db, active(library.project))

    add_records(library.project, [f"my lamp number {i}" for i in range(19)])
    embed_all(library.project)
    assert not is_worth_it()

    add_records(library.project, ["my lamp number 20"])
    embed_all(library.project)
    assert is_worth_it()


def test_a_version_swap_is_seen_by_the_next_call(library: Library) -> None:
    seed = Seed("record", record_ids=(library.records[0],))
    with read_session() as db:
        raw = find_neighbours(db, library.project, seed, 5)

    encoder = tune(library)

    assert version(library).version.id == encoder.id
    assert version(library).index.dimension == 32 + 3
    with read_session() as db:
        tuned = find_neighbours(db, library.project, seed, 5)
        pinned = find_neighbours(
            db, library.project, seed, 5, version_id=find_version(db, library.project.id, 1).id
        )
    assert [hit.similarity for hit in tuned] != [hit.similarity for hit in raw]
    assert pinned == raw


def test_records_that_arrive_later_get_tuned_vectors_and_suggestions(library: Library) -> None:
    encoder = tune(library)
    [late] = add_records(library.project, ["my lamp is a kettle"])
    embed_all(library.project)
    assert is_needed(library)

    write_index(encoder.id)

    opened = version(library)
    with read_session() as db:
        ids, vectors = load_all_vectors(db, encoder.base_version_id or 0)
    expected = evidence_head().suggest(vectors[ids == late])
    assert expected is not None
    assert opened.suggestions.of([late])[late].score == pytest.approx(expected.max(), abs=1e-3)
    assert opened.suggestions.of([late])[late].label_id == (7, 8, 9)[int(expected.argmax())]
    np.testing.assert_allclose(
        opened.index.vectors(np.array([late])),
        evidence_head().tune(vectors[ids == late]),
        atol=2e-3,
    )


def test_one_older_revision_is_kept_and_its_file(library: Library) -> None:
    for _ in range(3):
        write_index(active(library.project).id)

    kept = files_of(library)

    assert len(kept) == 2
    assert all(path.is_file() for path in kept)
    assert len(list((library.data_dir / "artifacts").iterdir())) == 2


@pytest.mark.parametrize("harm", [flip_a_bit, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_index_falls_back_to_the_revision_before(
    library: Library, harm: Callable[[Path], None]
) -> None:
    seed = Seed("record", record_ids=(library.records[0],))
    with read_session() as db:
        before = find_neighbours(db, library.project, seed, 5)
    write_index(active(library.project).id)
    indexes._open.clear()
    harm(files_of(library)[1])

    assert version(library).revision == 1
    with read_session() as db:
        assert find_neighbours(db, library.project, seed, 5) == before


def test_when_no_revision_is_whole_nothing_wrong_is_answered(library: Library) -> None:
    indexes._open.clear()
    flip_a_bit(files_of(library)[0])

    with read_session() as db, pytest.raises(CorruptFile, match="damaged or missing"):
        open_version(db, active(library.project).id)


def test_an_open_version_goes_on_serving_when_the_next_is_damaged(library: Library) -> None:
    assert version(library).revision == 1
    write_index(active(library.project).id)
    for path in files_of(library):
        flip_a_bit(path)

    assert version(library).revision == 1
    assert version(library).index.n_records == len(TEXTS)


def test_a_missing_file_is_written_again(library: Library) -> None:
    files_of(library)[0].unlink()

    assert is_needed(library)


def test_a_damaged_head_is_never_used(library: Library) -> None:
    encoder = tune(library)
    indexes._open.clear()
    flip_a_bit(files_of(library, "head")[0])

    with read_session() as db, pytest.raises(CorruptFile, match="head"):
        open_version(db, encoder.id)
    with pytest.raises(CorruptFile, match="head"):
        write_index(encoder.id)


def test_searches_are_answered_from_whole_versions_while_revisions_are_swapped(
    library: Library,
) -> None:
    stop = threading.Event()
    seen: set[int] = set()
    troubles: list[Exception] = []

    def search_on() -> None:
        while not stop.is_set():
            try:
                opened = version(library)
                assert opened.index.n_records == len(TEXTS)
                opened.index.search(opened.index.vectors(opened.index.ids[:1]), 5)
                seen.add(opened.revision)
            except Exception as trouble:
                troubles.append(trouble)

    threads = [threading.Thread(target=search_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        write_index(active(library.project).id)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while 7 not in seen and not troubles and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()

    assert troubles == []
    assert 7 in seen


def test_nothing_is_written_before_the_first_vector(
    new_project: Callable[[str], Project], encoder: CountingEncoder
) -> None:
    project = new_project("empty")
    embed_all(project)

    write_index(active(project).id)

    with read_session() as db:
        assert not needs_index(db, active(project))
        assert db.scalars(select(Artifact)).all() == []


def test_a_raw_version_suggests_nothing(library: Library) -> None:
    assert isinstance(version(library).head, RawHead)
    assert version(library).suggestions.of(library.records) == {}
