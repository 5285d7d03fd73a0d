"""The training dashboard and its API, through the door that a browser or a program uses."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.db.session import read_session, write_session
from app.models import Activation, Project, TrainingRun, User, Version
from app.search.index_revisions import write_index
from app.search.versions import find_active_version
from app.training.pipeline import steps as loop
from tests.conftest import client_of, make_user
from tests.training.conftest import embedded_project, label

API = "/api/v1/projects/letters"
FRAGMENT = {"HX-Request": "true"}


def run_once(client: TestClient) -> None:
    assert client.post(f"{API}/runs", json={}).status_code == 201
    with read_session() as db:
        run_id = db.scalars(select(TrainingRun.id).where(TrainingRun.status == "queued")).one()
    for _, step in loop.STEPS:
        step(run_id)


def test_an_admin_starts_a_run_and_sees_its_figures(project: Project, ada: User) -> None:
    client = client_of(ada)

    started = client.post("/projects/letters/training/runs", data={"method": "head", "passes": "4"})
    assert (started.status_code, started.headers["location"]) == (
        303,
        "/projects/letters/training/runs/1",
    )
    waiting = client.get("/projects/letters/training/runs/1").text
    with read_session() as db:
        run_id = db.scalars(select(TrainingRun.id)).one()
    for _, step in loop.STEPS:
        step(run_id)
    done = client.get("/projects/letters/training/runs/1").text
    dashboard = client.get("/projects/letters/training").text

    assert 'hx-trigger="load delay:1s"' in waiting
    assert "No worker is running" in waiting
    assert "load delay" not in done
    assert "It was activated." in done
    assert done.count("n = 32") >= 6
    assert "All hyperparameters, 1 changed" in done
    assert "default: 8" in done
    assert dashboard.count("Roll back") == 1
    assert "Yes, this run helped." in done


def test_missing_requirements_are_listed(ada: User) -> None:
    project = embedded_project()
    client = client_of(ada)

    nothing = client.get(f"{API}/readiness").json()
    label(project, ada, range(0, 12, 4))  # Three records of the first label.
    one_label = client.get(f"{API}/readiness").json()
    label(project, ada, range(1, 12, 4))
    ready = client.get(f"{API}/readiness").json()
    refused = client_of(ada).get("/projects/letters/training").text

    assert nothing["missing"] == ["two labels with at least 2 records each"]
    assert one_label["missing"] == ["a second label with at least 2 records"]
    assert (ready["is_ready"], ready["is_due"]) == (True, False)
    assert ready["missing"] == ["19 more new or changed labels"]
    assert "19 more new or changed labels" in refused


def test_too_early_a_request_is_refused_with_one_sentence(ada: User) -> None:
    embedded_project()

    answer = client_of(ada).post(f"{API}/runs", json={})

    assert answer.status_code == 409
    assert answer.json()["title"] == (
        "Training cannot start yet. Still missing: two labels with at least 2 records each."
    )


def test_a_second_run_waits_for_the_first(project: Project, ada: User) -> None:
    client = client_of(ada)
    first = client.post(f"{API}/runs", json={})

    second = client.post(f"{API}/runs", json={})

    assert first.json()["status"] == "queued"
    assert (second.status_code, second.json()["title"]) == (
        409,
        "Run 1 is already queued or running.",
    )


def test_a_recipe_out_of_range_is_named(project: Project, ada: User) -> None:
    client = client_of(ada)

    by_api = client.post(f"{API}/runs", json={"recipe": {"alpha": 3}})
    unknown = client.post(f"{API}/runs", json={"recipe": {"magic": 3}})
    by_form = client.post("/projects/letters/training/runs", data={"passes": "0"})

    assert (by_api.status_code, unknown.status_code, by_form.status_code) == (422, 422, 422)
    assert "alpha" in by_api.json()["title"]
    assert "magic" in unknown.json()["title"]
    assert "passes" in by_form.text


def test_versions_are_activated_and_rolled_back_with_one_click(project: Project, ada: User) -> None:
    client = client_of(ada)
    run_once(client)

    back = client.post("/projects/letters/training/rollback")
    with read_session() as db:
        after_back = find_active_version(db, project.id)
    forth = client.post("/projects/letters/training/versions/2/activate")
    twice = client.post("/projects/letters/training/versions/2/activate")

    assert (back.status_code, forth.status_code, twice.status_code) == (303, 303, 409)
    assert after_back is not None
    assert after_back.number == 1
    with read_session() as db:
        active = find_active_version(db, project.id)
        assert active is not None
        assert active.number == 2
        assert (
            db.scalars(select(Activation.user_id).order_by(Activation.id.desc())).first() == ada.id
        )


def test_the_api_returns_raw_and_tuned_metrics_of_a_run(project: Project, ada: User) -> None:
    client = client_of(ada)
    run_once(client)

    told = client.get(f"{API}/runs/1").json()
    listed = client.get(f"{API}/runs").json()

    assert (told["status"], told["version"], told["n_examples"]) == ("succeeded", 2, 32)
    assert [s["metric"] for s in told["raw"]] == [s["metric"] for s in told["tuned"]]
    assert all(s["n"] == 32 and s["low"] <= s["value"] <= s["high"] for s in told["tuned"])
    assert listed == [told]
    assert client.get(f"{API}/runs/2").status_code == 404
    assert client.get(f"{API}/runs/99999999999999999999").status_code == 404


def test_a_queued_run_is_cancelled_at_once_and_can_be_tried_again(
    project: Project, ada: User
) -> None:
    client = client_of(ada)
    client.post(f"{API}/runs", json={})

    cancelled = client.post("/projects/letters/training/runs/1/cancel")
    after = client.get(f"{API}/runs/1").json()
    twice = client.post(f"{API}/runs/1/cancel")
    again = client.post(f"{API}/runs/1/retry").json()

    assert cancelled.status_code == 303
    assert after["status"] == "cancelled"
    assert (twice.status_code, twice.json()["title"]) == (409, "Run 1 has already ended.")
    assert (again["status"], again["attempt"], again["number"]) == ("queued", 2, 1)


def test_a_running_run_without_a_worker_is_cancelled_at_once(project: Project, ada: User) -> None:
    client = client_of(ada)
    client.post(f"{API}/runs", json={})
    with write_session() as db:
        db.execute(update(TrainingRun).values(status="running", stage="tune"))

    assert client.post(f"{API}/runs/1/cancel").json()["status"] == "cancelled"


def test_annotators_look_and_do_not_start(project: Project) -> None:
    client = client_of(make_user("ben", "annotator"))

    assert client.get("/projects/letters/training").status_code == 200
    assert client.post("/projects/letters/training/runs", data={}).status_code == 403
    assert client.post(f"{API}/runs", json={}).status_code == 403
    assert client.post("/projects/letters/training/rollback").status_code == 403
    assert client.get("/api/v1/projects/other/runs").status_code == 404


def test_settings_control_automatic_runs(project: Project, ada: User) -> None:
    client = client_of(ada)

    saved = client.post("/projects/letters/training/settings", data={"min_labels": "40"})
    wrong = client.post("/projects/letters/training/settings", data={"min_labels": "1"})

    assert (saved.status_code, wrong.status_code) == (303, 422)
    with read_session() as db:
        ours = db.get_one(Project, project.id)
    assert (ours.min_labels, ours.has_auto_training) == (40, False)


def test_the_dashboard_polls_while_a_run_moves_and_then_loads_anew(
    project: Project, ada: User
) -> None:
    client = client_of(ada)
    client.post(f"{API}/runs", json={})

    moving = client.get("/projects/letters/training", headers=FRAGMENT)
    client.post(f"{API}/runs/1/cancel")
    ended = client.get("/projects/letters/training", headers=FRAGMENT)

    assert "load delay:1s" in moving.text
    assert "HX-Refresh" not in moving.headers
    assert ended.headers["HX-Refresh"] == "true"


def test_every_number_of_a_run_is_shown(project: Project, ada: User) -> None:
    client = client_of(ada)
    run_once(client)

    told = client.get(f"{API}/runs/1/evaluations").json()
    page = client.get("/projects/letters/training/runs/1/figures").text

    by_role = {(e["role"], e["metric"], e["k"]): e for e in told if e["label"] is None}
    raw, tuned = by_role["raw", "r_precision", None], by_role["tuned", "r_precision", None]
    gain = by_role["over_raw", "r_precision", None]
    assert gain["value"] == pytest.approx(tuned["value"] - raw["value"])
    assert gain["low"] <= gain["value"] <= gain["high"]
    assert 0.1 < raw["chance"] < 0.3
    of_labels = {e["label"] for e in told if (e["role"], e["metric"]) == ("tuned", "label_recall")}
    assert of_labels == {"Delivery", "Payment", "Account", "Praise"}
    right = [e for e in told if e["metric"] == "confusion" and e["label"] == e["suggested"]]
    assert {e["role"] for e in right} == {"raw", "tuned"}
    assert all(e["n"] == 8 for e in right)
    for metric in ("macro_f1", "calibration_error", "capped_top_k", "rbo", "gain_of_more"):
        assert metric in page
    assert client.get(f"{API}/runs/2/evaluations").status_code == 404


def test_advice_names_starved_labels_and_what_more_labels_would_bring(ada: User) -> None:
    project = embedded_project()
    client = client_of(ada)
    nothing = client.get(f"{API}/training/advice").json()
    label(project, ada, range(0, 40, 4))
    label(project, ada, range(1, 40, 4))
    label(project, ada, range(2, 12, 4))
    run_once(client)

    told = client.get(f"{API}/training/advice").json()
    page = client.get("/projects/letters/training").text

    assert (nothing["starved"], nothing["gain"], nothing["run"]) == ([], None, None)
    assert [(each["name"], each["n_labeled"], each["n_wanted"]) for each in told["starved"]] == [
        ("Praise", 0, 5),
        ("Account", 3, 2),
    ]
    assert told["starved"][0]["next_step"] == "Search for “Praise” and label 5 records."
    assert told["starved"][1]["next_step"].startswith("Start a session from “Account” and label 2")
    assert (told["run"], told["gain"]["k"], told["is_enough"]) == (1, 25, False)
    assert [point["k"] for point in told["curve"]] == sorted(p["k"] for p in told["curve"])
    assert "25 more labels would likely raise accuracy by about " in told["sentences"][-1]
    for sentence in told["sentences"][bool(told["missing"]) :]:
        assert sentence in page


def test_the_holdout_sample_measures_every_version(project: Project, ada: User) -> None:
    """The stream takes in the 32 records that are labeled, and 60 more: none teaches the run."""
    client = client_of(ada)
    with write_session() as db:
        db.get_one(Project, project.id).holdout_until = f"{91:064x}"
    label(project, ada, range(32, 92))
    label(project, ada, range(92, 132))
    with read_session() as db:
        raw_id = db.scalars(select(Version.id)).one()
    write_index(raw_id)
    before = client.get(f"{API}/training/holdout").json()

    run_once(client)

    run = client.get(f"{API}/runs/1").json()
    now = client.get(f"{API}/training/holdout").json()
    raw = client.get(f"{API}/training/holdout", params={"version": 1}).json()
    stored = {(e["role"], e["metric"]): e for e in client.get(f"{API}/runs/1/evaluations").json()}
    assert run["n_examples"] == 40
    assert (now["n_records"], now["n_labeled"], now["version"]) == (92, 92, 2)
    assert [s["metric"] for s in before["scores"]] == ["holdout_r_precision"]
    accuracy = next(s for s in now["scores"] if s["metric"] == "holdout_accuracy")
    assert accuracy["n"] == 92
    assert accuracy["value"] == pytest.approx(
        stored["tuned", "holdout_accuracy"]["value"], abs=0.02
    )
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert stored["tuned", "holdout_accuracy"]["value"] > stored["raw", "holdout_accuracy"]["value"]
    assert raw["scores"][0]["value"] == pytest.approx(
        stored["raw", "holdout_r_precision"]["value"], abs=0.02
    )
    assert "In the hold-out sample of 92 records" in run["verdict"]


def test_records_a_version_trained_on_are_not_in_its_holdout_sample(
    project: Project, ada: User
) -> None:
    client = client_of(ada)
    run_once(client)
    with write_session() as db:
        db.get_one(Project, project.id).holdout_until = f"{51:064x}"
    label(project, ada, range(32, 52))

    told = client.get(f"{API}/training/holdout").json()

    assert told["n_labeled"] == 52
    assert {score["n"] for score in told["scores"]} == {20}


def test_a_second_version_is_measured_against_the_first(project: Project, ada: User) -> None:
    client = client_of(ada)
    run_once(client)
    label(project, ada, range(32, 92))
    run_once(client)

    told = client.get(f"{API}/runs/2").json()
    numbers = client.get(f"{API}/runs/2/evaluations").json()

    active = next(s for s in told["active"] if s["metric"] == "accuracy")
    assert active["n"] == 60  # Those labeled since the first version alone.
    over = next(e for e in numbers if (e["role"], e["metric"]) == ("over_active", "evidence"))
    assert over["n"] == 60
    assert " v2 on 60 labels new to both." in told["verdict"]
