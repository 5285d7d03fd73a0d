"""On real news: a run's two plots are the notebook's, and say what the benchmarks measure."""

import json
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, select

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.ml.encoding.encoder import load_encoder
from app.ml.evaluation.per_query import KS
from app.ml.folds import make_folds
from app.ml.graph import build_neighbour_graph
from app.ml.heads.tuning import tune
from app.ml.label_inference.naive_bayes import build_word_features
from app.ml.recipe import Recipe
from app.models import Embedding, Label, Record, TrainingRun
from app.projects.labels import add_label
from app.search.versions import get_or_create_raw_version
from app.training.pipeline import steps as loop
from app.training.pipeline.query_results import find_query_results
from app.training.pipeline.snapshot import freeze
from tests.conftest import SHARED, client_of, make_project, make_user

NEWS = SHARED / "data" / "agnews" / "test.json"
N = 4_200
AT_ONCE = 500

pytestmark = [
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.skipif(not NEWS.exists(), reason="needs AG News in the shared folder"),
]


def test_the_notebooks_plots_are_there_and_equal_the_benchmarks(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")
    from corpora import ignore_progress
    from scores import purity

    ada, project = make_user("ada", "admin"), make_project("news")
    rows = json.loads(NEWS.read_text())[:N]
    texts = [f"{row['Title']}. {row['Description']}" for row in rows]
    vectors = load_encoder("all-MiniLM-L6-v2").encode(texts)
    with write_session() as db:
        raw = get_or_create_raw_version(db, project)
        db.execute(
            insert(Record),
            [
                {
                    "project_id": project.id,
                    "external_id": f"n{i}",
                    "text": text,
                    "content_hash": f"{i:064x}",
                    "fields": {},
                }
                for i, text in enumerate(texts)
            ],
        )
        ids = list(db.scalars(select(Record.id).order_by(Record.id)))
        db.execute(
            insert(Embedding),
            [
                {
                    "version_id": raw.id,
                    "record_id": i,
                    "content_hash": f"{row:064x}",
                    "vector": vectors[row].astype("<f4").tobytes(),
                }
                for row, i in enumerate(ids)
            ],
        )
        for name in sorted({row["label"] for row in rows}):
            add_label(db, project.id, name, None)
    with read_session() as db:
        labels = {label.name: label.id for label in db.scalars(select(Label))}
    for start in range(0, N, AT_ONCE):
        says = [
            AnnotationInput(ids[i], "label", (labels[rows[i]["label"]],))
            for i in range(start, min(start + AT_ONCE, N))
        ]
        with write_session() as db:
            annotate(db, project, ada.id, says, key=f"news-{start}")
    client = client_of(ada)
    assert client.post("/api/v1/projects/news/runs", json={}).status_code == 201
    with read_session() as db:
        run_id = db.scalars(select(TrainingRun.id)).one()
        examples = freeze(db, project, raw).examples(np.array(ids), is_multi_label=False)
    for _, step in loop.STEPS:
        step(run_id)

    address = "/api/v1/projects/news/runs/1/plots"
    curve = client.get(f"{address}/top_k").json()
    violin = client.get(f"{address}/top_1k").json()

    points = [dict(zip(curve["columns"], row, strict=True)) for row in curve["rows"]]
    assert [point["k"] for point in points] == list(KS)
    assert {point["n"] for point in points} == {len(violin["rows"])}
    assert 990 <= len(violin["rows"]) <= 1_002
    assert points[0]["tuned"] > points[0]["raw"] + 0.02
    assert points[5]["tuned"] > points[5]["raw"] + 0.15
    with read_session() as db:
        measured = find_query_results(db, db.get_one(TrainingRun, run_id))
    assert measured is not None
    asked = np.searchsorted(np.array(ids), measured.record_ids[measured.at])
    graph, words = build_neighbour_graph(vectors), build_word_features(texts)
    expected = {"raw": np.zeros(len(KS)), "tuned": np.zeros(len(KS))}
    for shown, hidden in make_folds(examples, 3, 0):
        queries = np.flatnonzero(np.isin(hidden, asked))
        head = tune(vectors, examples.take(shown), Recipe(), ignore_progress, graph, words)
        for name, of in (("raw", vectors[hidden]), ("tuned", head.tune(vectors[hidden]))):
            told = purity(of, examples.classes[hidden], queries)
            share = len(queries) / len(asked)
            expected[name] += share * np.array([told[f"top_{k}"] for k in KS])
    for name, figures in expected.items():
        assert [point[name] for point in points] == pytest.approx(figures.tolist(), abs=2e-3)
