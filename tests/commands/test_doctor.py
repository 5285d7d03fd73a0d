import re

import pytest

from app.commands import doctor
from app.commands.doctor import Check, run_checks
from app.db import schema
from app.db.session import write_session
from app.models import Version
from app.settings import settings
from tests.conftest import make_project


def find_check(name: str) -> Check:
    [check] = [each for each in run_checks() if each.name == name]
    return check


def runtime_check() -> Check:
    return find_check("runtime")


def test_an_empty_database_is_sound_and_an_older_one_is_not(database: str) -> None:
    current = find_check("database")
    schema.downgrade("-1")
    older = find_check("database")
    schema.downgrade("base")
    empty = find_check("database")

    assert (current.is_ok, older.is_ok, empty.is_ok) == (True, False, True)
    assert current.sentence.endswith(", up to date")
    assert older.sentence.endswith("is not up to date; start `likewise serve` once")
    assert empty.sentence.endswith(", empty; the first start creates the tables")


@pytest.fixture
def asks_for_int8(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKEWISE_RUNTIME", "openvino-int8")
    settings.cache_clear()


def test_a_version_on_another_runtime_than_set_shows_the_reason(
    asks_for_int8: None,
) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    reason = "12 texts are too few to try it on."
    with write_session() as db:
        db.add(
            Version(
                project_id=make_project().id,
                number=1,
                kind="raw",
                base_model="a",
                runtime="torch",
                runtime_reason=reason,
            )
        )

    check = runtime_check()

    assert check.is_ok
    assert re.fullmatch(
        r"openvino-int8 for new versions \(OpenVINO [\d.]+, fp32.*\); versions: 1 on torch; "
        rf"latest exception: {re.escape(reason)}",
        check.sentence,
    )


def test_packages_that_the_runtime_needs_and_that_are_missing_are_named(
    asks_for_int8: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "list_missing_packages", lambda runtime: ["openvino", "nncf"])

    check = runtime_check()

    assert check == Check(
        "runtime",
        False,
        "openvino-int8 needs openvino and nncf: pip install 'likewise[accel]'; until then new "
        "versions use torch",
    )
