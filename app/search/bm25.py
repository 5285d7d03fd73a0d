"""BM25 ranking of texts that all contain the query words."""

from collections.abc import Iterator, Sequence

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.ml.vectors import Ids
from app.models import Record

# Words in more records than this do not discriminate: only the oldest records are scored.
MOST_COMPARED = 5_000
READ = 2_000
# The usual constants of BM25: how soon more of the same word stops to count, and how much a long
# text must hold more of it.
K1, B = 1.2, 0.75


def score_bm25(db: Session, ids: Ids, words: Sequence[str]) -> dict[int, float]:
    """id → BM25 of the words in the record's first READ characters, in [0, words * (K1 + 1)].

    All of the records hold all of the words, so that no word is rarer than another. At most
    MOST_COMPARED records are compared; the others are missing.
    Source: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework.
    """
    texts = list(_load_texts(db, ids[:MOST_COMPARED].tolist()))
    if not texts or not words:
        return {}
    counts = np.array([[text.count(w.casefold()) for w in words] for _, text in texts], np.float64)
    lengths = np.array([len(text) + 1 for _, text in texts], np.float64)
    damping = K1 * (1 - B + B * lengths / lengths.mean())
    scores = (counts * (K1 + 1) / (counts + damping[:, None])).sum(axis=1)
    return dict(zip((each for each, _ in texts), scores.tolist(), strict=True))


def _load_texts(db: Session, ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    for some in id_chunks(ids):
        text = func.substr(Record.text, 1, READ)
        for record_id, read in db.execute(select(Record.id, text).where(Record.id.in_(some))):
            yield record_id, read.casefold()
