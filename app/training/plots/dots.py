"""Dot plots with intervals: metrics of raw and tuned, and gains by label or segment."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.training.plots.canvas import Axis, Canvas, Cell, Plot, percent, points, truncate
from app.training.reports.metrics import Figure

LANE = 48.0
ROW = 30.0
MOST_ROWS = 20
LEAST_SPAN = 0.05
LEAST_CLEAR = 5
"""Below this number of records an interval is meaningless: that of one record has no width."""


@dataclass(frozen=True)
class GainRow:
    """Tuned minus raw for one label or segment, with its interval and the raw value."""

    name: str
    n: int
    raw: float
    value: float
    low: float
    high: float

    @property
    def is_worse(self) -> bool:
        """Whether tuned is clearly below raw here."""
        return self.n >= LEAST_CLEAR and self.high < 0

    @property
    def is_better(self) -> bool:
        """Whether tuned is clearly above raw here."""
        return self.n >= LEAST_CLEAR and self.low > 0


def plot_metrics(name: str, title: str, about: str, figures: Sequence[Figure]) -> Plot | None:
    """Plot metrics in [0, 1], raw beside tuned; None without metrics."""
    if not figures:
        return None
    canvas, x = Canvas(), Axis(0, 1, 12, 298)
    bottom = 8 + LANE * len(figures)
    canvas.posts(x, 4, bottom)
    for number, figure in enumerate(figures):
        _draw_metric(canvas, figure, x, 8 + LANE * number)
    parts = [
        f"{each.words}: raw {percent(each.raw.value, 1)}, tuned {percent(each.tuned.value, 1)}"
        for each in figures
    ]
    return Plot(
        name=name,
        title=title,
        about=about,
        summary="; ".join(parts),
        height=bottom + 24,
        width=384.0,
        shapes=tuple(canvas.shapes),
        columns=(
            "metric",
            "k",
            "n",
            "raw",
            "raw_low",
            "raw_high",
            "tuned",
            "tuned_low",
            "tuned_high",
            "chance",
        ),
        rows=tuple(_build_metric_row(figure) for figure in figures),
    )


def plot_gains(name: str, title: str, about: str, parts: Sequence[GainRow]) -> Plot | None:
    """Plot the gain of each part, largest first; None without parts."""
    if not parts:
        return None
    ordered = sorted(parts, key=lambda part: -part.value)
    half = MOST_ROWS // 2
    shown = ordered if len(ordered) <= MOST_ROWS else ordered[:half] + ordered[-half:]
    span = max(LEAST_SPAN, *(max(abs(part.low), abs(part.high)) for part in shown))
    canvas, x = Canvas(), Axis(-span, span, 12, 310)
    bottom = 8 + ROW * len(shown)
    for value in (-span, 0.0, span):
        canvas.line("tick", x.at(value), 4, x.at(value), bottom)
    for value, anchor in ((-span, "start"), (0.0, "middle"), (span, "end")):
        canvas.words(x.at(value), bottom + 15, points(value) if value else "0", anchor=anchor)
    for number, part in enumerate(shown):
        _draw_gain(canvas, part, x, 8 + ROW * number)
    return Plot(
        name=name,
        title=title,
        about=about,
        summary="; ".join(f"{part.name} {points(part.value)} points" for part in shown),
        height=bottom + 24,
        shapes=tuple(canvas.shapes),
        columns=("part", "n", "raw", "tuned", "gain", "gain_low", "gain_high"),
        rows=tuple((p.name, p.n, p.raw, p.raw + p.value, p.value, p.low, p.high) for p in ordered),
    )


def _draw_metric(canvas: Canvas, figure: Figure, x: Axis, top: float) -> None:
    k = f", k = {figure.tuned.k:,}" if figure.tuned.k else ""
    words = f"{figure.words}{k}, n = {figure.tuned.n:,}"
    canvas.words(12, top + 12, truncate(words, 64), kind="name")
    for role, score, below in (("raw", figure.raw, 23), ("tuned", figure.tuned, 36)):
        middle = top + below
        canvas.line(f"{role}-whisker", x.at(score.low), middle, x.at(score.high), middle)
        canvas.mark(role, x.at(score.value), middle)
        canvas.words(306, middle + 4, f"{percent(score.value, 1)} {role}")


def _build_metric_row(figure: Figure) -> tuple[Cell, ...]:
    raw, tuned = figure.raw, figure.tuned
    return (
        tuned.metric,
        tuned.k,
        tuned.n,
        raw.value,
        raw.low,
        raw.high,
        tuned.value,
        tuned.low,
        tuned.high,
        tuned.chance,
    )


def _draw_gain(canvas: Canvas, part: GainRow, x: Axis, top: float) -> None:
    role = "worse" if part.is_worse else "tuned" if part.is_better else "raw"
    canvas.words(12, top + 12, f"{truncate(part.name, 34)} (n = {part.n:,})", kind="name")
    canvas.line(f"{role}-whisker", x.at(part.low), top + 21, x.at(part.high), top + 21)
    canvas.mark(role, x.at(part.value), top + 21)
    canvas.words(354, top + 25, points(part.value), anchor="end")
