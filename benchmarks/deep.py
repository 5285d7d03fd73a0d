"""What is a deep run worth? Tunes the whole encoder, embeds every record with it, prints a table.

usage: python benchmarks/deep.py [--labels 25 100] [--subset 4000] [--minutes 60] [--cache FOLDER]
                                 [--set learning_rate=1e-4 ...] [--trial]

On AG News (see corpora.py), labels of a cold start over all records. Lines: raw, the head on raw
vectors, the deep encoder's own vectors, and a head on top of them, learned from the same labels
through the graph of the deep vectors. Scores are over the test split by its true labels.
Checkpoints stay in --cache until a line is done, so a run that was killed goes on. --minutes cuts
the subset until learning is expected to fit; --trial scores the deep vectors of the test split
alone, and keeps nothing.
"""

import argparse
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from corpora import CACHE, SPLITS, Corpus, agnews, cold_rows, examples_of, silent
from figures import renew
from kept import AGNEWS, SHARED, Spent, Stopwatch, most_memory_mb
from lines import Line, keep_lines, show
from scores import purity, queries_of

from app.similarity.deep.estimate import measured_pace, seconds_to_learn
from app.similarity.deep.recipe import CPU_SUBSET, DeepRecipe
from app.similarity.deep.tuning import Learned, Lesson, tune_deep
from app.similarity.encoding.encoder import Encoder, load_encoder, pick_device
from app.similarity.encoding.model_folder import default_model_folder
from app.similarity.graph import neighbour_graph
from app.similarity.head import Head
from app.similarity.measuring.evaluation import classification
from app.similarity.suggesting import lessons_of_all
from app.similarity.tuning import tune
from app.similarity.vectors import Vectors

N_TIMED = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--labels", type=int, nargs="+", default=[25, 100])
    parser.add_argument("--subset", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--trial", action="store_true")
    asked = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    corpus, texts = agnews(asked.cache), texts_of_agnews()
    recipe = recipe_of(asked, texts)
    print(f"Recipe: {json.dumps({k: v for k, v in recipe.as_json().items() if k != 'head'})}")
    kept = [line_of(corpus, "raw", np.empty(0, np.int64), corpus.vectors, None, Spent(0, 0))]
    show(kept[0])
    for n in asked.labels:
        measure(corpus, texts, n, recipe, asked)
    renew()


def measure(
    corpus: Corpus, texts: list[str], n: int, recipe: DeepRecipe, asked: argparse.Namespace
) -> None:
    """The lines of one number of labels, kept one by one."""
    rows = cold_rows(corpus, n, recipe.seed)
    watch = Stopwatch()
    head = tune(corpus.vectors, examples_of(corpus, rows), recipe.head, silent)
    show(line_of(corpus, "head", rows, corpus.vectors, head, watch.lap()))
    place = asked.cache / f"deep-{n}-{hashed(recipe)}"
    learned = learn(corpus, texts, rows, recipe, place)
    print(f"{learned.sentence} Learned {learned.n_learned}, validated {learned.n_validated}.")
    encoder = load_encoder(str(learned.folder))
    spent = watch.lap()
    if asked.trial:
        vectors = encoder.encode(texts[: corpus.n_test])
        show(line_of(corpus, "deep", rows, vectors, None, spent))
        return
    vectors = embedded(encoder, texts, place / "vectors.npy")
    lines = [line_of(corpus, "deep", rows, vectors, None, spent)]
    show(lines[0])
    watch.lap()
    head = tune(vectors, examples_of(corpus, rows), recipe.head, silent)
    took = watch.lap()
    both = Spent(spent.seconds + took.seconds, spent.cpu_seconds + took.cpu_seconds)
    lines.append(line_of(corpus, "head on deep", rows, vectors, head, both))
    show(lines[1])
    keep_lines("deep", lines)
    shutil.rmtree(place)


def learn(
    corpus: Corpus, texts: list[str], rows: np.ndarray, recipe: DeepRecipe, place: Path
) -> Learned:
    """As a deep run of the product does it, without records held out."""
    examples = examples_of(corpus, rows)
    graph = neighbour_graph(corpus.vectors, recipe.head.neighbours)
    soft = lessons_of_all(graph, corpus.vectors, examples, recipe.head)
    lesson = Lesson(texts, corpus.vectors, soft, rows, np.arange(len(texts)))
    last = [-1.0]

    def report(progress: float, sentence: str) -> None:
        if progress - last[0] >= 0.05:
            last[0] = progress
            print(f"  {sentence}", flush=True)

    return tune_deep(
        default_model_folder(), lesson, recipe, place, report=report,
        told=lambda point: print(f"  {point}", flush=True) if point.validation_loss else None,
    )  # fmt: skip


def line_of(
    corpus: Corpus, name: str, rows: np.ndarray, vectors: Vectors, head: Head | None, spent: Spent
) -> Line:
    """Scores among the test records, and what the head suggests for them, if there is one."""
    tested, every = vectors[: corpus.n_test], np.arange(corpus.n_test)
    tuned = tested if head is None else head.tune(tested)
    scores = purity(tuned, corpus.tested_classes, queries_of(every))
    chances = None if head is None else head.suggest(tested)
    if chances is not None:
        said = classification(corpus.tested_classes, chances.argmax(axis=1))
        scores |= {"accuracy": said.accuracy, "macro_f1": said.macro_f1}
    picked = "cold" if len(rows) else "-"
    return Line.of("agnews", name, picked, len(rows), [scores], spent, most_memory_mb())


def recipe_of(asked: argparse.Namespace, texts: list[str]) -> DeepRecipe:
    """The usual recipe with what was asked for, its subset cut to the minutes there are."""
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
    pace = measured_pace(load_encoder(str(default_model_folder())), texts[:: len(texts) // N_TIMED])
    wanted = recipe.subset or (CPU_SUBSET if device == "cpu" else len(texts))
    expected = seconds_to_learn(replace(recipe, subset=wanted), wanted, pace) / 60
    subset = int(wanted * min(1.0, asked.minutes / expected))
    print(f"{wanted} records would take {expected:.0f} minutes; learning from {subset}.")
    return replace(recipe, subset=subset)


def embedded(encoder: Encoder, texts: list[str], kept: Path) -> Vectors:
    """Every record's vector, kept until the lines are done."""
    if not kept.exists():
        np.save(kept, encoder.encode(texts))
    return np.asarray(np.load(kept), dtype=np.float32)


def texts_of_agnews() -> list[str]:
    """The texts in the corpus's order."""
    records = [r for split in SPLITS for r in json.loads((AGNEWS / f"{split}.json").read_text())]
    return [r["Title"] + ". " + r["Description"] for r in records]


def hashed(recipe: DeepRecipe) -> str:
    return hashlib.sha256(json.dumps(recipe.as_json(), sort_keys=True).encode()).hexdigest()[:8]


if __name__ == "__main__":
    main()
