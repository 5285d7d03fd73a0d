"""The sample project's records: messages to a made-up shop, written by chance but from a seed.

A message is a core, which carries the intent, in the middle of what people say around it: a
greeting, a lead, something beside the point that brushes another intent, a follow-up, an end.
Every phrase is our own. Decision: nothing but the standard library, so that the same seed gives
the same messages on every machine.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from app.projects.sample_intents import INTENTS, PRAISE_OR_SUGGESTION, IntentWords
from app.projects.sample_scene import Scene, draw_scene, fill
from app.projects.sample_voice import Writer, write
from app.projects.sample_words import (
    ANGRY_ENDS,
    ANGRY_LEADS,
    ASIDES,
    CHATTY,
    ENDS,
    GREETINGS,
    LEADS,
    NAMES,
    NOTE_ASIDES,
    NOTE_ENDS,
    NOTE_LEADS,
    PRAISE_LEADS,
    REVIEW_LEADS,
)

SHORTEST, LONGEST = 6, 45  # words
FIRST_DAY = date(2026, 1, 5)
N_DAYS = 180
# The chance that a message opens with what it is about, as a subject line or a heading.
SUBJECT = {"email": 0.3, "chat": 0.08, "app review": 0.3}


@dataclass(frozen=True)
class SampleMessage:
    """One message with its true intent; sent_at is an ISO date."""

    external_id: str
    text: str
    intent: str
    channel: str
    product: str
    sent_at: str


def sample_messages(n: int = 3200, seed: int = 7) -> list[SampleMessage]:
    """n messages in 8 intents of unequal size, in the order they were sent.

    The same n and seed give the same messages; no text occurs twice.
    """
    rng = Random(seed)  # noqa: S311 - a sample, not a secret
    days = sorted(FIRST_DAY + timedelta(days=rng.randrange(N_DAYS)) for _ in range(n))
    intents = list(distribute_intents(n))
    rng.shuffle(intents)
    seen: set[str] = set()
    return [
        draw_message(number, intent, day, seen, rng)
        for number, (intent, day) in enumerate(zip(intents, days, strict=True), start=1)
    ]


def distribute_intents(n: int) -> Iterator[IntentWords]:
    """Draw n intents, each as often as its share says."""
    total, upto, given = sum(intent.share for intent in INTENTS), 0, 0
    for intent in INTENTS:
        upto += intent.share
        size = round(n * upto / total) - given
        yield from [intent] * size
        given += size


def draw_message(
    number: int, intent: IntentWords, day: date, seen: set[str], rng: Random
) -> SampleMessage:
    """Draw the next message, of a fitting length and unlike all seen; its text joins them."""
    while True:
        scene = draw_scene(intent, day, rng)
        sentences = [fill(sentence, scene, rng) for sentence in compose(scene, rng)]
        text = write(sentences, scene.writer, intent is PRAISE_OR_SUGGESTION, rng)
        if SHORTEST <= len(text.split()) <= LONGEST and text not in seen:
            break
    seen.add(text)
    return SampleMessage(
        external_id=f"msg-{number:05d}",
        text=text,
        intent=intent.name,
        channel=scene.writer.channel,
        product=scene.product.name,
        sent_at=day.isoformat(),
    )


def compose(scene: Scene, rng: Random) -> list[str]:
    """Compose the phrases of one message in order, slots still open."""
    if scene.writer.channel == "phone note":
        return compose_note(scene, rng)
    middle = [rng.choice(scene.intent.cores)]
    if rng.random() < {"terse": 0.3, "chatty": 0.8}.get(scene.writer.mood, 0.65):
        middle.append(rng.choice(scene.intent.follow_ups))
    if rng.random() < {"terse": 0.1, "chatty": 0.6}.get(scene.writer.mood, 0.35):
        middle.insert(rng.randrange(len(middle) + 1), draw_aside(ASIDES, scene.intent, rng))
    return [*compose_opening(scene, rng), *middle, *compose_closing(scene.writer, rng)]


def compose_note(scene: Scene, rng: Random) -> list[str]:
    """Compose what a colleague on the phone wrote down."""
    parts = [rng.choice(NOTE_LEADS)] if rng.random() < 0.45 else []
    parts.append(rng.choice(scene.intent.notes))
    parts += [draw_aside(NOTE_ASIDES, scene.intent, rng)] if rng.random() < 0.5 else []
    parts += [rng.choice(NOTE_ENDS)] if rng.random() < 0.4 else []
    return parts


def draw_aside(asides: Mapping[str, tuple[str, ...]], intent: IntentWords, rng: Random) -> str:
    """Something true that is beside the point, from the world of another intent."""
    return rng.choice(asides[rng.choice([theme for theme in asides if theme != intent.name])])


def compose_opening(scene: Scene, rng: Random) -> list[str]:
    """Greeting and lead."""
    writer, is_glad = scene.writer, scene.intent is PRAISE_OR_SUGGESTION
    parts = []
    if rng.random() < SUBJECT[writer.channel]:
        parts.append(rng.choice(scene.intent.subjects))
    if writer.channel == "app review":
        leads = PRAISE_LEADS if is_glad else REVIEW_LEADS
        parts += [rng.choice(leads)] if rng.random() < 0.6 else []
    elif rng.random() < {"terse": 0.1, "angry": 0.15, "polite": 0.9}.get(writer.mood, 0.45):
        parts.append(rng.choice(GREETINGS) + ",")
    if writer.mood == "angry":
        parts += [rng.choice(ANGRY_LEADS)] if rng.random() < 0.6 else []
    elif not is_glad and rng.random() < {"terse": 0.1, "chatty": 0.5}.get(writer.mood, 0.3):
        parts.append(rng.choice(LEADS))
    return parts


def compose_closing(writer: Writer, rng: Random) -> list[str]:
    """Small talk, temper or thanks, and perhaps a name."""
    parts = [rng.choice(CHATTY)] if writer.mood == "chatty" and rng.random() < 0.6 else []
    if writer.mood == "angry":
        return parts + ([rng.choice(ANGRY_ENDS)] if rng.random() < 0.5 else [])
    chance = {"terse": 0.08, "polite": 0.85}.get(writer.mood, 0.35)
    if writer.channel != "app review" and rng.random() < chance:
        parts.append(rng.choice(ENDS))
    if writer.channel == "email" and writer.mood != "terse" and rng.random() < 0.3:
        parts.append(rng.choice(NAMES))
    return parts
