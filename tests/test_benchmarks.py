"""The scripts that measure: they count as the house counts, and the page shows what they kept."""

from pathlib import Path

import numpy as np
import pytest

from app.ml.evaluation.classification import count_matches, score_agreement
from app.ml.evaluation.ranking import r_precision_each, rank_hits, top_k_each
from app.ml.vectors import unit_rows

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _scripts_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def test_benchmarks_score_as_the_product_does() -> None:
    from scores import purity

    rng = np.random.default_rng(3)
    classes = rng.integers(0, 3, 120)
    vectors = unit_rows((rng.standard_normal((120, 6)) + np.eye(6)[classes]).astype(np.float32))

    found = purity(vectors, classes, np.arange(120))

    hits = rank_hits(vectors, classes)
    assert found["top_10"] == pytest.approx(top_k_each(hits, 10).mean())
    assert found["top_100"] == pytest.approx(top_k_each(hits, 100).mean())
    assert found["r_precision"] == pytest.approx(r_precision_each(hits).mean())


def test_benchmarks_judge_suggestions_as_the_product_does() -> None:
    from scores import rightness

    rng = np.random.default_rng(4)
    true, suggested = rng.integers(0, 5, 300), rng.integers(1, 7, 300)

    found = rightness(true, suggested)

    marks = np.eye(7, dtype=bool)
    product = count_matches(marks[suggested], marks[true])
    assert found["accuracy"] == pytest.approx(score_agreement(marks[suggested], marks[true]).mean())
    assert found["macro_f1"] == pytest.approx(float(product.macro(product.f1)))


def test_rare_classes_count_as_much_as_common_ones_in_the_macro_mean() -> None:
    from scores import purity

    # Eight of one class side by side; two of another, far from each other.
    vectors = np.eye(3, dtype=np.float32)[[0] * 8 + [1, 2]]
    classes = np.array([0] * 8 + [1] * 2)

    found = purity(vectors, classes, np.arange(10))

    assert found["r_precision"] == pytest.approx(0.8)
    assert found["macro_r_precision"] == pytest.approx(0.5)


def test_a_line_takes_the_place_of_the_older_one_of_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import results_store
    from results_store import Spent
    from tuning_table import Line, load_lines, store_lines

    monkeypatch.setattr(results_store, "ROOT", tmp_path)
    monkeypatch.setattr(results_store, "RESULTS", tmp_path)
    spent = Spent(1.0, 2.0)
    older = Line.of("news", "head", "random", 25, [{"top_5": 0.5}], spent, 100.0)
    other = Line.of("news", "head", "random", 50, [{"top_5": 0.6}], spent, 100.0)
    newer = Line.of("news", "head", "random", 25, [{"top_5": 0.7}, {"top_5": 0.9}], spent, 100.0)

    store_lines("tuning", [older, other])
    store_lines("tuning", [newer])

    assert load_lines("tuning") == [newer, other]
    assert newer.scores == {"top_5": pytest.approx(0.8)}
    assert newer.spread == {"top_5": pytest.approx(0.1)}


def test_larger_sets_keep_the_real_records_and_add_ones_between_neighbours() -> None:
    from corpora import Corpus
    from scale import grown

    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.standard_normal((40, 8)).astype(np.float32))
    real = Corpus("real", vectors, rng.integers(0, 2, 40), ("a", "b"), 40, 0)

    larger = grown(real, 100)

    assert np.array_equal(larger.vectors[:40], vectors)
    assert np.array_equal(larger.classes[40:80], real.classes)
    own = (larger.vectors[40:80] * vectors).sum(axis=1)
    assert own.max() < 0.9999
    assert own.min() > 0.3


def test_the_figures_page_shows_the_stored_results() -> None:
    from figures import PAGE, renewed

    page = PAGE.read_text()

    assert renewed(page) == page
