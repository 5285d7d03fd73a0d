"""Records of known class, embedded once: what tuning is measured on.

They lie in $LIKEWISE_SHARED/data and are not part of the repository. AG News: test.json, train.json
and val.json, each a list of {"Title", "Description", "label"}; labels of train.json and val.json
are partly wrong, those of test.json are true. ATIS: intents.csv with query and intent; three in ten
queries are scored, chosen by a hash of their text, so that equal texts stay together.
"""

import csv
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from results_store import AGNEWS, SHARED

from app.ml.encoding.encoder import DEFAULT_MODEL, load_encoder
from app.ml.examples import Count, Examples
from app.ml.label_inference.naive_bayes import WordFeatures, build_word_features
from app.ml.query_strategies import select_representatives
from app.ml.vectors import Vectors

ATIS = SHARED / "data" / "atis" / "intents.csv"
CACHE = Path(tempfile.gettempdir()) / "likewise-purity"
SPLITS = ("test", "train", "val")
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Corpus:
    """Records, labeled or not: the first n_test are scored, of the next n_train labels are drawn.

    vectors  (n, d) float32, raw, rows of length 1
    classes  (n,) int64, index into names
    texts    of the same records; none where only vectors were made up
    """

    name: str
    vectors: Vectors
    classes: Rows
    names: tuple[str, ...]
    n_test: int
    n_train: int
    texts: Sequence[str] = ()

    @property
    def tested_classes(self) -> Rows:
        """The classes of the records that are scored."""
        return self.classes[: self.n_test]

    @cached_property
    def words(self) -> WordFeatures | None:
        """What a run reads of the texts."""
        return build_word_features(self.texts)


def agnews(cache: Path) -> Corpus:
    """20,000 news records in four classes, split as in the published notebook."""
    records = _news()
    vectors = [embedded(_news_texts(rows), cache / f"{s}.npy") for s, rows in records.items()]
    labels = [r["label"] for rows in records.values() for r in rows]
    names, classes = np.unique(labels, return_inverse=True)
    n_test, n_train = len(records["test"]), len(records["train"])
    texts = [text for rows in records.values() for text in _news_texts(rows)]
    named = tuple(map(str, names))
    return Corpus("agnews", np.concatenate(vectors), classes, named, n_test, n_train, texts)


def atis(cache: Path) -> Corpus:
    """4,834 airline queries in eight intents, three in four of them one intent."""
    rows = _queries()
    vectors = embedded([row["query"] for row in rows], cache / "atis.npy")
    names, classes = np.unique([row["intent"] for row in rows], return_inverse=True)
    order, n_test = _tested_first(rows)
    labels = tuple(map(str, names))
    texts = [rows[place]["query"] for place in order]
    n_train = len(rows) - n_test
    return Corpus("atis", vectors[order], classes[order], labels, n_test, n_train, texts)


CORPORA: dict[str, Callable[[Path], Corpus]] = {"agnews": agnews, "atis": atis}


def _news() -> dict[str, list[dict[str, str]]]:
    return {split: json.loads((AGNEWS / f"{split}.json").read_text()) for split in SPLITS}


def _news_texts(rows: list[dict[str, str]]) -> list[str]:
    return [row["Title"] + ". " + row["Description"] for row in rows]


def _queries() -> list[dict[str, str]]:
    with ATIS.open(newline="") as opened:
        return list(csv.DictReader(opened))


def _tested_first(rows: list[dict[str, str]]) -> tuple[Rows, int]:
    """Return the order in which the queries that are scored come first, and how many those are."""
    is_test = np.array([_is_test(row["query"]) for row in rows])
    return np.argsort(~is_test, kind="stable"), int(is_test.sum())


def _is_test(text: str) -> bool:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10 < 3


def embedded(texts: list[str], kept: Path) -> Vectors:
    """Raw vectors of the texts, (n, d) float32, kept in this file from the first time on."""
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, load_encoder(DEFAULT_MODEL).encode(texts))
    return np.asarray(np.load(kept), dtype=np.float32)


def random_rows(corpus: Corpus, n: int, draw: int) -> Rows:
    """n rows of the train part, at random by draw."""
    picked = np.random.RandomState(draw).permutation(corpus.n_train)[:n]
    return np.asarray(corpus.n_test + picked, dtype=np.int64)


def cold_rows(corpus: Corpus, n: int, draw: int) -> Rows:
    """Return the rows of a first session of n records, over all records."""
    return select_representatives(corpus.vectors, n, seed=draw)


def all_rows(corpus: Corpus, n: int, draw: int) -> Rows:
    """Every scored row; draw is not used."""
    del n, draw
    return np.arange(corpus.n_test)


def half_rows(corpus: Corpus, n: int, draw: int) -> Rows:
    """Half of the scored rows, at random by draw."""
    del n
    return np.sort(np.random.RandomState(draw).permutation(corpus.n_test)[: corpus.n_test // 2])


PICKS: dict[str, Callable[[Corpus, int, int], Rows]] = {
    "random": random_rows,
    "cold": cold_rows,
    "half true": half_rows,
    "all true": all_rows,
}


def make_examples(corpus: Corpus, rows: Rows) -> Examples:
    """Make these rows as labeled records, each by itself."""
    return Examples(
        rows=rows,
        classes=corpus.classes[rows],
        label_ids=tuple(range(len(corpus.names))),
        groups=np.arange(len(rows)),
        weights=np.ones(len(rows), np.float32),
    )


def ignore_progress(_progress: float, _message: str, _count: Count | None = None, /) -> None:
    """Nobody watches a benchmark's progress."""
