"""What a person can read says nothing in words that were replaced."""

from pathlib import Path

import pytest

from tests.visible_text import collect_visible_text

PHRASES = sorted(
    {
        line.strip().lower()
        for file in (Path(__file__).parent / "replaced_phrases").glob("*.txt")
        for line in file.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
)


def test_texts_of_all_three_kinds_are_collected() -> None:
    texts = {(each.file.split("/")[0], each.text) for each in collect_visible_text()}

    assert ("templates", "Log in") in texts
    assert ("static", "The server did not answer. What you see may be out of date.") in texts
    assert ("app", "Please log in. Your session may have expired.") in texts
    assert not [text for _, text in texts if text.startswith("SELECT ")]


@pytest.mark.once
@pytest.mark.parametrize("phrase", PHRASES)
def test_a_replaced_phrase_stays_replaced(phrase: str) -> None:
    places = [
        f"{each.file}:{each.line}" for each in collect_visible_text() if phrase in each.text.lower()
    ]

    assert places == []
