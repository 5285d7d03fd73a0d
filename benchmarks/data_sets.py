"""Data that no default was chosen by, of many shapes.

Synthetic sets are mixtures in 384 dimensions: topics hold classes, classes hold two wordings each,
and around a wording records scatter as a real sample scatters around its mean. Classes differ where
that scatter is widest, so those of a topic overlap, and one record in twelve is worded as another
class. They have no texts, so their words are silent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from corpora import Corpus, agnews, atis, embedded

from app.ml.vectors import Vectors, unit_rows
from app.projects.sample import sample_messages


def _part(data: Corpus, name: str, rows: np.ndarray, classes: np.ndarray | None = None) -> Corpus:
    named = data.classes[rows] if classes is None else classes
    names = tuple(str(c) for c in range(int(named.max()) + 1))
    return Corpus(
        name, data.vectors[rows], named, names, len(rows), 0, [data.texts[r] for r in rows]
    )


def uneven_news(cache: Path) -> Corpus:
    """4,000 news records of which 70, 20, 8 and 2 % are of one class; true classes."""
    news = agnews(cache)
    rng = np.random.default_rng(5)
    rows = [
        rng.choice(np.flatnonzero(news.tested_classes == c), n, replace=False)
        for c, n in zip((1, 0, 3, 2), (2800, 800, 320, 80), strict=True)
    ]
    return _part(news, "uneven news", np.concatenate(rows))


def sports_or_not(cache: Path) -> Corpus:
    """Return the scored news: one class in nine records against all others."""
    news = agnews(cache)
    is_sports = (news.tested_classes == news.names.index("Sports")).astype(np.int64)
    return _part(news, "sports or not", np.arange(news.n_test), is_sports)


def fine_news(cache: Path) -> Corpus:
    """Return the scored news in 20 classes: five clusters of each true class."""
    news = agnews(cache)
    fine = np.empty(news.n_test, np.int64)
    for c in range(len(news.names)):
        rows = np.flatnonzero(news.tested_classes == c)
        clusters = faiss.Kmeans(news.vectors.shape[1], 5, niter=25, seed=c, spherical=True)
        clusters.train(news.vectors[rows])
        centroids = np.asarray(clusters.centroids)
        fine[rows] = 5 * c + (news.vectors[rows] @ centroids.T).argmax(axis=1)
    return _part(news, "fine news", np.arange(news.n_test), fine)


def queries_by_intent(cache: Path) -> Corpus:
    """All airline queries."""
    data = atis(cache)
    return _part(data, "atis", np.arange(len(data.vectors)))


def messages(cache: Path) -> Corpus:
    """Return the sample project: 3,200 messages in eight intents."""
    rows = sample_messages()
    texts = [row.text for row in rows]
    vectors = embedded(texts, cache / "messages.npy")
    names, classes = np.unique([row.intent for row in rows], return_inverse=True)
    named = tuple(map(str, names))
    return Corpus("sample messages", vectors, classes, named, len(rows), 0, texts)


@dataclass(frozen=True)
class Mixture:
    """How many records and classes, in topics of about five classes, and how far apart they are.

    evenness  sizes fall as 1 / rank^evenness: 0 for classes of one size
    astray    so many records are worded as another class of any topic would be
    """

    name: str
    n: int
    n_classes: int
    evenness: float = 0.0
    astray: float = 0.08
    topic: float = 0.47
    between: float = 0.47
    wording: float = 0.3

    def __call__(self, cache: Path) -> Corpus:
        rng = np.random.default_rng(self.n_classes)
        axes, lengths = _scatter(agnews(cache).vectors)
        share = 1 / np.arange(1, self.n_classes + 1) ** self.evenness
        classes = rng.choice(self.n_classes, self.n, p=share / share.sum())
        other = rng.integers(0, self.n_classes, self.n)
        worded = np.where(rng.random(self.n) < self.astray, other, classes)
        placed = self._wordings(rng, axes, lengths)[2 * worded + rng.integers(0, 2, self.n)]
        noise = rng.standard_normal((self.n, len(lengths))) * lengths @ axes
        names = tuple(str(c) for c in range(self.n_classes))
        return Corpus(
            self.name, unit_rows((placed + noise).astype(np.float32)), classes, names, self.n, 0
        )

    def _wordings(
        self, rng: np.random.Generator, axes: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """(2 K, d): two wordings of each class, differing where real records differ most."""

        def directions(n: int) -> np.ndarray:
            drawn = rng.standard_normal((n, len(lengths))) * lengths**2 @ axes
            return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))

        topics = rng.integers(0, max(2, self.n_classes // 5), self.n_classes)
        centres = self.topic * directions(self.n_classes)[topics]
        centres = centres + self.between * directions(self.n_classes)
        return np.asarray(
            np.repeat(centres, 2, axis=0) + self.wording * directions(2 * self.n_classes)
        )


def _scatter(vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """How real vectors scatter around their mean: axes (d, d) as rows, and lengths (d,) along
    them."""
    sampled = vectors[:5000] - vectors[:5000].mean(axis=0)
    _, lengths, axes = np.linalg.svd(sampled, full_matrices=False)
    return axes, lengths / np.sqrt(len(sampled))


SETS: dict[str, Callable[[Path], Corpus]] = {
    "uneven news": uneven_news,
    "sports or not": sports_or_not,
    "fine news": fine_news,
    "atis": queries_by_intent,
    "sample messages": messages,
    "77 classes": Mixture("77 classes", 13_083, 77),
    "150 classes": Mixture("150 classes", 22_500, 150),
    "30 uneven classes": Mixture("30 uneven classes", 8_000, 30, evenness=1.0),
}
