"""Lines of the tuning table: what they hold, how they are kept and shown."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
from results_store import Spent, load_rows, store_rows

KIND = ("corpus", "labels", "recipe", "picked")
"""What a newer line must share with an older one to take its place."""


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
        cls,
        corpus: str,
        recipe: str,
        picked: str,
        labels: int,
        scores: list[dict[str, float]],
        spent: Spent,
        memory_mb: float,
    ) -> Self:
        """Return a line of today, from the scores of each draw."""
        mean = {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}
        spread = {name: float(np.std([score[name] for score in scores])) for name in scores[0]}
        day = datetime.now(UTC).date().isoformat()
        return cls(
            corpus, recipe, picked, labels, len(scores), mean, spread, *spent, memory_mb, day
        )


def load_lines(name: str) -> list[Line]:
    """Load the lines in results/NAME.json; none if there is no such file."""
    return [Line(**line) for line in load_rows(name)]


def store_lines(name: str, lines: list[Line]) -> None:
    """Put these lines into results/NAME.json, each in place of an older one of its kind."""
    store_rows(name, [asdict(line) for line in lines], by=KIND)


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
