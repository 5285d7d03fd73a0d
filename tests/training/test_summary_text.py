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

    assert (told.answer, told.kind) == ("No clear difference yet.", "info")
    assert told.how_much == (
        "R-precision (share of the R nearest with the record's label): 70.8 % tuned, 60.0 % raw, "
        "+10.8 points (95 % interval \u22122.0 to +23.0, unclear), n = 40.",
    )
    assert told.for_which == (
        "Clearly better: Delivery (+20.0).",
        "No clear change: Praise (+2.0).",
    )
    assert told.how_sure[0] == (
        "R-precision and accuracy combined: +5.4 points over raw, ahead in 88.0 % of 1,000 "
        "bootstrap samples of the 40 held-out labeled records."
    )
    assert "A difference is clear from 95 % of the bootstrap samples." in told.how_sure


def test_the_holdout_sample_is_shown_first_with_its_n() -> None:
    told = write_story(
        [figure("r_precision", 0.6, 0.5), figure("holdout_accuracy", 0.7, 0.9, 60)],
        [score("over_raw", "holdout_accuracy", 0.2, 0.1, 0.3, 60)],
        [difference("evidence", -0.1, 0.99), difference("holdout_accuracy", 0.2, 0.0, 60)],
        [],
    )

    assert told.kind == "good"
    assert told.how_much[1] == (
        "Accuracy in the hold-out sample: 90.0 % tuned, 70.0 % raw, "
        "+20.0 points (95 % interval +10.0 to +30.0), n = 60."
    )
    assert told.how_sure[0] == (
        "Hold-out sample (decides first): +20.0 points over raw, ahead in all of 1,000 bootstrap "
        "samples of the 60 randomly drawn records."
    )
    assert not any("hold-out session" in sentence for sentence in told.how_sure)
