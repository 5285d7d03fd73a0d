"""What a forecast says of a session, in words."""

from app.labeling.sessions.forecast import Forecast


def test_without_suggestions_what_is_labeled_is_no_forecast_of_the_rest() -> None:
    begun = Forecast(25, 1, 24, 3, "Refund", 0.04, 0.0, 0.12)
    known = Forecast(25, 1, 10, 3, "Refund", 0.44, 0.3, 0.6)
    done = Forecast(25, 25, 0, 3, "Refund", 0.2, 0.1, 0.3)

    assert begun.sentence == "No suggestions yet; 1 already labeled."
    assert known.sentence == "About 44 % Refund (95 % interval 30 to 60 %); 1 already labeled."
    assert done.sentence == "25 already labeled."
