"""What a run brought: words, plots, tables and downloads, and that they say the same."""

import csv
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.db.session import read_session, write_session
from app.models import Artifact, LabelingSession, Project, Record, SessionItem, TrainingRun, User
from app.storage import verified_path
from app.training.pipeline import steps as loop
from app.training.pipeline.query_results import _read_results, find_query_results
from app.training.runs.devices import read_device, write_device
from tests.conftest import client_of
from tests.saved_state import build_once
from tests.training.conftest import clusters, embedded_project, label, record_ids

pytestmark = pytest.mark.once

API = "/api/v1/projects/letters/runs/1"
RUN = "/projects/letters/training/runs/1"
NAMES = ("Delivery", "Payment", "Account", "Praise")


def carry_out(client: TestClient, slug: str = "letters") -> None:
    assert client.post(f"/api/v1/projects/{slug}/runs", json={}).status_code == 201
    with read_session() as db:
        run_id = db.scalars(select(TrainingRun.id).where(TrainingRun.status == "queued")).one()
    for _, step in loop.STEPS:
        step(run_id)


@pytest.fixture
def client(ada: User) -> TestClient:
    """120 of 320 records are labeled, a page of 20 accepted at once among them; one desk says the
    same as the labels, the other does not."""
    build_once("figures", lambda: _build_project(ada))
    return client_of(ada)


def _build_project(user: User) -> None:
    project = embedded_project(noise=0.25)
    label(project, user, range(120))
    with write_session() as db:
        for row, record_id in enumerate(record_ids(project)):
            fields = {"desk": f"desk {row % 3}", "topic": NAMES[row % 4], "no": str(row)}
            db.execute(update(Record).where(Record.id == record_id).values(fields=fields))
    carry_out(client_of(user))


def test_a_run_page_has_a_summary_and_every_plot_as_csv_and_svg(
    client: TestClient,
) -> None:
    page, story = client.get(RUN).text, client.get(f"{API}/summary").json()
    figures = client.get(f"{RUN}/figures").text
    plots = {plot["name"]: plot for plot in client.get(f"{API}/plots").json()}
    told = {
        (e["role"], e["metric"], e["k"]): e
        for e in client.get(f"{API}/evaluations").json()
        if e["label"] is None
    }

    assert (story["answer"], story["kind"]) == ("Yes, this run helped.", "good")
    assert story["answer"] in page
    gain = told["over_raw", "r_precision", None]
    assert f"{100 * gain['value']:+.1f} points" in story["how_much"][0]
    assert "n = 120" in story["how_much"][0]
    assert story["for_which"][0].startswith("Clearly better: ")
    assert "samples of the 120 held-out labeled records" in story["how_sure"][0]
    assert set(plots) == {
        "headline",
        "balance",
        "ranking",
        "suggestions",
        "top_k",
        "top_1k",
        "top_1k_by_label",
        "labels",
        "segments",
        "calibration",
        "confusion",
    }
    assert all(f'id="plot-{name}"' in page + figures for name in plots)
    assert "probe_overlap" in figures
    assert "High neighbour retention" in figures
    for name, plot in plots.items():
        saved = client.get(f"{RUN}/plots/{name}.csv")
        rows = list(csv.reader(io.StringIO(saved.text)))
        assert rows[0] == plot["columns"]
        assert len(rows) == 1 + len(plot["rows"])
        drawing = client.get(f"{RUN}/plots/{name}.svg")
        assert "attachment" in drawing.headers["content-disposition"]
        assert drawing.headers["content-type"].startswith("image/svg+xml")
        shapes = list(ElementTree.fromstring(drawing.text))
        assert len(shapes) > 8
        assert not any("class" in shape.attrib for shape in shapes)
    assert client.get(f"{RUN}/plots/nothing.svg").status_code == 404
    numbers = list(csv.DictReader(io.StringIO(client.get(f"{RUN}/evaluations.csv").text)))
    assert len(numbers) == len(client.get(f"{API}/evaluations").json())
    headline = next(e for e in numbers if (e["role"], e["metric"]) == ("over_raw", "r_precision"))
    assert float(headline["value"]) == pytest.approx(gain["value"])
    assert client.get(f"{API}/plots/top_k").json() == plots["top_k"]


def test_plots_show_what_was_measured_query_by_query(client: TestClient) -> None:
    plots = {plot["name"]: plot for plot in client.get(f"{API}/plots").json()}
    with read_session() as db:
        measured = find_query_results(db, db.scalars(select(TrainingRun)).one())

    assert measured is not None
    assert measured.n == 120
    curve, spread = plots["top_k"], plots["top_1k"]
    of_k = {row[0]: dict(zip(curve["columns"], row, strict=True)) for row in curve["rows"]}
    assert list(of_k) == [5, 10, 25, 50]
    k = spread["rows"][0][2]
    assert k == 10  # Deeper, the fourteen alike would be too few to fill it.
    for role, column in (("raw", 3), ("tuned", 4)):
        each = [row[column] for row in spread["rows"]]
        assert len(each) == of_k[k]["n"] == 120
        assert np.mean(each) == pytest.approx(of_k[k][role], abs=1e-6)
        assert of_k[k][f"{role}_low"] <= of_k[k][role] <= of_k[k][f"{role}_high"]
    assert of_k[10]["tuned"] > of_k[10]["raw"] + 0.02
    assert 0.2 < of_k[5]["chance"] < 0.3
    assert of_k[5]["possible"] == 1.0
    assert of_k[25]["possible"] < 0.6
    truth = dict(zip(measured.record_ids.tolist(), measured.targets.argmax(axis=1), strict=True))
    _, classes = clusters(0.25)
    assert [classes[i - min(truth)] for i in truth] == list(truth.values())
    told = sum(row[0] for row in plots["calibration"]["rows"])
    assert told == 240  # Halves are drawn twice; who got the same both times stands once.
    assert 120 <= len(measured.suggested["tuned"]) < 240


def test_what_is_taken_for_what_opens_as_a_session(client: TestClient) -> None:
    cells = client.get(f"{API}/confusion").json()
    figures = client.get(f"{RUN}/figures").text
    wrong = next(cell for cell in cells if cell["true"] != cell["suggested"])
    form = re.search(
        rf'<form method="post" action="([^"]+)">\s*'
        rf'<input type="hidden" name="seed_kind" value="given">\s*'
        rf'<input type="hidden" name="title" value="({wrong["true"]} suggested as '
        rf'{wrong["suggested"]})">\s*<input type="hidden" name="record_ids" value="([\d,]+)">',
        figures,
    )

    assert form is not None
    sent = {"seed_kind": "given", "title": form[2], "record_ids": form[3]}
    opened = client.post(form[1], data=sent)

    assert opened.status_code == 303
    with read_session() as db:
        session = db.scalars(select(LabelingSession)).one()
        places = select(SessionItem.record_id).order_by(SessionItem.rank)
        assert list(db.scalars(places)) == wrong["record_ids"]
    assert session.title == form[2]
    right = sum(cell["n"] for cell in cells if cell["true"] == cell["suggested"])
    assert right > sum(cell["n"] for cell in cells) / 2


def test_changes_show_old_and_new_neighbours_and_who_entered(client: TestClient) -> None:
    told = client.get(f"{API}/changes").json()

    assert 0 < len(told["improved"]) <= 10
    best = told["improved"][0]
    assert best["tuned"] > best["raw"]
    assert len(best["before"]) == len(best["after"]) == 10
    before = {each["record_id"] for each in best["before"]}
    for each in best["after"]:
        assert each["move"] == ("stays" if each["record_id"] in before else "entered")
        assert each["is_like"] == (each["label"] == best["label"])
    likes = [sum(each["is_like"] for each in best[side]) for side in ("before", "after")]
    assert likes[1] > likes[0]
    assert best["text"].startswith("text ")
    gains = [each["tuned"] - each["raw"] for each in told["improved"]]
    assert gains == sorted(gains, reverse=True)
    assert all(each["tuned"] < each["raw"] for each in told["worsened"])


def test_segments_come_from_informative_fields_with_few_values(
    client: TestClient,
) -> None:
    gains = client.get(f"{API}/gains").json()

    segments = [each for each in gains if each["field"] and each["metric"] == "r_precision"]
    labels = [each for each in gains if not each["field"] and each["metric"] == "accuracy"]
    assert {each["field"] for each in segments} == {"desk"}
    assert {each["of"]: each["n"] for each in segments} == {f"desk {i}": 40 for i in range(3)}
    assert {each["of"] for each in labels} == set(NAMES)
    assert all(each["low"] <= each["value"] <= each["high"] for each in gains)


def test_a_run_keeps_what_it_learned_from(client: TestClient) -> None:
    told, page = client.get(f"{API}/dataset").json(), client.get(RUN).text
    log = client.get(f"{API}/log").json()

    assert (told["n_records"], told["n_with_vector"], told["n_examples"]) == (320, 320, 120)
    assert (told["n_groups"], told["n_duplicates"], told["left_out"]) == (120, 0, [])
    assert {each["name"]: each["n"] for each in told["labels"]} == dict.fromkeys(NAMES, 30)
    assert sum(each["log_share"] for each in told["labels"]) == pytest.approx(1)
    assert [(each["n_shown"], each["n_hidden"]) for each in told["splits"]] == [(60, 60)] * 2
    assert "Training data" in page
    assert log[0]["stage"] == "collect"
    assert "Learning from 120 labeled records" in "".join(each["message"] for each in log)


def test_the_report_names_what_does_not_teach_and_why(ada: User) -> None:
    project = embedded_project()
    label(project, ada, range(0, 60, 2))  # The first and the third label.
    label(project, ada, range(1, 2))  # One record of the second.
    with write_session() as db:
        db.get_one(Project, project.id).holdout_until = f"{9:064x}"
        texts = select(Record.id).where(Record.project_id == project.id).order_by(Record.id)
        ids = list(db.scalars(texts))
        twin = db.get_one(Record, ids[20])
        same = {"content_hash": twin.content_hash, "text": twin.text}
        db.execute(update(Record).where(Record.id == ids[22]).values(same))
    made = client_of(ada)

    carry_out(made)

    told = made.get(f"{API}/dataset").json()
    assert told["left_out"] == [
        {"rule": "in the hold-out sample, which is never trained on", "n": 6}
    ]
    assert (told["n_examples"], told["n_duplicates"], told["n_groups"]) == (25, 1, 24)
    assert told["n_contradictions"] == 1
    rules = {each["name"]: each["rule"] for each in told["dropped"]}
    assert set(rules) == {"Payment", "Praise"}
    assert rules["Praise"].startswith("no labeled record")


def test_a_run_without_measurements_shows_the_reason(ada: User) -> None:
    project = embedded_project()
    label(project, ada, range(6))
    made = client_of(ada)

    carry_out(made)

    page, figures = made.get(RUN).text, made.get(f"{RUN}/figures").text
    assert "This run could not be evaluated." in page
    assert "Not evaluated" in figures
    assert {plot["name"] for plot in made.get(f"{API}/plots").json()} == {"balance"}
    assert made.get(f"{API}/changes").json() == {"improved": [], "worsened": []}
    assert made.get(f"{API}/gains").json() == made.get(f"{API}/confusion").json() == []


def test_a_damaged_results_file_leaves_the_rest_of_the_page(client: TestClient) -> None:
    with read_session() as db:
        file = db.scalars(select(Artifact).where(Artifact.kind == "figures")).one()
        path = verified_path(file.file, file.sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    _read_results.cache_clear()  # Another test may have read the file with this hash.

    page = client.get(f"{RUN}/figures")

    assert page.status_code == 200
    assert 'id="plot-ranking"' in page.text
    assert 'id="plot-top_k"' not in page.text


def test_the_dashboard_shows_the_workers_device(client: TestClient) -> None:
    before = client.get("/projects/letters/training").text
    write_device()

    after = client.get("/projects/letters/training").text

    device = read_device()
    assert device is not None
    assert "unknown until a worker has started" in before
    assert f"{device.name}, {device.memory_gb:.0f} GB memory" in after
    assert "offline</span> never started" in after
    assert after.count("<button form=") == 1
