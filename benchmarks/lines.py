"""Lines of the tuning table: what they hold, how they are kept and shown."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from kept import RESULTS, Spent, keep

Key = tuple[str, str, str, int]


@dataclass(frozen=True)
class Line:
    """One recipe on so many labels of a corpus.

    scores  mean over the draws: top_5 .. top_1000, r_precision, macro_r_precision, and for recipes
            that suggest, accuracy and macro_f1
    spread  standard deviation over the draws, of each score
    """

    corpus: str
    recipe: str
    picked: str
    labels: int
    draws: int
    scores: dict[str, float]
    spread: dict[str, float]
    seconds: float
    cpu_seconds: float
    memory_mb: float
    day: str

    @classmethod
    def of(
        cls, corpus: str, recipe: str, picked: str, labels: int,
        scores: list[dict[str, float]], spent: Spent, memory_mb: float,
    ) -> Self:  # fmt: skip
        """A line of today, from the scores of each draw."""
        mean = {name: float(np.mean([each[name] for each in scores])) for name in scores[0]}
        spread = {name: float(np.std([each[name] for each in scores])) for name in scores[0]}
        day = datetime.now(UTC).date().isoformat()
        return cls(
            corpus, recipe, picked, labels, len(scores), mean, spread, *spent, memory_mb, day
        )

    @property
    def key(self) -> Key:
        """What a newer line must share to take this one's place."""
        return self.corpus, self.recipe, self.picked, self.labels


def kept_lines(name: str) -> list[Line]:
    """The lines in results/NAME.json; none if there is no such file."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    figures: list[dict[str, Any]] = json.loads(path.read_text())["figures"]
    return [Line(**line) for line in figures]


def keep_lines(name: str, lines: list[Line]) -> None:
    """Put these lines into results/NAME.json, each in place of an older one with its key."""
    known = {line.key: line for line in kept_lines(name)} | {line.key: line for line in lines}
    keep(name, [asdict(line) for line in sorted(known.values(), key=_place)])


def _place(line: Line) -> tuple[str, int, str, str]:
    return line.corpus, line.labels, line.recipe, line.picked


def show(line: Line) -> None:
    """One row of the printed table."""
    names = ("top_10", "top_100", "top_1000", "r_precision", "accuracy", "macro_f1")
    cells = " ".join(f"{name} {line.scores[name]:.3f}" for name in names if name in line.scores)
    print(
        f"{line.corpus} {line.labels:5} {line.picked:9} {line.recipe:12} {cells}  "
        f"{line.seconds:.1f} s ({line.cpu_seconds:.1f} s of processors) {line.memory_mb:.0f} MB  "
        f"draws {line.draws}",
        flush=True,
    )
