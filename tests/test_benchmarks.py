"""The scripts that measure: they count as the house counts, and the page shows what they kept."""

import hashlib
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
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


def serve_bytes(content: bytes) -> HTTPServer:
    """Serve the same content at every address below /data; anything else is not found."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.startswith("/data") else 404)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_data_are_fetched_once_and_verified(tmp_path: Path) -> None:
    from fetch import NotFetched, Source, fetch

    server = serve_bytes(b"[1, 2]")
    address = f"http://127.0.0.1:{server.server_port}/data"
    good = Source("set/a.json", hashlib.sha256(b"[1, 2]").hexdigest(), "free", address)

    assert fetch(good, tmp_path) == "written. free."
    assert (tmp_path / "set" / "a.json").read_bytes() == b"[1, 2]"
    changed = replace(good, path="set/b.json", sha256="0" * 64)
    with pytest.raises(NotFetched, match=r"changed or was damaged\. Nothing was written"):
        fetch(changed, tmp_path)
    with pytest.raises(NotFetched, match="cannot be read: Not Found"):
        fetch(replace(changed, address=address.replace("data", "gone")), tmp_path)
    server.shutdown()
    server.server_close()

    assert fetch(good, tmp_path) == "already there"
    with pytest.raises(NotFetched, match=r"cannot be read: .*refused"):
        fetch(changed, tmp_path)
    (tmp_path / "set" / "a.json").write_bytes(b"[]")
    with pytest.raises(NotFetched, match="is not the file that the figures were measured on"):
        fetch(good, tmp_path)
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["a.json"]


def test_what_asks_for_an_account_is_converted_from_a_file(tmp_path: Path) -> None:
    from fetch import NotFetched, Source, fetch

    written = b'query,intent\nfly to boston,atis_flight\n"one, two",atis_quantity\n'
    source = Source("atis/intents.csv", hashlib.sha256(written).hexdigest(), "research")
    file = tmp_path / "atis_intents.csv"
    file.write_text('atis_flight, fly to boston\natis_quantity, "one, two"\n')

    with pytest.raises(NotFetched, match="run this again with --atis FILE"):
        fetch(source, tmp_path)
    with pytest.raises(NotFetched, match="cannot be read: No such file"):
        fetch(source, tmp_path, tmp_path / "missing.csv")
    fetch(source, tmp_path, file)

    assert (tmp_path / "atis" / "intents.csv").read_bytes() == written


@pytest.mark.slow
def test_every_script_runs_on_small_data() -> None:
    smoke = subprocess.run([sys.executable, "benchmarks/smoke.py"], cwd=ROOT, check=False)

    assert smoke.returncode == 0


def test_every_script_is_listed() -> None:
    from smoke import RUNS

    listed = (ROOT / "benchmarks" / "README.md").read_text()
    scripts = [
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if '__name__ == "__main__"' in path.read_text()
    ]

    helpers = {"smoke", "fetch", "gallery"}
    assert {name for name in scripts if f"`{name}.py`" not in listed} <= {"smoke", "fetch"}
    assert set(scripts) - helpers == set(RUNS)
