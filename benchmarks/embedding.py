"""How fast texts become vectors on this CPU, and how far the faster ways agree with torch.

usage: python benchmarks/embedding.py [--texts 2000] [--threads 1] [--ways plain torch openvino]

The ways, each on the same texts, in turns of 500 so that whatever else runs slows all alike:

  plain          SentenceTransformer(folder).encode(texts), as its library sets it
  torch          the product's own encoder
  openvino-fp32  the product's OpenVINO graph, held to fp32
  openvino       the same, with the precision OpenVINO chooses for this CPU
  openvino-int8  calibrated on 100 other texts of the corpus

Texts are long ones (AG News, the scored records) and short ones (ATIS queries); both lie in
$LIKEWISE_SHARED/data. Speed is texts per second of the clock and per second of the processors;
ratios are of the latter, as the former depends on who else computes. Cosine and neighbours are to
the plain vectors; purity is over the same texts, by their true classes.
"""

import argparse
import csv
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from corpora import ATIS
from numpy.typing import NDArray
from results_store import AGNEWS, SHARED, Spent, Stopwatch, store_results
from scores import choose_queries, purity
from sentence_transformers import SentenceTransformer

from app.ml.encoding.agreement import agreement
from app.ml.encoding.encoder import SentenceEncoder
from app.ml.encoding.model_folder import DEFAULT_MODEL, find_default_model_folder
from app.ml.encoding.runtime import load_runtime
from app.ml.encoding.runtime_export import write_runtime
from app.ml.vectors import Vectors

PURITY = ("top_10", "top_100", "top_1000", "r_precision")
AT_ONCE = 500
N_CALIBRATED = 100
WARM_UP = 32
Embeds = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Texts:
    """Some to embed, with their classes (n,) int64, and others of their kind to calibrate on."""

    corpus: str
    texts: list[str]
    classes: NDArray[np.int64]
    others: list[str]


@dataclass(frozen=True)
class Way:
    """One line of the table. seconds_to_prepare: of the processors, to write its file."""

    corpus: str
    way: str
    n: int
    threads: int
    texts_per_second: float
    texts_per_cpu_second: float
    times_plain: float
    mean_cosine: float
    least_cosine: float
    overlap_10: float
    purity: dict[str, float]
    seconds_to_prepare: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 1) - 1))
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    asked = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    torch.set_num_threads(asked.threads)
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)  # By which the product's runtime goes.
    model = SentenceTransformer(str(find_default_model_folder()), device="cpu")
    lines = []
    for texts in (news(asked.texts), queries(asked.texts)):
        lines += measured(model, texts, ["plain", *(w for w in asked.ways if w != "plain")])
    store_results("embedding", [asdict(line) for line in lines])


def news(n: int) -> Texts:
    records = json.loads((AGNEWS / "test.json").read_text())
    return _drawn(
        "agnews",
        [f"{record['Title']}. {record['Description']}" for record in records],
        [record["label"] for record in records],
        n,
    )


def queries(n: int) -> Texts:
    with ATIS.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    return _drawn("atis", [row["query"] for row in rows], [row["intent"] for row in rows], n)


def _drawn(corpus: str, texts: list[str], labels: list[str], n: int) -> Texts:
    order = np.random.RandomState(0).permutation(len(texts))
    classes = np.unique(labels, return_inverse=True)[1]
    kept = order[:n]
    others = [texts[row] for row in order[n : n + N_CALIBRATED]]
    return Texts(corpus, [texts[row] for row in kept], classes[kept], others)


def measured(model: SentenceTransformer, texts: Texts, names: Sequence[str]) -> list[Way]:
    with tempfile.TemporaryDirectory() as place:
        ways: dict[str, Embeds] = {}
        prepared: dict[str, float] = {}
        for name in names:
            watch = Stopwatch()
            ways[name] = WAYS[name](model, texts, Path(place) / name)
            prepared[name] = watch.lap().cpu_seconds
        vectors, spent = _in_turns(ways, texts.texts)
    lines = []
    for name in names:
        lines.append(_line(name, texts, vectors, spent, prepared[name]))
        show(lines[-1])
    return lines


def _in_turns(
    ways: dict[str, Embeds], texts: list[str]
) -> tuple[dict[str, Vectors], dict[str, Spent]]:
    parts: dict[str, list[Vectors]] = {name: [] for name in ways}
    laps: dict[str, list[Spent]] = {name: [] for name in ways}
    for embed in ways.values():
        embed(texts[:WARM_UP])
    for start in range(0, len(texts), AT_ONCE):
        for name, embed in ways.items():
            watch = Stopwatch()
            parts[name].append(embed(texts[start : start + AT_ONCE]))
            laps[name].append(watch.lap())
    vectors = {name: np.concatenate(some) for name, some in parts.items()}
    return vectors, {name: Spent(*np.sum(some, axis=0)) for name, some in laps.items()}


def _line(
    name: str,
    texts: Texts,
    vectors: dict[str, Vectors],
    spent: dict[str, Spent],
    seconds_to_prepare: float,
) -> Way:
    n = len(texts.texts)
    agreed = agreement(vectors["plain"], vectors[name])
    pure = purity(vectors[name], texts.classes, choose_queries(np.arange(n)))
    return Way(
        corpus=texts.corpus,
        way=name,
        n=n,
        threads=torch.get_num_threads(),
        texts_per_second=n / spent[name].seconds,
        texts_per_cpu_second=n / spent[name].cpu_seconds,
        times_plain=spent["plain"].cpu_seconds / spent[name].cpu_seconds,
        mean_cosine=agreed.mean_cosine,
        least_cosine=agreed.least_cosine,
        overlap_10=agreed.overlap,
        purity={name: pure[name] for name in PURITY if name in pure},
        seconds_to_prepare=seconds_to_prepare,
    )


def plain(model: SentenceTransformer, texts: Texts, file: Path) -> Embeds:
    del texts, file
    return lambda some: np.asarray(model.encode(list(some)), np.float32)


def own(model: SentenceTransformer, texts: Texts, file: Path) -> Embeds:
    del texts, file
    return SentenceEncoder(DEFAULT_MODEL, model, "cpu").encode


def openvino_fp32(model: SentenceTransformer, texts: Texts, file: Path) -> Embeds:
    del texts
    write_runtime(model, file)
    return load_runtime(file, DEFAULT_MODEL, precision="f32").encode


def openvino(model: SentenceTransformer, texts: Texts, file: Path) -> Embeds:
    del texts
    write_runtime(model, file)
    return load_runtime(file, DEFAULT_MODEL).encode


def openvino_int8(model: SentenceTransformer, texts: Texts, file: Path) -> Embeds:
    write_runtime(model, file, texts.others)
    return load_runtime(file, DEFAULT_MODEL).encode


WAYS: dict[str, Callable[[SentenceTransformer, Texts, Path], Embeds]] = {
    "plain": plain,
    "torch": own,
    "openvino-fp32": openvino_fp32,
    "openvino": openvino,
    "openvino-int8": openvino_int8,
}


def show(line: Way) -> None:
    top = " ".join(f"{share:.3f}" for share in line.purity.values())
    print(
        f"{line.corpus:7} {line.way:14} {line.texts_per_second:6.0f}/s "
        f"{line.texts_per_cpu_second:6.0f}/cpu s  x{line.times_plain:.2f}  "
        f"cos {line.mean_cosine:.4f} (least {line.least_cosine:.4f}) "
        f"nearest 10 {line.overlap_10:.3f}  purity {top}  "
        f"prepared in {line.seconds_to_prepare:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
