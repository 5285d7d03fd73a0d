"""Raw against tuned as a picture: where each point, line and word stands. Drawn by the server."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.training.figures import Figure

WIDTH = 640
LEFT, RIGHT = 16, 624
ROW = 62
TOP = 26


@dataclass(frozen=True)
class Mark:
    """One measured share with its interval: x positions in the picture's own units, y its line."""

    x: float
    low: float
    high: float
    y: float
    text: str


@dataclass(frozen=True)
class Lane:
    """One metric: its words, raw mark and tuned mark."""

    words: str
    y: float
    raw: Mark
    tuned: Mark


@dataclass(frozen=True)
class Chart:
    """Lanes over a common axis of shares from 0 to 1; `ticks` are (x, words)."""

    width: int
    height: int
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    bottom: float


def chart_of(figures: Sequence[Figure]) -> Chart | None:
    """The picture of these figures, or None if there are none."""
    if not figures:
        return None
    lanes = tuple(_lane(figure, TOP + number * ROW) for number, figure in enumerate(figures))
    bottom = TOP + len(lanes) * ROW - 12
    ticks = tuple((_x(step / 4), f"{25 * step} %") for step in range(5))
    return Chart(WIDTH, bottom + 24, lanes, ticks, bottom)


def _lane(figure: Figure, y: float) -> Lane:
    k = f", k = {figure.tuned.k}" if figure.tuned.k else ""
    words = f"{figure.words} (n = {figure.tuned.n:,}{k})"
    marks = [
        Mark(_x(s.value), _x(s.low), _x(s.high), y + below, f"{100 * s.value:.1f} %")
        for s, below in ((figure.raw, 14.0), (figure.tuned, 30.0))
    ]
    return Lane(words, y, *marks)


def _x(share: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * share, 1)
