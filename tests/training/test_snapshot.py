from pathlib import Path

import numpy as np

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.undo import undo
from app.models import LabelingSession, Project, User
from app.search.versions import find_raw_version
from app.training.pipeline.snapshot import Snapshot, freeze, load_snapshot
from tests.training.conftest import label_ids, record_ids


def frozen(project: Project) -> Snapshot:
    with read_session() as db:
        raw = find_raw_version(db, project)
        assert raw is not None
        return freeze(db, project, raw)


def find_unlike(project: Project, user: User, seed_kind: str, seed: int, rows: list[int]) -> None:
    """The user starts a session from the record at `seed`, and finds those at `rows` unlike it."""
    ids = record_ids(project)
    with write_session() as db:
        session = LabelingSession(
            project_id=project.id,
            user_id=user.id,
            seed_kind=seed_kind,
            title="Like it?",
            seed={"record_ids": [ids[seed]]},
            n_records=len(rows),
        )
        db.add(session)
        db.flush()
        says = [AnnotationInput(ids[row], "not_similar") for row in rows]
        annotate(db, project, user.id, says, key=f"{seed_kind}-{seed}", session_id=session.id)


def test_records_found_unlike_a_seed_are_learned_from_until_it_is_undone(
    project: Project, ada: User
) -> None:
    ids = record_ids(project)
    find_unlike(project, ada, "record", 100, [50, 120])
    find_unlike(project, ada, "record", 50, [100])
    find_unlike(project, ada, "label", 3, [4])

    snapshot = frozen(project)
    with write_session() as db:
        undo(db, project, ada.id)
        undo(db, project, ada.id)
        undo(db, project, ada.id)

    assert snapshot.apart.tolist() == [[ids[50], ids[100]], [ids[100], ids[120]]]
    kept = np.array(ids[:110])
    examples = snapshot.examples(kept, is_multi_label=False)
    assert examples.apart.tolist() == [[50, 100]]
    assert frozen(project).apart.shape == (0, 2)


def test_a_label_given_with_a_page_weighs_less_than_one_given_by_itself(
    project: Project, ada: User
) -> None:
    ids = record_ids(project)
    says = [AnnotationInput(ids[row], "label", (label_ids(project)[row % 4],)) for row in (40, 41)]
    with write_session() as db:
        annotate(db, project, ada.id, says, key="page", source="page")

    snapshot = frozen(project)

    places = np.searchsorted(snapshot.record_ids, [ids[0], ids[40], ids[41]])
    np.testing.assert_allclose(snapshot.weights[places], [1, 0.8, 0.8])
    assert snapshot.groups[places[1]] == snapshot.groups[places[2]] != snapshot.groups[places[0]]


def test_what_was_frozen_is_read_back_as_it_was(
    project: Project, ada: User, tmp_path: Path
) -> None:
    find_unlike(project, ada, "selection", 100, [50])
    snapshot = frozen(project)
    path = tmp_path / "examples.npz"
    snapshot.save(path)

    again = load_snapshot(path)

    assert again.hash == snapshot.hash
    np.testing.assert_array_equal(again.apart, snapshot.apart)
    np.testing.assert_array_equal(again.targets, snapshot.targets)
