"""The losses of a deep run, and a sentence about overfitting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

OVERFITTED = 0.05
"""Validation loss that rose by more than this share of its best value, while training loss fell."""


@dataclass(frozen=True)
class LossPoint:
    """Losses at a step; None where not measured.

    epoch  passes over what is learned from, a fraction
    """

    step: int
    epoch: float
    train_loss: float | None = None
    validation_loss: float | None = None


def parse_loss_points(log: Sequence[dict[str, Any]]) -> tuple[LossPoint, ...]:
    """Return the trainer's log as points, in order of steps, one for each step that measured
    anything."""
    merged: dict[int, dict[str, Any]] = {}
    for line in log:
        at = merged.setdefault(int(line["step"]), {"epoch": float(line["epoch"])})
        at.setdefault("train_loss", line.get("loss"))
        if line.get("loss") is not None:
            at["train_loss"] = line["loss"]
        if line.get("eval_loss") is not None:
            at["validation_loss"] = line["eval_loss"]
    return tuple(
        LossPoint(step, **values)
        for step, values in sorted(merged.items())
        if values["train_loss"] is not None or "validation_loss" in values
    )


def describe_overfitting(points: Sequence[LossPoint]) -> str:
    """Whether the encoder began to learn its examples by heart, in one sentence."""
    measured = [(p.step, p.validation_loss) for p in points if p.validation_loss is not None]
    if len(measured) < 2:
        return "Validation loss was measured too rarely to detect overfitting."
    best_step, best = min(measured, key=lambda each: each[1])
    last_step, last = measured[-1]
    if best_step == last_step:
        return (
            f"No overfitting: validation loss fell to the end, from {measured[0][1]:.3f} to "
            f"{last:.3f}, so more epochs may help."
        )
    if best_step == measured[0][0]:
        return (
            f"No learning: validation loss was lowest at the start, {best:.3f}. Try a lower "
            "learning rate, or label more."
        )
    if last > best * (1 + OVERFITTED):
        return (
            f"Overfitting began after step {best_step}: validation loss rose from {best:.3f} to "
            f"{last:.3f}. The encoder of step {best_step} was kept."
        )
    return (
        f"No notable overfitting: validation loss levelled off at {best:.3f} after step "
        f"{best_step}, whose encoder was kept."
    )
