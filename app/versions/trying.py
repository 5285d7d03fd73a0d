"""A text that is nobody's record: what two versions make of it, side by side."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import Invalid
from app.models import Encoder, Label, Project
from app.projects.labels import every_label, is_offered
from app.records.filters import Filters
from app.search.asking import Asked
from app.search.base_models import text_encoder
from app.search.encoders import active_encoder, find_raw_encoder
from app.search.indexes import Version
from app.search.narrowing import merged_end
from app.search.results import Found, find
from app.search.similar import LONGEST_TEXT, Seed, pinned_version

MOST_LABELS = 5
MOST_FOUND = 10


@dataclass(frozen=True)
class Tried:
    """What a version makes of a text.

    scores  labels and their chances in [0, 1], best first; empty for a version without classes
    found   its nearest records
    """

    encoder: Encoder
    scores: tuple[tuple[Label, float], ...]
    found: tuple[Found, ...]


def raw_and_active(db: Session, project: Project) -> list[Encoder]:
    """The raw version and the one in use, once if they are the same; none before the first."""
    both = (find_raw_encoder(db, project), active_encoder(db, project.id))
    return list({each.id: each for each in both if each is not None}.values())


def try_text(db: Session, project: Project, text: str, encoder: Encoder) -> Tried:
    """Nothing is stored. Raises Invalid for an empty or too long text, and as similar() does."""
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT:
        raise Invalid(f"Write a text of 1 to {LONGEST_TEXT:,} characters.")
    version = pinned_version(db, project, encoder.id)
    asked = Asked(Seed("text", text=text), Filters(), MOST_FOUND, encoder.number)
    return Tried(encoder, _scores(db, project, version, text), find(db, project, asked).found)


def _scores(
    db: Session, project: Project, version: Version, text: str
) -> tuple[tuple[Label, float], ...]:
    chances = version.head.suggest(text_encoder(db, version.encoder).encode([text]))
    if chances is None:
        return ()
    labels = {label.id: label for label in every_label(db, project.id)}
    scored: dict[int, float] = {}
    for label_id, chance in zip(version.head.classes, chances[0].tolist(), strict=True):
        label = merged_end(labels[label_id], labels) if label_id in labels else None
        if label is not None and is_offered(label):
            scored[label.id] = scored.get(label.id, 0.0) + chance
    best = sorted(scored, key=lambda each: -scored[each])[:MOST_LABELS]
    return tuple((labels[each], scored[each]) for each in best)
