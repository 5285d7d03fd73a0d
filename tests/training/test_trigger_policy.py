"""What a run waits for before it starts by itself."""

from datetime import UTC, datetime, time, timedelta

import pytest
from fastapi.testclient import TestClient

from app.db.session import read_session, write_session
from app.models import Project, TrainingRun, User, utc_now
from app.training.runs import runs
from app.training.runs.readiness import Readiness, readiness
from app.training.runs.trigger_policy import TriggerPolicy
from tests.conftest import client_of, make_user
from tests.training.conftest import embedded_project, label

NIGHT = TriggerPolicy(quiet_from=time(22), quiet_until=time(6), zone="Europe/Berlin")


def state(project: Project) -> Readiness:
    with read_session() as db:
        return readiness(db, db.get_one(Project, project.id))


def choose(project: Project, policy: TriggerPolicy) -> None:
    with write_session() as db:
        db.get_one(Project, project.id).policy = policy.as_json()


def ended(project: Project, n_examples: int) -> None:
    """A run of that many examples that has ended just now."""
    with write_session() as db:
        run_id = runs.request_run(db, db.get_one(Project, project.id)).id
    runs.fail_run(run_id, "Not today.")
    with write_session() as db:
        db.get_one(TrainingRun, run_id).n_examples = n_examples


@pytest.mark.parametrize(
    ("n_at_last_run", "needed"), [(0, 25), (25, 25), (100, 25), (101, 26), (1_000, 250)]
)
def test_the_more_labels_the_more_must_change(n_at_last_run: int, needed: int) -> None:
    assert TriggerPolicy().needed(25, n_at_last_run) == needed


def test_a_run_after_a_large_one_waits_for_more_labels(project: Project, ada: User) -> None:
    ended(project, n_examples=160)

    label(project, ada, range(32, 71))
    nearly = state(project)
    label(project, ada, range(71, 72))

    assert (nearly.needed, nearly.missing) == (40, ("1 more new or changed label",))
    assert nearly.threshold == (
        "Automatic training needs 40 new or changed labels: 25 % of the 160 labels used in run 1, "
        "and at least 25."
    )
    assert state(project).is_due


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        (datetime(2026, 1, 5, 21, 30, tzinfo=UTC), "2026-01-06T06:00:00+01:00"),
        (datetime(2026, 1, 6, 4, 59, tzinfo=UTC), "2026-01-06T06:00:00+01:00"),
        (datetime(2026, 1, 6, 5, 0, tzinfo=UTC), None),
        (datetime(2026, 1, 5, 20, 59, tzinfo=UTC), None),
        # In summer the zone is two hours ahead.
        (datetime(2026, 7, 5, 20, 0, tzinfo=UTC), "2026-07-06T06:00:00+02:00"),
    ],
)
def test_quiet_hours_go_over_midnight_in_their_own_zone(at: datetime, ends: str | None) -> None:
    found = NIGHT.quiet_ends(at)

    assert (found and found.isoformat()) == ends


def test_quiet_hours_delay_automatic_runs_only(project: Project, ada: User) -> None:
    assert state(project).is_due
    now = utc_now().replace(second=0, microsecond=0)
    begin, end = (now - timedelta(hours=6)).time(), (now + timedelta(hours=6)).time()
    choose(project, TriggerPolicy(quiet_from=begin, quiet_until=end))

    held = state(project)

    assert (held.is_due, held.is_ready) == (False, True)
    assert held.missing[0].startswith(f"the end of the quiet hours, at {end:%H:%M} (UTC)")
    started = client_of(ada).post("/projects/letters/training/runs", data={"method": "head"})
    assert started.status_code == 303


def test_a_pause_after_a_run_delays_the_next_one(project: Project, ada: User) -> None:
    choose(project, TriggerPolicy(pause_minutes=30))
    ended(project, n_examples=32)
    label(project, ada, range(32, 60))

    held = state(project)

    assert not held.is_due
    assert held.missing[0].startswith("the end of the pause after run 1, at ")
    choose(project, TriggerPolicy())
    assert state(project).is_due


def test_a_minimum_per_label_can_be_required(ada: User) -> None:
    project = embedded_project()
    label(project, ada, range(25))
    choose(project, TriggerPolicy(per_label=7))

    missing = state(project).missing
    label(project, ada, range(25, 28))

    assert missing == (
        "1 more record of “Praise”",
        "1 more record of “Payment”",
        "1 more record of “Account”",
    )
    assert state(project).is_due


def test_the_form_keeps_what_was_chosen(project: Project, ada: User) -> None:
    browser = client_of(ada)
    sent = {
        "min_labels": 40,
        "has_auto_training": "true",
        "growth": "12.5",
        "per_label": 3,
        "pause_minutes": 10,
        "quiet_from": "22:00",
        "quiet_until": "06:30",
        "zone": "Europe/Berlin",
    }

    assert browser.post("/projects/letters/training/settings", data=sent).status_code == 303

    with read_session() as db:
        kept = db.get_one(Project, project.id)
    assert (kept.min_labels, kept.has_auto_training) == (40, True)
    assert TriggerPolicy.from_json(kept.policy) == TriggerPolicy(
        0.125, 3, 10, time(22), time(6, 30), "Europe/Berlin"
    )
    page = browser.get("/projects/letters/training").text
    assert 'value="06:30"' in page
    assert 'value="12.5"' in page


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"zone": "Mars/Olympus"}, "Unknown time zone “Mars/Olympus”"),
        ({"quiet_from": "22:00"}, "fill in both, or neither"),
        ({"growth": "101"}, "between 0 and 100 %"),
        ({"pause_minutes": "20000"}, "10,080 minutes (one week)"),
        ({"per_label": "-1"}, "between 0 and 1,000"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    admin: TestClient, sent: dict[str, str], words: str
) -> None:
    embedded_project()
    answer = admin.post("/projects/letters/training/settings", data={"min_labels": 25, **sent})

    assert answer.status_code == 422
    assert words in answer.text


def test_annotators_may_not_choose(project: Project) -> None:
    browser = client_of(make_user("ben", "annotator"))

    answer = browser.post("/projects/letters/training/settings", data={"min_labels": 30})

    assert answer.status_code == 403
