import random

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Conflict, NotFound
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.consensus import recompute_consensus
from app.labeling.annotations.undo import undo
from app.labeling.labels import label_set as edits
from app.models import Consensus, LabelChange
from tests.labeling.conftest import Desk, make_desk


def stored(db: Session, desk: Desk) -> dict[int, dict[int | None, int]]:
    found: dict[int, dict[int | None, int]] = {}
    ours = select(Consensus).where(Consensus.project_id == desk.project.id)
    for row in db.scalars(ours):
        found.setdefault(row.record_id, {})[row.label_id] = row.action_id
    return found


def say_something(desk: Desk, chance: random.Random, key: str, *, is_multi: bool) -> None:
    """One act of one person about some records, now and then as if it had come with a file."""
    says = []
    for record in chance.sample(desk.records, chance.randint(1, 6)):
        verdict = chance.choices(["label", "none", "skip", "not_similar"], [9, 1, 1, 1])[0]
        n_labels = chance.randint(1, 2) if is_multi else 1
        labels = chance.sample(desk.labels, n_labels) if verdict == "label" else []
        says.append(AnnotationInput(record, verdict, tuple(sorted(labels))))
    with write_session() as db:
        user = chance.choice((desk.ada, desk.ben))
        source = chance.choices(["page", "import"], [4, 1])[0]
        annotate(db, desk.project, user.id, says, key=key, source=source)
    if chance.random() < 0.2:
        with write_session() as db:
            undo(db, desk.project, user.id)


def edit_something(desk: Desk, chance: random.Random) -> None:
    project, (one, other) = desk.project.id, chance.sample(desk.labels, 2)
    with write_session() as db:
        deed = chance.choice(("merge", "merge", "restore", "undo"))
        if deed == "merge":
            edits.merge(db, project, one, other, None)
        elif deed == "restore":
            edits.restore(db, project, one, None)
        else:
            newest = select(LabelChange.id).order_by(LabelChange.id.desc())
            edits.undo_change(db, project, db.scalars(newest).first() or 0)


@pytest.mark.parametrize("is_multi", [False, True])
def test_consensus_after_merges_equals_recomputed_consensus(database: str, is_multi: bool) -> None:
    desk = make_desk(is_multi_label=is_multi)
    chance = random.Random(5)
    n_edits = 0
    for n in range(30):
        say_something(desk, chance, f"{n}", is_multi=is_multi)
        try:
            edit_something(desk, chance)
            n_edits += 1
        except (Conflict, NotFound):
            continue
        with read_session() as db:
            assert stored(db, desk) == recompute_consensus(db, desk.project.id, desk.records)
    assert n_edits > 10
