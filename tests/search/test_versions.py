import pytest

from app.db.session import read_session, write_session
from app.errors import Conflict, NotFound
from app.models import Activation, Project, Version
from app.search.versions import (
    activate,
    can_roll_back,
    find_active_version,
    find_version,
    find_version_by_id,
    get_or_create_raw_version,
    list_versions,
    publish,
    roll_back,
)
from tests.conftest import make_project, make_user


def tuned(project: Project) -> Version:
    with write_session() as db:
        raw = get_or_create_raw_version(db, project)
        return publish(db, project, kind="head", base_version=raw, files={}, n_records=0)


def use(encoder: Version) -> None:
    with write_session() as db:
        activate(db, encoder, None, "because")


def active_number(project: Project) -> int | None:
    with read_session() as db:
        encoder = find_active_version(db, project.id)
    return None if encoder is None else encoder.number


def go_back(project: Project) -> int:
    with write_session() as db:
        return roll_back(db, project, None).number


def test_the_first_version_is_raw_and_active_at_once(database: str) -> None:
    project = make_project()
    assert active_number(project) is None

    with write_session() as db:
        first = get_or_create_raw_version(db, project)
        again = get_or_create_raw_version(db, project)

    assert (first.number, first.kind, first.base_model) == (1, "raw", project.base_model)
    assert again.id == first.id
    assert active_number(project) == 1


def test_a_published_version_is_not_active_before_it_is_activated(database: str) -> None:
    project = make_project()
    version = tuned(project)
    assert (version.number, version.base_version_id is None) == (2, False)
    assert active_number(project) == 1

    user = make_user()
    with write_session() as db:
        activate(db, version, user, "Better by 0.1")

    assert active_number(project) == 2
    with read_session() as db:
        newest = db.get_one(Activation, 2)
        assert (newest.user_id, newest.reason) == (user.id, "Better by 0.1")
        assert [each.number for each in list_versions(db, project.id)] == [2, 1]


def test_rolling_back_twice_goes_back_twice(database: str) -> None:
    project = make_project()
    for version in (tuned(project), tuned(project)):
        use(version)

    assert can_go_back(project)
    assert go_back(project) == 2
    assert go_back(project) == 1
    assert active_number(project) == 1
    assert not can_go_back(project)
    with pytest.raises(Conflict, match="no earlier version"):
        go_back(project)


def can_go_back(project: Project) -> bool:
    with read_session() as db:
        return can_roll_back(db, project.id)


def test_rolling_back_undoes_a_choice_made_by_hand(database: str) -> None:
    project = make_project()
    second, third = tuned(project), tuned(project)
    with read_session() as db:
        first = find_version(db, project.id, 1)
    for version in (second, third, first):
        use(version)

    assert go_back(project) == 3


def test_a_new_version_after_rolling_back_leads_back_to_what_was_active(database: str) -> None:
    project = make_project()
    second, third = tuned(project), tuned(project)
    use(second)
    go_back(project)
    use(third)

    assert go_back(project) == 1


def test_a_version_of_another_project_is_not_found(database: str) -> None:
    ours, theirs = make_project("ours"), make_project("theirs")
    version = tuned(theirs)

    with read_session() as db:
        with pytest.raises(NotFound, match="Version not found"):
            find_version_by_id(db, ours.id, version.id)
        with pytest.raises(NotFound, match="Version not found"):
            find_version(db, ours.id, 10**30)
        assert find_version_by_id(db, theirs.id, version.id).number == 2
