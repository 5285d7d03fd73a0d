"""Single queries: what plots are drawn from agrees with what the figures say."""

from pathlib import Path

import numpy as np
import pytest

from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.neighbour_retention import measure_retention, pick_probes
from app.ml.evaluation.per_query import DepthRecorder, compute_calibration_bins, compute_gains
from app.ml.evaluation.ranking import rank_hits, rank_nearest_hits
from app.ml.evaluation.splits import choose_depths, draw_partitions
from app.ml.evaluation.trial import HeadTrial
from app.ml.examples import Examples
from app.ml.heads.baselines import RawHead
from app.ml.vectors import unit_rows
from tests.ml.conftest import Crowd, examples_of

ROOT = Path(__file__).resolve().parents[3]


def silly(examples: Examples) -> Examples:
    """The same examples, of whom every two are one group."""
    return Examples(
        rows=examples.rows,
        classes=examples.classes,
        label_ids=examples.label_ids,
        groups=np.arange(len(examples)) // 2,
        weights=examples.weights,
    )


def test_rankings_of_some_rows_are_those_of_all(crowd: Crowd) -> None:
    groups = np.arange(600) // 3
    rows = np.array([0, 7, 599, 130])

    found = rank_nearest_hits(crowd.vectors, crowd.classes, rows, 40, groups=groups)

    every = rank_hits(crowd.vectors, crowd.classes, groups=groups)
    assert (found == every[rows, :40]).all()
    assert 0 < found.mean() < 1
    with pytest.raises(ValueError, match="no depth 600"):
        rank_nearest_hits(crowd.vectors, crowd.classes, rows, 600)


def test_the_curve_is_what_the_benchmarks_measure(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from scores import purity

    examples = examples_of(np.arange(600), crowd.classes, (11, 12, 13))
    better = unit_rows(crowd.vectors + 0.5 * np.eye(3, 24, dtype=np.float32)[crowd.classes])
    log = DepthRecorder(examples)

    log.record_fold(np.arange(600), crowd.vectors, better, n_folds=1)

    told = log.depths()
    assert told is not None
    assert (told.ks, len(told.at)) == ((5, 10, 25, 50, 100, 250, 500), 600)
    for vectors, found in ((crowd.vectors, told.raw), (better, told.tuned)):
        measured = purity(vectors, crowd.classes, np.arange(600))
        for i, k in enumerate(told.ks):
            assert found[:, i].mean() == pytest.approx(measured[f"top_{k}"])
    assert told.chance.tolist() == [199 / 599] * 600
    assert told.best[0].tolist() == pytest.approx([1, 1, 1, 1, 1, 199 / 250, 199 / 500])


def test_values_per_query_average_to_the_total(crowd: Crowd) -> None:
    examples = silly(examples_of(np.arange(0, 600, 2), crowd.classes[::2], (11, 12, 13)))
    draws = draw_partitions(examples, 0)
    trial = HeadTrial(crowd.vectors, examples, choose_depths(examples, draws), None)
    for draw in draws:
        trial.add_partition(draw, [RawHead(24)] * len(draw))

    outcome = trial.summarize()

    assert outcome.queries is not None
    told = {(s.metric, s.k): s.value for s in outcome.raw if s.label_id is None}
    values = outcome.queries.values
    assert np.nanmean(values["raw/r_precision"]) == pytest.approx(told["r_precision", None])
    assert np.nanmean(values["raw/top_k@10"]) == pytest.approx(told["top_k", 10])
    near = outcome.queries.neighbours["raw"]
    assert near.shape == (300, 10)
    assert (near >= 0).all()
    assert (near // 2 != (np.arange(300) // 2)[:, None]).all()  # Never of one's own group.
    assert {g.value for g in outcome.queries.by_label if g.metric == "r_precision"} == {0.0}
    assert [g.key for g in outcome.queries.by_label] == [11, 12, 13] * 2
    assert len(outcome.queries.suggested["raw"]) == 300
    assert outcome.queries.bins == ()


def test_gains_per_segment_have_intervals() -> None:
    rng = np.random.default_rng(0)
    raw = rng.random(400)
    tuned = raw + np.where(np.arange(400) < 200, 0.2, -0.1) + 0.01 * rng.normal(size=400)
    tuned[399] = np.nan
    masks = np.stack([np.arange(400) < 200, np.arange(400) >= 200, np.zeros(400, bool)], axis=1)

    up, down = compute_gains(
        masks, (5, 6, 7), "accuracy", raw, tuned, BootstrapSamples(np.arange(400))
    )

    assert (up.key, up.n, down.key, down.n) == (5, 200, 6, 199)
    assert up.value == pytest.approx(0.2, abs=0.005)
    assert 0.19 < up.low < up.value < up.high < 0.21
    assert (up.chance_worse, down.chance_worse) == (0.0, 1.0)
    assert up.raw == pytest.approx(raw[:200].mean())


def test_calibration_bins_hold_observed_accuracy() -> None:
    n, told, missed = np.zeros((10, 10)), np.zeros((10, 10)), np.zeros((10, 10))
    n[:, 8] = 1
    told[:, 8] = 0.85
    missed[:8, 8], missed[8:, 8] = 0.15, -0.85  # Eight of ten were right.

    found = compute_calibration_bins(missed, n, told, BootstrapSamples(np.arange(10)))

    assert len(found) == 1
    assert found[0].n == 10
    assert found[0].chance == pytest.approx(0.85)
    assert found[0].right == pytest.approx(0.8)
    assert found[0].low < 0.8 < found[0].high <= 1


def test_neighbour_retention_is_one_for_equal_and_low_for_new_vectors(crowd: Crowd) -> None:
    ids = np.arange(600) * 7 + 3
    asking, candidates = pick_probes(ids, labeled=np.arange(0, 600, 2))
    again, _ = pick_probes(np.append(ids, 9_999), labeled=np.arange(0, 600, 2))
    strange = unit_rows(np.random.default_rng(1).normal(size=(600, 24)).astype(np.float32))

    same = measure_retention(crowd.vectors, crowd.vectors, asking)
    lost = measure_retention(crowd.vectors, strange, asking)

    assert (len(asking), len(candidates)) == (200, 600)
    assert (asking % 2 == 1).all()
    assert len(np.intersect1d(asking, again)) >= 199  # The same ones, whatever arrives.
    assert [(s.metric, s.k, s.n, s.value) for s in same] == [
        ("probe_overlap", 10, 200, 1.0),
        ("probe_rbo", 50, 200, pytest.approx(1.0)),
    ]
    assert 0 < lost[0].value < 0.05
    assert measure_retention(crowd.vectors[:20], crowd.vectors[:20], asking[:3]) == ()
