"""The texts of the records that a run learns from: to be read whole, or for their words alone."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.ml.evaluation.near_copies import compute_near_copy_key
from app.ml.label_inference.naive_bayes import MOST_CHARACTERS, WordFeatures, build_word_features
from app.ml.recipe import Recipe
from app.models import Project, Record
from app.search.vectors import Ids

MOST_COMPARED = 10_000
"""Characters by which near-copies are recognised: what begins alike for so long is one."""


def iterate_texts(db: Session, ids: Ids, most: int | None = None) -> Iterator[str]:
    """The text of each of these records, ids ascending, or the first `most` characters of it.

    A record that was deleted meanwhile has nothing to say.
    """
    text = Record.text if most is None else func.substr(Record.text, 1, most)
    for some in id_chunks(ids):
        rows = db.execute(select(Record.id, text).where(Record.id.in_(some)))
        found: dict[int, str] = dict(rows.all())
        yield from (found.get(each, "") for each in some)


def uses_words(recipe: Recipe, project: Project) -> bool:
    """Whether the words of the records teach as well: not where one may carry several labels."""
    return recipe.method == "head" and recipe.words > 0 and not project.is_multi_label


def load_word_features(db: Session, ids: Ids) -> WordFeatures | None:
    """The words of these records, row by row; None where none tells anything apart."""
    return build_word_features(iterate_texts(db, ids, MOST_CHARACTERS))


def load_near_copy_keys(db: Session, ids: Ids) -> list[bytes]:
    """Return a key for each of these records, ids ascending, equal for near-copies."""
    return [compute_near_copy_key(text) for text in iterate_texts(db, ids, MOST_COMPARED)]
