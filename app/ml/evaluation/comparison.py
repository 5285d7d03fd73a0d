"""The result of a comparison. Each metric is implemented once, in the modules named below;
docs/evaluation.md explains them, with sources.

    ranking         what one query's neighbours are worth
    overlap         two rankings against each other
    classification  suggested labels against true ones, and calibration
    intervals       how far a figure is to be trusted
"""

from dataclasses import dataclass, field

from app.ml.evaluation.per_query import QueryResults


@dataclass(frozen=True)
class Score:
    """One number with what it was measured on: the figure over n queries, and its 95 % interval.

    label_id      of that label alone
    suggested_id  of a confusion: the label that was suggested for records of label_id
    chance        the score of random neighbours
    """

    metric: str
    k: int | None
    n: int
    value: float
    low: float
    high: float
    label_id: int | None = None
    suggested_id: int | None = None
    chance: float | None = None


@dataclass(frozen=True)
class Difference:
    """Tuned minus another on the same n queries, pair by pair, with its 95 % interval.

    chance_worse  share of the draws in which tuned was below the other
    """

    metric: str
    against: str
    n: int
    value: float
    low: float
    high: float
    chance_worse: float


@dataclass(frozen=True)
class Comparison:
    """Raw against tuned, on the same queries with the same k. No scores: it could not be
    measured.

    active       scores of the version in use, where it is a tuned one
    differences  tuned against raw, and against the version in use
    queries      what each of them got, where anything was measured
    """

    raw: tuple[Score, ...]
    tuned: tuple[Score, ...]
    is_better: bool
    sentence: str
    active: tuple[Score, ...] = ()
    differences: tuple[Difference, ...] = ()
    queries: QueryResults | None = field(default=None, compare=False, repr=False)
