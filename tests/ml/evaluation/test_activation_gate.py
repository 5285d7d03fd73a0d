"""What the gate lets through: what is clearly worse is refused; the audit is heard first."""

from app.ml.evaluation.activation_gate import EVIDENCE, HOLDOUT_ACCURACY, RAW, decide
from app.ml.evaluation.comparison import Difference, Score

RAW_SCORES = (
    Score("r_precision", None, 25, 0.7, 0.6, 0.8),
    Score("accuracy", None, 25, 0.6, 0.4, 0.8),
)
TUNED = (Score("r_precision", None, 25, 0.65, 0.6, 0.7), Score("accuracy", None, 25, 0.7, 0.5, 0.9))


def against(rival: str, chance_worse: float, metric: str = EVIDENCE) -> Difference:
    return Difference(metric, rival, 25, 0.0, -0.1, 0.1, chance_worse)


def test_what_is_lower_within_the_noise_is_let_through() -> None:
    decision = decide(RAW_SCORES, TUNED, [against(RAW, 0.94)])

    assert decision.is_good
    assert decision.sentence == (
        "Tuned is about as good as raw: R-precision 65.0 % against 70.0 % and accuracy 70.0 % "
        "against 60.0 %, on 25 held-out labeled records."
    )


def test_what_is_clearly_worse_than_raw_is_refused() -> None:
    decision = decide(RAW_SCORES, TUNED, [against(RAW, 0.95)])

    assert not decision.is_good
    assert decision.sentence.startswith("Tuned is worse than raw: ")


def test_the_version_in_use_has_to_be_matched_too() -> None:
    decision = decide(RAW_SCORES, TUNED, [against(RAW, 0.0), against("v3", 0.99)])

    assert not decision.is_good
    assert decision.sentence.startswith("Tuned is better than raw: ")
    assert decision.sentence.endswith("It is worse than v3 on 25 labels new to both.")


def test_the_holdout_sample_overrules_session_labels() -> None:
    audited = (Score(HOLDOUT_ACCURACY, None, 60, 0.8, 0.7, 0.9),)
    before = (Score(HOLDOUT_ACCURACY, None, 60, 0.6, 0.5, 0.7),)
    differences = [against(RAW, 0.99), against(RAW, 0.01, HOLDOUT_ACCURACY)]

    heard = decide((*RAW_SCORES, *before), (*TUNED, *audited), differences)
    unclear = decide(
        (*RAW_SCORES, *before),
        (*TUNED, *audited),
        [against(RAW, 0.99), against(RAW, 0.4, HOLDOUT_ACCURACY)],
    )

    assert heard.is_good
    assert heard.sentence.endswith(
        "In the hold-out sample of 60 records: accuracy 80.0 % against 60.0 %."
    )
    assert not unclear.is_good


def test_the_holdout_sample_decides_where_too_few_examples_are_held_out() -> None:
    raw, tuned = (Score(HOLDOUT_ACCURACY, None, 60, v, v - 0.1, v + 0.1) for v in (0.6, 0.8))

    decision = decide((raw,), (tuned,), [against(RAW, 0.01, HOLDOUT_ACCURACY)])

    assert decision.is_good
    assert decision.sentence == (
        "Tuned is better than raw. In the hold-out sample of 60 records: accuracy 80.0 % against "
        "60.0 %."
    )
