"""How somebody writes: sentences in, one message out, with that writer's habits and slips."""

import re
from dataclasses import dataclass
from random import Random

from app.projects.sample_words import AMERICAN, EMOJI, TYPED_WRONG

MOODS = ("plain", "polite", "terse", "angry", "chatty")
CHANNELS = ("email", "chat", "app review", "phone note")
# Percent of a channel's messages that are all in lower case; percent without a last full stop.
LOWER = {"email": 9, "chat": 52, "app review": 22, "phone note": 12}
OPEN_END = {"email": 12, "chat": 70, "app review": 35, "phone note": 60}


@dataclass(frozen=True)
class Writer:
    """One person's habits for one message; slips is the chance that a long word is mistyped."""

    channel: str
    mood: str
    is_american: bool
    is_lower: bool
    drops_apostrophes: bool
    runs_on: bool
    ends_open: bool
    slips: float


def draw_writer(is_glad: bool, rng: Random) -> Writer:
    """Draw a writer by chance: chats are hasty, emails are not, and nobody glad is angry."""
    channel = rng.choices(CHANNELS, (40, 32, 14, 14))[0]
    is_lower = rng.randrange(100) < LOWER[channel]
    return Writer(
        channel=channel,
        mood=rng.choices(MOODS, (34, 20, 20, 0 if is_glad else 13, 13))[0],
        is_american=channel != "phone note" and rng.random() < 0.22,
        is_lower=is_lower,
        drops_apostrophes=rng.random() < (0.55 if is_lower else 0.08),
        runs_on=channel != "phone note" and rng.random() < (0.4 if is_lower else 0.12),
        ends_open=rng.randrange(100) < OPEN_END[channel],
        slips=rng.choice((0.0, 0.0, 0.0, 0.02, 0.05, 0.1)) * (1.4 if is_lower else 1.0),
    )


def write(sentences: list[str], writer: Writer, is_glad: bool, rng: Random) -> str:
    """Write the sentences as this writer types them, on one line."""
    text = join(sentences, writer, rng)
    if writer.is_american:
        text = spell_american(text)
    text = " ".join(mistype(word, writer.slips, rng) for word in text.split())
    if writer.drops_apostrophes:
        text = text.replace("'", "")
    if writer.is_lower:
        text = text.lower()
    return text + draw_emoji(writer, is_glad, rng)


def join(sentences: list[str], writer: Writer, rng: Random) -> str:
    """One line; where a sentence has no mark of its own, this writer's."""
    text = ""
    for number, sentence in enumerate(sentences):
        last = number == len(sentences) - 1
        clause = sentence if writer.is_lower else capitalise(sentence)
        # Someone who runs on would not start again with a capital.
        if text.endswith((", ", "and ")):
            clause = sentence if re.match(r"I\b|[A-Z]{2}", sentence) else uncapitalise(sentence)
        text += clause if clause[-1] in "?!.," else clause + draw_mark(writer, last, rng)
        text += "" if text.endswith(" ") else " "
    return text.strip()


def draw_mark(writer: Writer, last: bool, rng: Random) -> str:
    """Draw what this writer puts after a sentence."""
    if writer.channel == "phone note":
        return "" if last and writer.ends_open else "."
    if last:
        return "" if writer.ends_open else rng.choices((".", "!", "..."), (85, 10, 5))[0]
    if writer.runs_on:
        return rng.choices((", ", " and ", "...", " - "), (70, 6, 12, 12))[0]
    if writer.mood == "angry":
        return rng.choices((".", "!", "!!", "..."), (70, 15, 9, 6))[0]
    return rng.choices((".", "!", "..."), (93, 3, 4))[0]


def capitalise(sentence: str) -> str:
    """Each sentence within the text with a capital first letter."""
    return re.sub(r"(^|[.?!] )([a-z])", lambda m: m[1] + m[2].upper(), sentence)


def uncapitalise(sentence: str) -> str:
    """Put the first letter in lower case, for a clause in the middle of a run-on."""
    return sentence[:1].lower() + sentence[1:]


def spell_american(text: str) -> str:
    """Spell the words as an American would."""
    pattern = "|".join(rf"\b{word}\b" if word.isalpha() else word for word in AMERICAN)
    return re.sub(pattern, lambda m: AMERICAN[m[0]], text)


def mistype(word: str, slips: float, rng: Random) -> str:
    """Return the word, or a slip of it; numbers and ids are always typed right, so they can be
    found."""
    if slips == 0 or not word.isalpha() or rng.random() > slips * 2:
        return word
    if word in TYPED_WRONG:
        return TYPED_WRONG[word]
    if len(word) < 5 or rng.random() < 0.4:
        return word
    at = rng.randrange(1, len(word) - 2)
    return rng.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        )
    )


def draw_emoji(writer: Writer, is_glad: bool, rng: Random) -> str:
    """Now and then one small picture at the end."""
    if writer.channel in ("email", "phone note") or rng.random() > 0.16:
        return ""
    look = "glad" if is_glad else "cross" if writer.mood == "angry" else "plain"
    return " " + rng.choice(EMOJI[look].split())
