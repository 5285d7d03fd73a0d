"""What is a deep run worth? Tunes the whole encoder, embeds every record with it, prints a table.

usage: python benchmarks/deep.py [--dataset agnews|atis] [--labels 25,100] [--subset 4000]
                                 [--set epochs=2 ...] [--minutes 60] [--cache FOLDER]
                                 [--again] [--trial]

On AG News or ATIS (see corpora.py), with the labels of one draw: up to 100 those of a first session
over all records, more at random from the train part. Lines of each number of labels: the head on
raw vectors, the deep encoder's own vectors, and a head on top of them, learned from the same labels
through the graph of the deep vectors. Scores are over the test split by its true labels.

A line is kept in results/deep.json as soon as it is measured; what was measured before with the
same recipe is passed over, unless --again. Checkpoints, the encoder and its vectors stay in --cache
until their lines are done, so a run that was killed goes on where it was. --minutes cuts the subset
until learning is expected to fit; --trial scores the deep vectors of the test split alone, and
keeps nothing. Where the processor multiplies bfloat16 by itself, vectors are made with it too.
"""

import argparse
import hashlib
import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpora import CACHE, CORPORA, Corpus, cold_rows, ignore_progress, make_examples, random_rows
from figures import renew
from results_store import AGNEWS, SHARED, Spent, Stopwatch, peak_memory_mb
from scores import choose_queries, purity, rightness
from tuning_table import Line, show, store_lines

from app.ml.deep.recipe import CPU_SUBSET, DeepRecipe, estimate_seconds
from app.ml.deep.trainer import computes_bf16
from app.ml.deep.tuning import MODEL, DeepTrainingData, tune_deep
from app.ml.encoding.encoder import Encoder, load_encoder, pick_device
from app.ml.encoding.model_folder import find_default_model_folder
from app.ml.examples import Count
from app.ml.graph import build_neighbour_graph
from app.ml.heads.head import Head
from app.ml.heads.tuning import tune
from app.ml.label_inference.infer import infer_soft_targets
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

N_TIMED = 128
MOST_COLD = 100
"""Nobody's first session is longer than so many records; more labels are drawn at random."""
SAME_DRAW = "head, this draw"
"""A head on raw vectors by the very labels that taught the encoder: tuning.py has means."""


@dataclass(frozen=True)
class Asked:
    """So many labels of a corpus, and the rows that carry them."""

    corpus: Corpus
    texts: list[str]
    picked: str
    rows: np.ndarray

    def line(self, name: str, vectors: Vectors, head: Head | None, spent: Spent) -> Line:
        """Scores among the test records, and what the head suggests for those not labeled."""
        tested, every = vectors[: self.corpus.n_test], np.arange(self.corpus.n_test)
        tuned = tested if head is None else head.tune(tested)
        scores = purity(tuned, self.corpus.tested_classes, choose_queries(every))
        unlabeled = np.setdiff1d(every, self.rows)
        chances = None if head is None else head.suggest(tested[unlabeled])
        if chances is not None:
            scores |= rightness(self.corpus.classes[unlabeled], chances.argmax(axis=1))
        memory = peak_memory_mb()
        return Line.of(self.corpus.name, name, self.picked, len(self.rows), [scores], spent, memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=CORPORA, default="agnews")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--labels", default="25,100")
    parser.add_argument("--subset", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--trial", action="store_true")
    asked = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    corpus = CORPORA[asked.dataset](asked.cache)
    texts = list(corpus.texts)
    recipe = recipe_of(asked, texts)
    print(f"Recipe: {json.dumps({k: v for k, v in recipe.as_json().items() if k != 'head'})}")
    for n in map(int, asked.labels.split(",")):
        picked, pick = ("cold", cold_rows) if n <= MOST_COLD else ("random", random_rows)
        what = Asked(corpus, texts, picked, pick(corpus, n, recipe.seed))
        place = asked.cache / f"deep-{corpus.name}-{n}-{hashed(recipe)}"
        if asked.trial:
            try_out(what, recipe, place)
        elif asked.again or not (place / "kept").exists():
            measure(what, recipe, place)
        else:
            print(f"{n} labels: measured before, with this recipe.")
    renew()


def measure(what: Asked, recipe: DeepRecipe, place: Path) -> None:
    """Measure the lines of one number of labels, kept one by one."""
    vectors, examples = what.corpus.vectors, make_examples(what.corpus, what.rows)
    watch = Stopwatch()
    head = tune(vectors, examples, Recipe(), ignore_progress, words=what.corpus.words)
    store_results(what.line(SAME_DRAW, vectors, head, watch.lap()))
    learned = learn(what, recipe, place)
    vectors = embedded(load_encoder(str(place / MODEL)), what.texts, place / "vectors.npy")
    store_results(what.line("deep", vectors, None, learned))
    watch.lap()
    head = tune(vectors, examples, recipe.head, ignore_progress, words=what.corpus.words)
    took = watch.lap()
    both = Spent(learned.seconds + took.seconds, learned.cpu_seconds + took.cpu_seconds)
    store_results(what.line("head on deep", vectors, head, both))
    shutil.rmtree(place)
    (place / "kept").mkdir(parents=True)


def store_results(line: Line) -> None:
    show(line)
    store_lines("deep", [line])


def try_out(what: Asked, recipe: DeepRecipe, place: Path) -> None:
    """Return the deep vectors of the test records alone."""
    learned = learn(what, recipe, place)
    encoder = load_encoder(str(place / MODEL))
    tested = encoder.encode(what.texts[: what.corpus.n_test])
    show(what.line("deep", tested, None, learned))


def learn(what: Asked, recipe: DeepRecipe, place: Path) -> Spent:
    """As a deep run of the product does it, without records held out; what that took."""
    kept = place / "spent.json"
    if kept.exists() and (place / MODEL).is_dir():
        return Spent(*json.loads(kept.read_text()))
    watch, vectors = Stopwatch(), what.corpus.vectors
    graph = build_neighbour_graph(vectors, recipe.head.neighbours)
    examples = make_examples(what.corpus, what.rows)
    soft = infer_soft_targets(graph, vectors, examples, recipe.head, what.corpus.words)
    lesson = DeepTrainingData(what.texts, vectors, soft, what.rows, np.arange(len(what.texts)))
    learned = tune_deep(
        find_default_model_folder(),
        lesson,
        recipe,
        place,
        report=told_sometimes(),
        on_loss=lambda point: print(f"  {point}", flush=True) if point.validation_loss else None,
    )
    print(f"{learned.sentence} Learned {learned.n_learned}, validated {learned.n_validated}.")
    spent = watch.lap()
    kept.write_text(json.dumps(spent))
    return spent


def told_sometimes() -> Any:
    """Print every twentieth part of the progress."""
    last = [-1.0]

    def report(progress: float, sentence: str, _count: Count | None = None, /) -> None:
        if progress - last[0] >= 0.05:
            last[0] = progress
            print(f"  {sentence}", flush=True)

    return report


def recipe_of(asked: argparse.Namespace, texts: list[str]) -> DeepRecipe:
    """Return the usual recipe with what was asked for, its subset cut to the minutes there are."""
    values: dict[str, Any] = {}
    for each in asked.set:
        name, value = each.split("=")
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
    recipe = DeepRecipe.from_json(values | ({"subset": asked.subset} if asked.subset else {}))
    if asked.minutes is None:
        return recipe
    device = pick_device()
    pace = measured_pace(texts[:: len(texts) // N_TIMED])
    wanted = recipe.subset or (CPU_SUBSET if device == "cpu" else len(texts))
    expected = estimate_seconds(replace(recipe, subset=wanted), wanted, pace) / 60
    subset = int(wanted * min(1.0, asked.minutes / expected))
    print(f"{wanted} records would take {expected:.0f} minutes; learning from {subset}.")
    return replace(recipe, subset=subset)


def measured_pace(texts: list[str]) -> float:
    """Texts that this machine embeds in a second, of texts like these."""
    encoder = load_encoder(str(find_default_model_folder()))
    encoder.encode(texts[:8])  # The first batch pays for what the others find ready.
    start = time.perf_counter()
    encoder.encode(texts)
    return len(texts) / (time.perf_counter() - start)


def embedded(encoder: Encoder, texts: list[str], kept: Path) -> Vectors:
    """Every record's vector, kept until the lines are done."""
    if not kept.exists():
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16("cpu")):
            np.save(kept, encoder.encode(texts))
    return np.asarray(np.load(kept), dtype=np.float32)


def hashed(recipe: DeepRecipe) -> str:
    return hashlib.sha256(json.dumps(recipe.as_json(), sort_keys=True).encode()).hexdigest()[:8]


if __name__ == "__main__":
    main()
