"""The story of a run: its answer, its figures and how sure they are agree with each other."""

from app.models import Evaluation
from app.training.plots.dots import GainRow
from app.training.reports.metrics import Figure
from app.training.reports.summary_text import write_story


def score(role: str, metric: str, value: float, low: float, high: float, n: int = 40) -> Evaluation:
    return Evaluation(
        role=role, metric=metric, k=None, n=n, value=value, low=low, high=high, label_id=None
    )


def figure(metric: str, raw: float, tuned: float, n: int = 40) -> Figure:
    return Figure(
        *(score(role, metric, v, v, v, n) for role, v in (("raw", raw), ("tuned", tuned)))
    )


def difference(metric: str, value: float, chance_worse: float, n: int = 40) -> dict[str, object]:
    return {
        "metric": metric,
        "against": "raw",
        "n": n,
        "value": value,
        "chance_worse": chance_worse,
    }


def test_an_uncertain_gain_is_called_uncertain() -> None:
    told = write_story(
        [figure("r_precision", 0.6, 0.708)],
        [score("over_raw", "r_precision", 0.108, -0.02, 0.23)],
        [difference("evidence", 0.054, 0.12)],
        [GainRow("Delivery", 20, 0.6, 0.2, 0.1, 0.3), GainRow("Praise", 20, 0.6, 0.02, -0.1, 0.1)],
    )

    assert (told.answer, told.kind) == ("Not sure yet whether this run helped.", "info")
    assert told.how_much == (
        "Like neighbours, those with the record's own label: 70.8 % tuned, 60.0 % raw, "
        "+10.8 points, but between \u22122.0 and +23.0: not sure yet, n = 40.",
    )
    assert told.for_which == (
        "Clearly better: Delivery (+20.0).",
        "No clear change: Praise (+2.0).",
    )
    assert told.how_sure[0] == (
        "Like neighbours and right suggestions together: +5.4 points over raw, ahead in 88.0 % of "
        "1,000 redraws of the 40 labeled records that were hidden from training."
    )
    assert "95 % of the redraws or more count as sure." in told.how_sure


def test_the_holdout_sample_is_shown_first_with_its_n() -> None:
    told = write_story(
        [figure("r_precision", 0.6, 0.5), figure("holdout_accuracy", 0.7, 0.9, 60)],
        [score("over_raw", "holdout_accuracy", 0.2, 0.1, 0.3, 60)],
        [difference("evidence", -0.1, 0.99), difference("holdout_accuracy", 0.2, 0.0, 60)],
        [],
    )

    assert told.kind == "good"
    assert told.how_much[1] == (
        "Right suggestions among records drawn by chance (audit): 90.0 % tuned, 70.0 % raw, "
        "+20.0 points (95 % interval +10.0 to +30.0), n = 60."
    )
    assert told.how_sure[0] == (
        "The audit, which is asked first: +20.0 points over raw, ahead in all of 1,000 redraws of "
        "the 60 records drawn by chance."
    )
    assert not any("audit session" in sentence for sentence in told.how_sure)
