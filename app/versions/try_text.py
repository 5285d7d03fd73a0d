"""Try a text: predictions of two versions side by side."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import Invalid
from app.models import Label, Project, Version
from app.projects.label_resolver import load_label_resolver
from app.projects.labels import list_all_labels
from app.search.indexes import LoadedVersion
from app.search.matches import SimilarRecord, load_similar_records
from app.search.model_cache import load_text_encoder
from app.search.request import SearchRequest
from app.search.similar import LONGEST_TEXT, Seed
from app.search.versions import find_active_version, find_raw_version

MOST_LABELS = 5
MOST_FOUND = 10


@dataclass(frozen=True)
class TextTrial:
    """A version's predictions for a text.

    scores  labels and their chances in [0, 1], best first; empty for a version without classes
    found   its nearest records
    """

    version: Version
    scores: tuple[tuple[Label, float], ...]
    neighbours: tuple[SimilarRecord, ...]


def find_raw_and_active(db: Session, project: Project) -> list[Version]:
    """Return the raw and the active version, once if they are the same."""
    both = (find_raw_version(db, project), find_active_version(db, project.id))
    return list({each.id: each for each in both if each is not None}.values())


def try_text(db: Session, project: Project, text: str, version: Version) -> TextTrial:
    """Predict without storing anything. Raises Invalid for an unusable text, else as similar()."""
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT:
        raise Invalid(f"Enter a text of 1 to {LONGEST_TEXT:,} characters.")
    search = SearchRequest.near_to(Seed("text", text=text), MOST_FOUND, version=version.number)
    loaded, found = load_similar_records(db, project, search)
    return TextTrial(version, _score_labels(db, project, loaded, text), tuple(found))


def _score_labels(
    db: Session, project: Project, loaded: LoadedVersion, text: str
) -> tuple[tuple[Label, float], ...]:
    probabilities = loaded.head.suggest(load_text_encoder(db, loaded.version).encode([text]))
    if probabilities is None:
        return ()
    resolver = load_label_resolver(db, project.id)
    scored: dict[int, float] = {}
    for label_id, probability in zip(loaded.head.classes, probabilities[0].tolist(), strict=True):
        given = resolver.resolve(label_id)
        if given is not None:
            scored[given] = scored.get(given, 0.0) + probability
    best = sorted(scored, key=lambda each: -scored[each])[:MOST_LABELS]
    labels = {label.id: label for label in list_all_labels(db, project.id)}
    return tuple((labels[each], scored[each]) for each in best)
