"""The metrics of a run as tables: one over all labels, one by label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.models import Evaluation
from app.training.reports.metrics import describe_metric

ROLES = ("raw", "active", "tuned")


@dataclass(frozen=True)
class MetricRow:
    """One metric at one k: the score of each role that has it."""

    metric: str
    k: int | None
    by_role: dict[str, Evaluation] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The display name of the metric."""
        return describe_metric(self.metric)

    @property
    def n(self) -> int:
        """The number of queries; the active version may have fewer."""
        return max(score.n for score in self.by_role.values())

    @property
    def chance(self) -> float | None:
        """The score of chance."""
        return next(iter(self.by_role.values())).chance


@dataclass(frozen=True)
class LabelRow:
    """One label of the tuned version: its scores by metric, and what was suggested instead."""

    name: str
    by_metric: dict[str, Evaluation] = field(default_factory=dict)
    instead: list[tuple[str, float]] = field(default_factory=list)

    @property
    def n(self) -> int:
        """The number of its held-out records."""
        return max((score.n for score in self.by_metric.values()), default=0)


def build_metric_rows(scores: Sequence[Evaluation]) -> list[MetricRow]:
    """Build the rows over all labels, in the order of storage."""
    rows: dict[tuple[str, int | None], MetricRow] = {}
    for score in scores:
        if score.role in ROLES and score.label_id is None:
            key = (score.metric, score.k)
            rows.setdefault(key, MetricRow(*key)).by_role[score.role] = score
    return list(rows.values())


def build_label_rows(scores: Sequence[Evaluation], names: Mapping[int, str]) -> list[LabelRow]:
    """Build the rows by label, sorted by name; most frequent confusions first."""
    rows: dict[int, LabelRow] = {}
    for score in scores:
        if score.role != "tuned" or score.label_id is None:
            continue
        row = rows.setdefault(score.label_id, LabelRow(names.get(score.label_id, "–")))
        if score.suggested_id is None:
            row.by_metric[score.metric] = score
        elif score.suggested_id != score.label_id:
            row.instead.append((names.get(score.suggested_id, "–"), score.value))
    for row in rows.values():
        row.instead.sort(key=lambda each: -each[1])
    return sorted(rows.values(), key=lambda row: row.name.casefold())
