"""Plots as shapes, used both in the page, where a style sheet colours them for light and dark, and
in files, where they carry their own colours. Each plot comes with its data.

Nothing is shown by colour alone: raw is dashed and hollow, tuned is solid and filled, and lines are
named at their end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Cell = str | int | float | None
WIDTH = 360.0
"""In the picture's own units: on a small screen they are pixels, and the words stay readable."""

INK, SOFT, FAINT, ACCENT, PAPER = "#1d2227", "#555c61", "#c9c9c4", "#0a7272", "#ffffff"
BAD = "#b02a2d"
HALO = {"paint-order": "stroke", "stroke": PAPER, "stroke-width": "3", "stroke-linejoin": "round"}
"""Keeps words readable where a line runs behind them."""

PAINT: dict[str, dict[str, str]] = {
    "words": {"fill": SOFT, "font-size": "11"} | HALO,
    "name": {"fill": INK, "font-size": "12"} | HALO,
    "tick": {"stroke": FAINT, "stroke-width": "1"},
    "chance": {"stroke": SOFT, "stroke-width": "1", "stroke-dasharray": "1 3", "fill": "none"},
    "best": {"stroke": FAINT, "stroke-width": "1.5", "fill": "none"},
    "raw-line": {"stroke": SOFT, "stroke-width": "2", "stroke-dasharray": "5 3", "fill": "none"},
    "raw-mark": {"fill": PAPER, "stroke": SOFT, "stroke-width": "1.5"},
    "raw-whisker": {"stroke": SOFT, "stroke-width": "1.5"},
    "tuned-line": {"stroke": ACCENT, "stroke-width": "2", "fill": "none"},
    "tuned-mark": {"fill": ACCENT, "stroke": ACCENT, "stroke-width": "1.5"},
    "tuned-whisker": {"stroke": ACCENT, "stroke-width": "1.5"},
    "tuned-area": {"fill": ACCENT, "fill-opacity": "0.35", "stroke": ACCENT, "stroke-width": "1.5"},
    "worse-mark": {"fill": BAD, "stroke": BAD, "stroke-width": "1.5"},
    "worse-whisker": {"stroke": BAD, "stroke-width": "1.5"},
    "cell": {"fill": ACCENT, "stroke": FAINT, "stroke-width": "0.5"},
}
"""What a file paints each class with; static/css/plots.css says the same for pages."""

Ticks = Sequence[tuple[float, str]]
QUARTERS: Ticks = tuple((i / 4, f"{25 * i} %") for i in range(5))
"""Where an axis of shares is marked, and with which words."""


@dataclass(frozen=True)
class Shape:
    """An SVG element: tag, class, other attributes and text."""

    tag: str
    kind: str
    at: dict[str, str]
    words: str = ""

    @property
    def in_page(self) -> dict[str, str]:
        """Attributes for a page with a style sheet."""
        return {"class": f"plot-{self.kind}"} | self.at

    @property
    def in_file(self) -> dict[str, str]:
        """Attributes for a file without a style sheet."""
        return PAINT[self.kind] | self.at


@dataclass(frozen=True)
class Plot:
    """A plot and its data.

    name     as in its URL; title: heading; about: how to read it
    summary  text alternative
    columns, rows  the data
    """

    name: str
    title: str
    about: str
    summary: str
    height: float
    shapes: tuple[Shape, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    width: float = WIDTH


@dataclass(frozen=True)
class Axis:
    """A linear scale: values from low to high, positions from start to stop."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        """Return the position of the value, clamped to the ends."""
        span = self.high - self.low or 1.0
        part = min(max((value - self.low) / span, 0.0), 1.0)
        return self.start + (self.stop - self.start) * part


@dataclass
class Canvas:
    """Collects shapes; positions are rounded to a tenth."""

    shapes: list[Shape] = field(default_factory=list)

    def line(self, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """Draw a straight line."""
        ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
        self.shapes.append(
            Shape("line", kind, {name: _format_number(v) for name, v in ends.items()})
        )

    def path(self, kind: str, points: Iterable[tuple[float, float]], *, closed: bool) -> None:
        """Draw a line through points, or the area they enclose."""
        places = " ".join(f"{_format_number(x)},{_format_number(y)}" for x, y in points)
        self.shapes.append(Shape("polygon" if closed else "polyline", kind, {"points": places}))

    def rect(self, kind: str, x: float, y: float, width: float, height: float, **more: str) -> None:
        """Draw a rectangle."""
        at = {"x": x, "y": y, "width": max(width, 0.0), "height": height}
        self.shapes.append(
            Shape("rect", kind, {k: _format_number(v) for k, v in at.items()} | more)
        )

    def mark(self, role: str, x: float, y: float, size: float = 3.5) -> None:
        """Draw a data point: raw as a hollow circle, tuned as a filled square, worse as a triangle
        pointing down."""
        kind = f"{role}-mark"
        if role == "raw":
            at = {"cx": _format_number(x), "cy": _format_number(y), "r": _format_number(size)}
            self.shapes.append(Shape("circle", kind, at))
        elif role == "worse":
            corners = ((x - size, y - size), (x + size, y - size), (x, y + size))
            self.path(kind, corners, closed=True)
        else:
            self.rect(kind, x - size, y - size, 2 * size, 2 * size)

    def words(
        self, x: float, y: float, text: str, *, kind: str = "words", anchor: str = "start"
    ) -> None:
        """Draw a line of text with its baseline at y."""
        at = {"x": _format_number(x), "y": _format_number(y), "text-anchor": anchor}
        self.shapes.append(Shape("text", kind, at, text))

    def rungs(self, y: Axis, left: float, right: float, ticks: Ticks = QUARTERS) -> None:
        """Draw horizontal grid lines with names on the left."""
        for value, words in ticks:
            self.line("tick", left, y.at(value), right, y.at(value))
            self.words(left - 5, y.at(value) + 4, words, anchor="end")

    def posts(self, x: Axis, top: float, bottom: float) -> None:
        """Draw vertical grid lines at each quarter, named below."""
        for value, words in QUARTERS:
            self.line("tick", x.at(value), top, x.at(value), bottom)
            self.words(x.at(value), bottom + 15, words, anchor="middle")


def percent(value: float, digits: int = 0) -> str:
    """Format a share in percent."""
    return f"{100 * value:.{digits}f} %"


def points(value: float) -> str:
    """Format a difference of shares in percentage points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "\u2212")


def spread_apart(places: Sequence[float], least: float) -> list[float]:
    """Move the positions as little as needed to keep them `least` apart, in their own order."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + least)
    return moved


def truncate(text: str, most: int) -> str:
    """Shorten the text to this many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _format_number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
