"""A deep run asked for, foretold and watched: on the page, through the API, in its picture."""

import json

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from typer.testing import CliRunner, Result

from app.cli import app
from app.db.session import read_session, write_session
from app.ml.deep.recipe import DeepRecipe
from app.models import LossPoint, Project, TrainingRun
from app.search.embedding_speed import EmbeddingSpeed, read_speed, record_speed
from app.training.plots.lines import plot_losses
from app.training.runs import runs
from app.training.runs.estimates import estimate_duration
from tests.conftest import client_of, make_user
from tests.training.conftest import embedded_project, label

PAGE = "/projects/letters/training"
API = "/api/v1/projects/letters"


@pytest.fixture
def project(database: str) -> Project:
    made = embedded_project()
    label(made, make_user("ben", "admin"), range(32))
    return made


@pytest.fixture
def browser(project: Project) -> TestClient:
    return client_of(make_user("ada", "admin"))


def recipe_of_newest() -> dict[str, object]:
    with read_session() as db:
        return db.scalars(select(TrainingRun)).one().recipe


def test_the_form_estimates_a_deep_run_before_it_starts(
    browser: TestClient, project: Project
) -> None:
    record_speed(project.id, 1_000, 100.0, has_gpu=False)

    page = browser.get(PAGE).text

    assert "A deep run would take about 3 minutes on the CPU" in page
    assert "to train on 320 of 320 records" in page
    assert '<option value="multiple_negatives">multiple negatives</option>' in page


def test_a_deep_run_is_requested_with_its_own_settings(browser: TestClient) -> None:
    sent = {
        "method": "deep",
        "seed": "7",
        "deep_seed": "3",
        "deep_subset": "",
        "deep_epochs": "2",
        "deep_loss": "batch_all",
        "deep_weights": "lora",
        "deep_learning_rate": "1e-3",
    }

    assert browser.post(f"{PAGE}/runs", data=sent).status_code == 303

    wanted = DeepRecipe(
        seed=3, epochs=2, loss="batch_all", weights="lora", learning_rate=1e-3
    ).as_json()
    assert recipe_of_newest() == wanted


def test_a_number_out_of_range_is_named(browser: TestClient) -> None:
    body = {"method": "deep", "recipe": {"epochs": 0}}

    refused = browser.post(f"{API}/runs", json=body)

    assert refused.status_code == 422
    assert "A recipe's epochs is a whole number from 1 to 100, not 0." in refused.text


def test_the_api_returns_estimate_run_and_losses(browser: TestClient) -> None:
    foretold = browser.get(f"{API}/deep-estimate").json()
    asked = browser.post(f"{API}/runs", json={"method": "deep", "recipe": {"subset": 100}})
    with write_session() as db:
        run = db.scalars(select(TrainingRun)).one()
        db.add(LossPoint(run_id=run.id, step=0, epoch=0.0, validation_loss=2.5))
        db.add(LossPoint(run_id=run.id, step=4, epoch=1.0, train_loss=2.0, validation_loss=1.5))

    losses = browser.get(f"{API}/runs/1/losses").json()
    page = browser.get(f"{PAGE}/runs/1").text

    assert (foretold["n_learned"], foretold["n_records"]) == (320, 320)
    assert asked.json()["recipe"]["subset"] == 100
    assert losses == [
        {"step": 0, "epoch": 0.0, "train_loss": None, "validation_loss": 2.5},
        {"step": 4, "epoch": 1.0, "train_loss": 2.0, "validation_loss": 1.5},
    ]
    assert 'class="plot-tuned-line" points="44,14 286,196"' in page
    assert "No overfitting: validation loss fell to the end, from 2.500 to 1.500" in page
    assert "Deep recipe, requested by ada" in page


def test_the_estimate_follows_speed_subset_and_epochs(project: Project) -> None:
    record_speed(project.id, 640, 64.0, has_gpu=True)
    with read_session() as db:
        whole = estimate_duration(db, project)
        part = estimate_duration(db, project, DeepRecipe(subset=160))
        twice = estimate_duration(db, project, DeepRecipe(epochs=2))

    assert read_speed(project.id) == EmbeddingSpeed(10.0, has_gpu=True)
    assert whole.embedding_minutes == pytest.approx(320 / 10 / 60)
    assert part.learning_minutes == pytest.approx(whole.learning_minutes / 2)
    assert 1.5 < twice.learning_minutes / whole.learning_minutes < 2
    assert "on the GPU" in whole.sentence


def test_too_few_texts_give_no_speed(project: Project) -> None:
    record_speed(project.id, 10, 1.0, has_gpu=False)

    assert read_speed(project.id).per_second == 60.0


def test_there_is_no_picture_of_one_point() -> None:
    assert plot_losses([LossPoint(run_id=1, step=0, epoch=0.0, validation_loss=1.0)]) is None


def test_losses_go_with_their_run(project: Project) -> None:
    with write_session() as db:
        run = runs.request_run(db, project, DeepRecipe())
        db.flush()
        db.add(LossPoint(run_id=run.id, step=1, epoch=0.5, train_loss=1.0))
    with read_session() as db:
        assert [p.train_loss for p in runs.load_losses(db, run.id)] == [1.0]
    with write_session() as db:
        db.delete(db.get_one(TrainingRun, run.id))
    with read_session() as db:
        assert db.scalars(select(LossPoint)).all() == []


def test_the_command_foretells_a_deep_run_and_takes_its_numbers(project: Project) -> None:
    asked = likewise(
        "train",
        "letters",
        "--method",
        "deep",
        "--set",
        "subset=100",
        "--set",
        "loss=cosine",
        "--json",
    )

    assert asked.exit_code == 0, asked.output
    assert "to train on 100 of 320 records" in asked.stderr
    assert json.loads(asked.stdout)["recipe"]["loss"] == "cosine"
    assert recipe_of_newest() == DeepRecipe(subset=100, loss="cosine").as_json()


def test_the_command_refuses_a_number_that_is_none(project: Project) -> None:
    refused = likewise("train", "letters", "--method", "deep", "--set", "epochs=many")

    assert refused.exit_code != 0
    assert "A recipe's epochs is a whole number from 1 to 100, not 'many'." in refused.output
    assert likewise("train", "letters", "--set", "epochs").exit_code == 2


def likewise(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))
