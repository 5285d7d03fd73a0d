"""Line plots: precision@k by k, and the losses of a deep run by step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.models import LossPoint
from app.training.plots.canvas import Axis, Canvas, Cell, Plot, percent, spread_apart

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 40.0, 306.0, 14.0, 196.0, 236.0
LINE = 13.0

Line = Sequence[tuple[float, float]]
"""(step, loss), by step."""


def plot_depths(curve: Sequence[Mapping[str, Any]]) -> Plot | None:
    """Plot precision@k by k for raw and tuned on the same queries, with chance and a perfect
    ranking; None without depths. The points are those of Measured.facts["curve"]."""
    if not curve:
        return None
    last = curve[-1]
    return Plot(
        name="top_k",
        title="Precision@k by depth",
        about=(
            f"Share of the k nearest with the query's label, for the same {last['n']:,} held-out "
            "queries at each k. Bars: 95 % intervals. Possible: a perfect ranking."
        ),
        summary=_describe_depths(curve),
        height=HEIGHT,
        shapes=tuple(_draw_depths(curve).shapes),
        columns=(
            "k",
            "n",
            "raw",
            "raw_low",
            "raw_high",
            "tuned",
            "tuned_low",
            "tuned_high",
            "chance",
            "possible",
        ),
        rows=tuple(_build_depth_row(point) for point in curve),
    )


def plot_losses(losses: Sequence[LossPoint]) -> Plot | None:
    """Plot training and validation loss by step; None before there are two points."""
    train = [(p.step, p.train_loss) for p in losses if p.train_loss is not None]
    checked = [(p.step, p.validation_loss) for p in losses if p.validation_loss is not None]
    if len(losses) < 2 or not train + checked:
        return None
    return Plot(
        name="losses",
        title="Training and validation loss",
        about="By step. Square: lowest validation loss; the encoder of that step is kept.",
        summary=_describe_losses(train, checked),
        height=HEIGHT,
        shapes=tuple(_draw_losses(losses[-1].step, train, checked).shapes),
        columns=("step", "epoch", "train_loss", "validation_loss"),
        rows=tuple((p.step, p.epoch, p.train_loss, p.validation_loss) for p in losses),
    )


def _draw_depths(curve: Sequence[Mapping[str, Any]]) -> Canvas:
    canvas, y = Canvas(), Axis(0, 1, BOTTOM, TOP)
    logs = [math.log(point["k"]) for point in curve]
    x = Axis(logs[0], logs[-1] if len(logs) > 1 else logs[0] + 1, LEFT + 6, RIGHT - 4)
    canvas.rungs(y, LEFT, RIGHT)
    for place, point in zip(logs, curve, strict=True):
        canvas.words(x.at(place), BOTTOM + 15, f"{point['k']}", anchor="middle")
    canvas.words((LEFT + RIGHT) / 2, BOTTOM + 33, "k nearest neighbours", anchor="middle")
    best = [(x.at(at), y.at(p["best"])) for at, p in zip(logs, curve, strict=True)]
    canvas.path("best", best, closed=False)
    chance = y.at(curve[0]["chance"])
    canvas.line("chance", LEFT, chance, RIGHT, chance)
    for role, aside in (("raw", -1.5), ("tuned", 1.5)):
        at = [(x.at(place) + aside, point[role]) for place, point in zip(logs, curve, strict=True)]
        _draw_line(canvas, role, at, y)
    ends = {role: y.at(curve[-1][role]["value"]) for role in ("raw", "tuned")}
    _draw_end_names(canvas, ends | {"chance": chance, "possible": y.at(curve[-1]["best"])})
    return canvas


def _draw_losses(last_step: int, train: Line, checked: Line) -> Canvas:
    canvas, values = Canvas(), [loss for _, loss in (*train, *checked)]
    low, high = min(values), max(values)
    x, y = Axis(0, max(1, last_step), LEFT + 4, RIGHT - 20), Axis(low, high, BOTTOM, TOP)
    canvas.rungs(y, LEFT, RIGHT, [(at, f"{at:.2f}") for at in (low, (low + high) / 2, high)])
    for i in range(5):
        step = round(x.high * i / 4)
        canvas.words(x.at(step), BOTTOM + 15, f"{step:,}", anchor="middle")
    canvas.words((LEFT + RIGHT) / 2, BOTTOM + 33, "steps", anchor="middle")
    named = {}
    for kind, name, line in (("raw", "training", train), ("tuned", "validation", checked)):
        if line:
            at = [(x.at(step), y.at(loss)) for step, loss in line]
            canvas.path(f"{kind}-line", at, closed=False)
            named[name] = at[-1][1]
    if checked:
        kept, loss = min(checked, key=lambda each: each[1])
        canvas.mark("tuned", x.at(kept), y.at(loss))
    _draw_end_names(canvas, named, RIGHT - 11)
    return canvas


def _draw_line(
    canvas: Canvas, role: str, at: Sequence[tuple[float, Mapping[str, float]]], y: Axis
) -> None:
    canvas.path(f"{role}-line", [(x, y.at(score["value"])) for x, score in at], closed=False)
    for x, score in at:
        canvas.line(f"{role}-whisker", x, y.at(score["low"]), x, y.at(score["high"]))
        canvas.mark(role, x, y.at(score["value"]), 3)


def _draw_end_names(canvas: Canvas, ends: Mapping[str, float], x: float = RIGHT + 4) -> None:
    places = spread_apart(list(ends.values()), LINE)
    overflow = max(0.0, max(places, default=0.0) - BOTTOM - 2)
    for name, place in zip(ends, places, strict=True):
        kind = "name" if name in ("raw", "tuned", "training", "validation") else "words"
        canvas.words(x, place - overflow + 4, name, kind=kind)


def _build_depth_row(point: Mapping[str, Any]) -> tuple[Cell, ...]:
    scores = [point[role][end] for role in ("raw", "tuned") for end in ("value", "low", "high")]
    return (point["k"], point["n"], *scores, point["chance"], point["best"])


def _describe_depths(curve: Sequence[Mapping[str, Any]]) -> str:
    parts = [
        f"at k = {p['k']} raw {percent(p['raw']['value'])}, tuned {percent(p['tuned']['value'])}"
        for p in (curve[0], curve[-1])
    ]
    return f"Precision@k: {'; '.join(parts)}; chance {percent(curve[0]['chance'])}."


def _describe_losses(train: Line, checked: Line) -> str:
    parts = [
        f"{name} loss from {line[0][1]:.2f} to {line[-1][1]:.2f}"
        for name, line in (("training", train), ("validation", checked))
        if line
    ]
    return f"{'; '.join(parts)}.".capitalize()
