"""What a merged or retired label counts for."""

from sqlalchemy import select

from app.db.session import read_session, write_session
from app.labeling.labels.label_set import merge, restore, retire
from app.models import Label
from app.projects.label_resolver import LabelResolver, load_label_resolver
from app.projects.labels import add_label
from tests.conftest import make_project


def load(project_id: int) -> LabelResolver:
    with read_session() as db:
        return load_label_resolver(db, project_id)


def resolve_names(project_id: int) -> dict[str, str | None]:
    resolver = load(project_id)
    with read_session() as db:
        labels = db.scalars(select(Label).where(Label.project_id == project_id)).all()
    names = {label.id: label.name for label in labels}
    found = {label.name: resolver.resolve(label.id) for label in labels}
    return {name: None if given is None else names[given] for name, given in found.items()}


def test_a_chain_of_merges_ends_at_the_label_that_can_be_given(database: str) -> None:
    project, other = make_project("one"), make_project("two")
    with write_session() as db:
        a, b, c, d = (add_label(db, project.id, name, None) for name in "ABCD")
        theirs = add_label(db, other.id, "Theirs", None)
        merge(db, project.id, a.id, b.id, None)
        merge(db, project.id, b.id, c.id, None)
        retire(db, project.id, d.id, None)

    assert resolve_names(project.id) == {"A": "C", "B": "C", "C": "C", "D": None}
    assert load(project.id).offered == {c.id}
    assert load(project.id).resolve(theirs.id) is None
    assert load(project.id).resolve(10**9) is None

    with write_session() as db:
        restore(db, project.id, b.id, None)
        retire(db, project.id, c.id, None)

    assert resolve_names(project.id) == {"A": "B", "B": "B", "C": None, "D": None}


def test_a_label_merged_into_a_retired_one_cannot_be_given(database: str) -> None:
    project = make_project()
    with write_session() as db:
        a, b = (add_label(db, project.id, name, None) for name in "AB")
        merge(db, project.id, a.id, b.id, None)
        retire(db, project.id, b.id, None)

    assert resolve_names(project.id) == {"A": None, "B": None}
