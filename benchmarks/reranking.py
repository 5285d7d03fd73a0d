"""What learning from a session's decided rows brings to those that are still open.

usage: reranking.py [--datasets agnews,atis] [--labels 0,25,100] [--draws 3] [--seeds 40]
                    [--cache FOLDER]

A session of 200 records is what is most similar to one record, by tuned vectors where there are
labels. Its first 10, 30 or 60 rows get their true labels. Reported is the share of the seed's label
among the next 20 rows: in the frozen order, by what was suggested before, and learned anew; and the
share of the open rows that stand before the proposed end, and how many of those are right.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from corpora import CACHE, CORPORA, Corpus
from numpy.typing import NDArray
from results_store import store_results

from app.ml.examples import Examples
from app.ml.graph import build_neighbour_graph
from app.ml.label_inference.infer import infer_probabilities
from app.ml.recipe import Recipe
from app.ml.reranking import compute_posterior, compute_prior_shares, propose_cutoff
from app.ml.vectors import unit_rows

LENGTH, NEXT = 200, 20
DECIDED = (10, 30, 60)
STRENGTH = 0.75
Floats = NDArray[np.float32]
Row = dict[str, object]


def main() -> None:
    """Measure what was asked for and keep it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--datasets", default="agnews,atis")
    asked.add_argument("--labels", default="0,25,100")
    asked.add_argument("--draws", type=int, default=3)
    asked.add_argument("--seeds", type=int, default=40)
    asked.add_argument("--cache", type=Path, default=CACHE)
    words = asked.parse_args()
    rows: list[Row] = []
    for name in words.datasets.split(","):
        corpus = tested(CORPORA[name](words.cache))
        graph = build_neighbour_graph(corpus.vectors, Recipe().neighbours)
        for n_labels in map(int, words.labels.split(",")):
            found: dict[int, list[tuple[float, ...]]] = {n: [] for n in DECIDED}
            for draw in range(words.draws):
                for n, shares in sessions(corpus, graph, n_labels, words.seeds, draw):
                    found[n].append(shares)
            rows += [row_of(name, n_labels, n, each) for n, each in found.items()]
    print("data     labels  decided  frozen  suggested  learned  kept  right")
    for row in rows:
        print("  ".join(f"{value:>7}" for value in row.values()))
    store_results("reranking", rows)


def tested(corpus: Corpus) -> Corpus:
    """The records with true labels alone: of AG News the test split."""
    n = corpus.n_test if corpus.name == "agnews" else len(corpus.vectors)
    vectors = unit_rows(corpus.vectors[:n])
    return replace(corpus, vectors=vectors, classes=corpus.classes[:n], n_test=n, n_train=0)


def sessions(
    corpus: Corpus, graph: sp.csr_matrix, n_labels: int, n_seeds: int, draw: int
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """How many rows were decided, and what became of the next ones, for each session."""
    rng = np.random.default_rng(draw)
    suggested = suggestions(corpus, graph, rng.permutation(len(corpus.vectors))[:n_labels])
    vectors = corpus.vectors if suggested is None else tuned(corpus.vectors, suggested)
    for seed in rng.permutation(len(vectors))[:n_seeds]:
        near = np.argsort(-(vectors @ vectors[seed]), kind="stable")[1 : LENGTH + 1]
        for n in DECIDED:
            expected = None if suggested is None else suggested[near]
            yield n, judged(corpus, near, expected, int(corpus.classes[seed]), n)


def suggestions(corpus: Corpus, graph: sp.csr_matrix, rows: NDArray[np.int64]) -> Floats | None:
    """Return what these labels suggest for every record, or None without labels."""
    if len(rows) == 0:
        return None
    examples = Examples(
        rows=rows,
        classes=corpus.classes[rows],
        label_ids=tuple(range(len(corpus.names))),
        groups=np.arange(len(rows)),
        weights=np.ones(len(rows), np.float32),
    )
    return infer_probabilities(graph, corpus.vectors, examples, Recipe())


def tuned(vectors: Floats, chances: Floats) -> Floats:
    """As app.ml.heads.head does it, with these chances in place of a network's."""
    evidence = chances - chances.mean(axis=0)
    length = np.minimum(1, (evidence**2).sum(axis=1, keepdims=True))
    parts = [np.sqrt(1 - STRENGTH * length) * vectors, np.sqrt(STRENGTH) * evidence]
    return unit_rows(np.concatenate(parts, axis=1).astype(np.float32))


def judged(
    corpus: Corpus, near: NDArray[np.int64], expected: Floats | None, lead: int, n: int
) -> tuple[float, ...]:
    """Shares of the leading label: frozen, suggested, learned; rows kept, and right among them."""
    said = np.eye(len(corpus.names), dtype=np.float32)[corpus.classes[near[:n]]]
    before = compute_prior_shares(said, len(near)) if expected is None else expected
    chances = compute_posterior(corpus.vectors[near], before, np.arange(n), said)[n:, lead]
    is_lead = corpus.classes[near[n:]] == lead
    best = np.argsort(-chances, kind="stable")
    by_suggestion = np.argsort(-before[n:, lead], kind="stable")
    end = propose_cutoff(chances[best])
    right = is_lead[best[:end]].mean() if end else float("nan")
    nexts = [is_lead[order[:NEXT]].mean() for order in (np.arange(len(best)), by_suggestion, best)]
    return (*nexts, end / len(best), right)


def row_of(name: str, n_labels: int, n: int, shares: list[tuple[float, ...]]) -> Row:
    """Means over sessions."""
    means = np.nanmean(np.array(shares), axis=0).round(3).tolist()
    columns = ("frozen", "suggested", "learned", "kept", "right")
    return {
        "data": name,
        "labels": n_labels,
        "decided": n,
        **dict(zip(columns, means, strict=True)),
    }


if __name__ == "__main__":
    main()
