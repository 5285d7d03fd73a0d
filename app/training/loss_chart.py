"""The losses of a deep run as a picture: two lines over the steps. Drawn by the server."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.models import LossPoint

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 48, 624, 12, 188


@dataclass(frozen=True)
class LossChart:
    """Lines as an SVG polyline takes them, and ticks as (position, words).

    best  where validation loss was lowest, (x, y); None before it was measured
    """

    width: int
    height: int
    bottom: int
    train: str
    validation: str
    best: tuple[float, float] | None
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def loss_chart(points: Sequence[LossPoint]) -> LossChart | None:
    """The picture, or None before there are two points."""
    train = [(p.step, p.train_loss) for p in points if p.train_loss is not None]
    checked = [(p.step, p.validation_loss) for p in points if p.validation_loss is not None]
    values = [loss for _, loss in train + checked]
    if len(points) < 2 or not values:
        return None
    steps = max(1, points[-1].step)
    low, high = min(values), max(values)
    span = max(high - low, 1e-9)

    def placed(step: int, loss: float) -> tuple[float, float]:
        x = LEFT + (RIGHT - LEFT) * step / steps
        return round(x, 1), round(BOTTOM - (BOTTOM - TOP) * (loss - low) / span, 1)

    best = min(checked, key=lambda each: each[1], default=None)
    return LossChart(
        width=WIDTH,
        height=HEIGHT,
        bottom=BOTTOM,
        train=_line([placed(*each) for each in train]),
        validation=_line([placed(*each) for each in checked]),
        best=None if best is None else placed(*best),
        x_ticks=tuple(
            (placed(round(steps * i / 4), low)[0], f"{steps * i // 4:,}") for i in range(5)
        ),
        y_ticks=((placed(0, low)[1], f"{low:.2f}"), (placed(0, high)[1], f"{high:.2f}")),
    )


def _line(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in places)
