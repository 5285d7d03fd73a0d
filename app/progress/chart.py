"""Labeled records over time as a picture. Drawn by the server, in percent of its size, so that
words stay as large as they are elsewhere, however narrow the page."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from app.progress.goals import Goal
from app.progress.timeline import HOUR, Timeline

MINUTE = timedelta(minutes=1)
TOP, BOTTOM = 9.0, 88.0
# Percent of the height.
LEAST_APART = 9.0
# A goal's day is drawn as long as it leaves at least this part of the width to what was done.
LEAST_PAST = 0.2


@dataclass(frozen=True)
class Chart:
    """Places in percent of width and height.

    line   corners of the line of labeled records, as an SVG polyline takes them
    area   the same closed along the bottom
    end    where the line ends: now
    goal   height of the goal's line, or None
    path   from now to the goal on its day, (x1, y1, x2, y2), or None
    y_ticks, x_ticks  (place, words); x_ticks from left to right, at most three
    """

    line: str
    area: str
    end: tuple[float, float]
    goal: float | None
    path: tuple[float, float, float, float] | None
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]


def build_chart(timeline: Timeline, goal: Goal | None) -> Chart:
    """Build the chart of this timeline, with the goal if there is one."""
    scale = _Scale(timeline, goal)
    points = zip(timeline.moments, timeline.n_labeled, strict=True)
    places = [(0.0, scale.y(0)), *((scale.x(moment), scale.y(n)) for moment, n in points)]
    line = " ".join(f"{x},{y}" for x, y in places)
    end = places[-1]
    return Chart(
        line=line,
        area=f"0,{BOTTOM} {line} {end[0]},{BOTTOM}",
        end=end,
        goal=None if goal is None else scale.y(goal.n),
        path=None if goal is None or not scale.has_day else (*end, 100.0, scale.y(goal.n)),
        y_ticks=scale.y_ticks(goal),
        x_ticks=scale.x_ticks(),
    )


class _Scale:
    """Map times and counts to positions."""

    def __init__(self, timeline: Timeline, goal: Goal | None) -> None:
        self.start, self.now = timeline.started_at, timeline.moments[-1]
        self.is_short = timeline.moments[-1] - timeline.started_at < 48 * HOUR
        until = self.now
        if goal is not None and goal.until is not None:
            until = datetime.combine(goal.until, time(23, 59, 59), UTC)
        past = (self.now - self.start) / max(until - self.start, HOUR)
        self.has_day = until > self.now and past >= LEAST_PAST
        self.until = until if self.has_day else self.now
        self.top = max(timeline.n_labeled[-1], goal.n if goal else 0, 1)

    def x(self, moment: datetime) -> float:
        return round(100 * ((moment - self.start) / max(self.until - self.start, MINUTE)), 2)

    def y(self, n: int) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * n / self.top, 2)

    def y_ticks(self, goal: Goal | None) -> tuple[tuple[float, str], ...]:
        ticks = ((self.y(n), f"{n:,}") for n in _round_numbers(self.top))
        # A tick's words beside the goal's would be struck through by its line.
        return tuple(t for t in ticks if goal is None or abs(t[0] - self.y(goal.n)) > LEAST_APART)

    def x_ticks(self) -> tuple[tuple[float, str], ...]:
        form = "%-d %b, %H:%M" if self.is_short else "%-d %b"
        last = "now" if not self.has_day else self.until.strftime(form)
        first = (0.0, self.start.strftime(form))
        middle = self.x(self.now)
        between = ((middle, "now"),) if self.has_day and 15 < middle < 85 else ()
        return (first, *between, (100.0, last))


def _round_numbers(top: int) -> list[int]:
    """Choose three to five round numbers from 0 to the top."""
    power = 10 ** (len(str(top)) - 1)
    steps = (power // 5, power // 2, power, 2 * power, 5 * power)
    step = next(step for step in steps if step and top / step <= 4.5)
    return list(range(0, top + 1, step))
