from collections import Counter
from datetime import date

import pytest

from app.projects.sample import SampleMessage, sample_messages
from app.projects.sample_intents import INTENTS

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def messages() -> list[SampleMessage]:
    return sample_messages()


def test_the_same_seed_gives_the_same_messages(messages: list[SampleMessage]) -> None:
    assert sample_messages() == messages


def test_another_seed_gives_other_texts(messages: list[SampleMessage]) -> None:
    others = {message.text for message in sample_messages(seed=8)}

    same = sum(message.text in others for message in messages)

    assert same < 0.05 * len(messages)


def test_there_are_3200_messages_with_ids_in_the_order_they_were_sent(
    messages: list[SampleMessage],
) -> None:
    assert len(messages) == 3200
    assert [m.external_id for m in messages[:2]] == ["msg-00001", "msg-00002"]
    assert len({m.external_id for m in messages}) == 3200
    days = [date.fromisoformat(m.sent_at) for m in messages]
    assert days == sorted(days)


def test_the_biggest_of_8_intents_is_3_times_the_smallest(messages: list[SampleMessage]) -> None:
    sizes = Counter(message.intent for message in messages)

    assert set(sizes) == {intent.name for intent in INTENTS}
    assert len(sizes) == 8
    assert max(sizes.values()) == 3 * min(sizes.values())


def test_messages_have_6_to_45_words_and_no_open_slots(messages: list[SampleMessage]) -> None:
    lengths = [len(message.text.split()) for message in messages]

    assert min(lengths) >= 6
    assert max(lengths) <= 45
    assert max(lengths) > 2 * (sum(lengths) / len(lengths))
    assert not [m.text for m in messages if set("<>()|") & set(m.text)]


def test_no_text_occurs_twice_even_without_case_and_stops(messages: list[SampleMessage]) -> None:
    kept = {"".join(c for c in m.text.lower() if c.isalnum() or c == " ").strip() for m in messages}

    assert len({message.text for message in messages}) == len(messages)
    assert len(kept) > 0.99 * len(messages)


def test_only_subscriptions_are_cancelled(messages: list[SampleMessage]) -> None:
    cancelled = {m.product for m in messages if m.intent == "Cancel subscription"}

    assert cancelled == {"Bean Club", "Sprout Box", "Story Crate"}
    assert len({m.product for m in messages}) == 9


def test_every_channel_is_used_by_every_intent(messages: list[SampleMessage]) -> None:
    used = {(message.intent, message.channel) for message in messages}

    assert len(used) == 8 * 4


@pytest.mark.parametrize("n", [0, 1, 7, 100])
def test_any_number_of_messages_can_be_had(n: int) -> None:
    assert len(sample_messages(n)) == n
