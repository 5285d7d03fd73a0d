"""Plots of how single queries spread: violins of all of them, and boxes label by label."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.training.measured import ROLES, Measured
from app.training.plots import Axis, Canvas, Plot, cut, percent

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 40.0, 350.0, 14.0, 196.0, 226.0
MOST_LABELS = 15
LANE = 44.0
HALF = 62.0
QUARTILES = (25, 50, 75)
ENDS = (10, 25, 50, 75, 90)
LEAST_POSSIBLE = 0.6

Floats = NDArray[np.float64]


def violins(measured: Measured, names: Mapping[int, str]) -> Plot | None:
    """How top_k at a deep k spreads over the queries; None where no depth was asked.

    Decision: the deepest k at which a perfect ranking would still have most neighbours alike.
    With 60 labels, k = 25 of 29 candidates would show how many there are, not how they are ranked.
    """
    if not measured.ks:
        return None
    k, n = measured.ks[_place(measured)], len(measured.at)
    drawn, y = Canvas(), Axis(0, 1, BOTTOM, TOP)
    for i in range(5):
        drawn.line("tick", LEFT, y.at(i / 4), RIGHT, y.at(i / 4))
        drawn.words(LEFT - 5, y.at(i / 4) + 4, percent(i / 4), anchor="end")
    said = []
    for role, centre in (("raw", 118.0), ("tuned", 272.0)):
        values = _deepest(measured, role)
        _violin(drawn, role, centre, values, y)
        drawn.words(centre, BOTTOM + 18, role, kind="name", anchor="middle")
        low, middle, high = np.percentile(values, QUARTILES)
        said.append(
            f"{role}: mean {percent(values.mean(), 1)}, median {percent(middle)}, half of them "
            f"between {percent(low)} and {percent(high)}"
        )
    chance = y.at(float(measured.chance.mean()))
    drawn.line("chance", LEFT, chance, RIGHT, chance)
    drawn.words(195, chance - 4, "chance", anchor="middle")
    labels = _label_names(measured, names)
    raw, tuned = (_deepest(measured, role) for role in ROLES)
    return Plot(
        name="top_1k",
        title=f"Like neighbours, query by query, at k = {k:,}",
        about=(
            f"Each of the {n:,} records that ask, by the share of its {k:,} nearest that have its "
            "label. The wider, the more records; lines: quartiles; mark: the mean."
        ),
        summary=f"{'; '.join(said)}.".capitalize(),
        height=HEIGHT,
        shapes=tuple(drawn.shapes),
        columns=("record", "label", "k", "raw", "tuned"),
        rows=tuple(
            (int(measured.record_ids[place]), labels[place], k, float(raw[i]), float(tuned[i]))
            for i, place in enumerate(measured.at)
        ),
    )


def label_boxes(measured: Measured, names: Mapping[int, str]) -> Plot | None:
    """The same, label by label: the labels that most queries carry; None as above."""
    if not measured.ks:
        return None
    k = measured.ks[_place(measured)]
    carried = measured.targets[measured.at]
    shown = [int(i) for i in np.argsort(-carried.sum(axis=0), kind="stable")]
    shown = [i for i in shown if carried[:, i].any()]
    drawn, x, rows = Canvas(), Axis(0, 1, 12, 330), []
    drawable = shown[:MOST_LABELS]
    bottom = 10 + LANE * len(drawable)
    for i in range(5):
        drawn.line("tick", x.at(i / 4), 6, x.at(i / 4), bottom)
        drawn.words(x.at(i / 4), bottom + 15, percent(i / 4), anchor="middle")
    for column in shown:
        name = names.get(measured.label_ids[column], "–")
        is_it, values = carried[:, column], []
        for place, role in enumerate(ROLES):
            said = np.percentile(_deepest(measured, role)[is_it], ENDS).tolist()
            values += said
            if column in drawable:
                top = 10 + LANE * drawable.index(column)
                _box(drawn, role, said, x, top + 21 + 11 * place)
        if column in drawable:
            top = 10 + LANE * drawable.index(column)
            drawn.words(12, top + 12, f"{cut(name, 36)} (n = {int(is_it.sum()):,})", kind="name")
        rows.append((name, k, int(is_it.sum()), *values))
    left = f" The {MOST_LABELS} most frequent labels." if len(shown) > len(drawable) else ""
    return Plot(
        name="top_1k_by_label",
        title=f"The same, label by label, at k = {k:,}",
        about=(
            "Line: from the tenth to the ninetieth of a hundred records; box: the middle half; "
            f"mark: the median. Upper, hollow: raw; lower, filled: tuned.{left}"
        ),
        summary="; ".join(
            f"{row[0]}: median {percent(float(row[5]))} raw, {percent(float(row[10]))} tuned"
            for row in rows[:MOST_LABELS]
        ),
        height=bottom + 24,
        shapes=tuple(drawn.shapes),
        columns=("label", "k", "n", *(f"{role}_p{end}" for role in ROLES for end in ENDS)),
        rows=tuple(rows),
    )


def _deepest(measured: Measured, role: str) -> Floats:
    return np.asarray(measured.purity[role][:, _place(measured)], np.float64)


def _place(measured: Measured) -> int:
    """Which of the depths is shown."""
    sensible = np.flatnonzero(measured.best.mean(axis=0) >= LEAST_POSSIBLE)
    return int(sensible[-1]) if len(sensible) else 0


def _label_names(measured: Measured, names: Mapping[int, str]) -> list[str]:
    told = [names.get(i, "–") for i in measured.label_ids]
    return [", ".join(told[i] for i in np.flatnonzero(row)) for row in measured.targets]


def _violin(drawn: Canvas, role: str, centre: float, values: Floats, y: Axis) -> None:
    heights = np.linspace(values.min(), values.max(), 48)
    spread = max(0.02, 1.06 * float(values.std()) * len(values) ** -0.2)
    density = np.exp(-0.5 * ((heights[:, None] - values[None, :]) / spread) ** 2).mean(axis=1)
    width = density / density.max() * HALF
    left = [(centre - w, y.at(h)) for h, w in zip(heights, width, strict=True)]
    right = [(centre + w, y.at(h)) for h, w in zip(heights, width, strict=True)]
    drawn.path("raw-mark" if role == "raw" else "tuned-area", left + right[::-1], closed=True)
    for value in np.percentile(values, QUARTILES):
        reach = float(np.interp(value, heights, width))
        drawn.line(f"{role}-whisker", centre - reach, y.at(value), centre + reach, y.at(value))
    drawn.mark(role, centre, y.at(float(values.mean())), 4)


def _box(drawn: Canvas, role: str, ends: list[float], x: Axis, middle: float) -> None:
    low, first, median, third, high = (x.at(end) for end in ends)
    drawn.line(f"{role}-whisker", low, middle, high, middle)
    kind = "raw-mark" if role == "raw" else "tuned-area"
    drawn.rect(kind, first, middle - 3.5, third - first, 7)
    drawn.mark(role, median, middle, 3.5)
