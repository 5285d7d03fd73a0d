"""Distributions over queries: violin plots of all queries and box plots by label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.training.pipeline.query_results import ROLES, StoredResults
from app.training.plots.canvas import Axis, Canvas, Plot, percent, truncate

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 40.0, 310.0, 14.0, 196.0, 226.0
MOST_LABELS = 15
LANE = 44.0
HALF = 62.0
QUARTILES = (25, 50, 75)
ENDS = (10, 25, 50, 75, 90)
LEAST_POSSIBLE = 0.6

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """The n queries of one label; raw and tuned hold the percentiles ENDS."""

    name: str
    n: int
    raw: list[float]
    tuned: list[float]


def plot_violins(measured: StoredResults, names: Mapping[int, str]) -> Plot | None:
    """Plot the distribution of precision@k over queries; None without depths.

    Decision: the largest k at which a perfect ranking would still have mostly same-label hits.
    With 60 labels, k = 25 of 29 candidates would show how many there are, not how they are ranked.
    """
    if not measured.ks:
        return None
    k, n = measured.ks[_choose_depth(measured)], len(measured.at)
    labels = _list_label_names(measured, names)
    raw, tuned = (_get_purity(measured, role) for role in ROLES)
    return Plot(
        name="top_1k",
        title=f"Precision@k by query, k = {k:,}",
        about=(
            f"Share of the {k:,} nearest with the query's label, for {n:,} held-out queries. "
            "Width: number of queries; lines: quartiles; mark: mean."
        ),
        summary=f"{_describe_spread('raw', raw)}; {_describe_spread('tuned', tuned)}.".capitalize(),
        height=HEIGHT,
        shapes=tuple(_draw_violins(raw, tuned, float(measured.chance.mean())).shapes),
        columns=("record", "label", "k", "raw", "tuned"),
        rows=tuple(
            (int(measured.record_ids[place]), labels[place], k, float(raw[i]), float(tuned[i]))
            for i, place in enumerate(measured.at)
        ),
    )


def plot_label_boxes(measured: StoredResults, names: Mapping[int, str]) -> Plot | None:
    """Plot the same by label, for the labels with most queries; None without depths."""
    if not measured.ks:
        return None
    k, boxes = measured.ks[_choose_depth(measured)], _compute_boxes(measured, names)
    shown = boxes[:MOST_LABELS]
    left = f" The {MOST_LABELS} most frequent labels." if len(boxes) > MOST_LABELS else ""
    return Plot(
        name="top_1k_by_label",
        title=f"Precision@k by label, k = {k:,}",
        about=(
            "Line: 10th to 90th percentile; box: middle half; mark: median. Upper, hollow: raw; "
            f"lower, filled: tuned.{left}"
        ),
        summary="; ".join(
            f"{box.name}: median {percent(box.raw[2])} raw, {percent(box.tuned[2])} tuned"
            for box in shown
        ),
        height=34 + LANE * len(shown),
        shapes=tuple(_draw_boxes(shown).shapes),
        columns=("label", "k", "n", *(f"{role}_p{end}" for role in ROLES for end in ENDS)),
        rows=tuple((box.name, k, box.n, *box.raw, *box.tuned) for box in boxes),
    )


def _compute_boxes(measured: StoredResults, names: Mapping[int, str]) -> list[Box]:
    """Compute the box of every label, most frequent first."""
    carried = measured.targets[measured.at]
    n = carried.sum(axis=0)
    values = {role: _get_purity(measured, role) for role in ROLES}
    found = []
    for column in (int(i) for i in np.argsort(-n, kind="stable") if n[i]):
        ends = {
            role: np.percentile(values[role][carried[:, column]], ENDS).tolist() for role in ROLES
        }
        name = names.get(measured.label_ids[column], "–")
        found.append(Box(name, int(n[column]), **ends))
    return found


def _get_purity(measured: StoredResults, role: str) -> Floats:
    return np.asarray(measured.purity[role][:, _choose_depth(measured)], np.float64)


def _choose_depth(measured: StoredResults) -> int:
    """Return the index of the depth to show."""
    sensible = np.flatnonzero(measured.best.mean(axis=0) >= LEAST_POSSIBLE)
    return int(sensible[-1]) if len(sensible) else 0


def _list_label_names(measured: StoredResults, names: Mapping[int, str]) -> list[str]:
    label_names = [names.get(i, "–") for i in measured.label_ids]
    return [", ".join(label_names[i] for i in np.flatnonzero(row)) for row in measured.targets]


def _describe_spread(role: str, values: Floats) -> str:
    low, middle, high = np.percentile(values, QUARTILES)
    return (
        f"{role}: mean {percent(values.mean(), 1)}, median {percent(middle)}, middle half "
        f"between {percent(low)} and {percent(high)}"
    )


def _draw_violins(raw: Floats, tuned: Floats, mean_chance: float) -> Canvas:
    canvas, y = Canvas(), Axis(0, 1, BOTTOM, TOP)
    canvas.rungs(y, LEFT, RIGHT)
    for role, centre, values in (("raw", 106.0, raw), ("tuned", 242.0, tuned)):
        _draw_violin(canvas, role, centre, values, y)
        canvas.words(centre, BOTTOM + 18, role, kind="name", anchor="middle")
    chance = y.at(mean_chance)
    canvas.line("chance", LEFT, chance, RIGHT, chance)
    canvas.words(RIGHT + 5, chance + 4, "chance")
    return canvas


def _draw_violin(canvas: Canvas, role: str, centre: float, values: Floats, y: Axis) -> None:
    heights = np.linspace(values.min(), values.max(), 48)
    spread = max(0.02, 1.06 * float(values.std()) * len(values) ** -0.2)
    density = np.exp(-0.5 * ((heights[:, None] - values[None, :]) / spread) ** 2).mean(axis=1)
    width = density / density.max() * HALF
    left = [(centre - w, y.at(h)) for h, w in zip(heights, width, strict=True)]
    right = [(centre + w, y.at(h)) for h, w in zip(heights, width, strict=True)]
    canvas.path("raw-mark" if role == "raw" else "tuned-area", left + right[::-1], closed=True)
    for value in np.percentile(values, QUARTILES):
        reach = float(np.interp(value, heights, width))
        canvas.line(f"{role}-whisker", centre - reach, y.at(value), centre + reach, y.at(value))
    canvas.mark(role, centre, y.at(float(values.mean())), 4)


def _draw_boxes(shown: Sequence[Box]) -> Canvas:
    canvas, x = Canvas(), Axis(0, 1, 12, 330)
    canvas.posts(x, 6, 10 + LANE * len(shown))
    for number, box in enumerate(shown):
        top = 10 + LANE * number
        _draw_box(canvas, "raw", box.raw, x, top + 21)
        _draw_box(canvas, "tuned", box.tuned, x, top + 32)
        canvas.words(12, top + 12, f"{truncate(box.name, 36)} (n = {box.n:,})", kind="name")
    return canvas


def _draw_box(canvas: Canvas, role: str, ends: list[float], x: Axis, middle: float) -> None:
    low, first, median, third, high = (x.at(end) for end in ends)
    canvas.line(f"{role}-whisker", low, middle, high, middle)
    kind = "raw-mark" if role == "raw" else "tuned-area"
    canvas.rect(kind, first, middle - 3.5, third - first, 7)
    canvas.mark(role, median, middle, 3.5)
