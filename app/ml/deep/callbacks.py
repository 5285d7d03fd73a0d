"""Watching a deep run: progress and losses go out, cancelling comes in, checkpoints become whole.

Loads torch.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn
from transformers import TrainerCallback

from app.files import sync
from app.ml.deep.loss_curve import LossPoint, parse_loss_points
from app.ml.examples import Count, Report

LossCallback = Callable[[LossPoint], None]
"""Hears each measured loss as it comes; after a kill, some of them again."""

LOSS_WEIGHTS = "loss.safetensors"
WHOLE = "whole"


class TrainingWatcher(TrainerCallback):
    """Reports before and after each batch, passes on each loss, and completes each checkpoint."""

    def __init__(self, loss: nn.Module, report: Report, on_loss: LossCallback) -> None:
        self._loss = loss
        self._report = report
        self._on_loss = on_loss

    def on_step_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Say how far it is; may raise to stop."""
        self._report_step(state)

    def on_substep_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Between batches whose gradients are added up."""
        self._report_step(state)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Between batches of validation."""
        self._report_step(state)

    def on_log(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Tell what was just measured. Raises ValueError for a loss that is no number."""
        newest = state.log_history[-1]
        if not math.isfinite(newest.get("loss", 0.0)):
            raise ValueError("The loss is not a number (NaN). Try a lower learning rate.")
        of_step = [line for line in state.log_history if line["step"] == newest["step"]]
        for point in parse_loss_points(of_step):
            self._on_loss(point)

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Add the loss's own weights to the checkpoint, then the mark that it is whole."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        save_file(_select_own_weights(self._loss), folder / LOSS_WEIGHTS)
        for path in folder.iterdir():
            sync(path)
        (folder / WHOLE).touch()
        sync(folder)

    def _report_step(self, state: Any) -> None:
        step, n_steps = state.global_step, max(1, state.max_steps)
        count = Count(step + 1, n_steps, "step")
        self._report(min(1.0, step / n_steps), "Learning", count)


def find_last_checkpoint(folder: Path) -> Path | None:
    """Find the newest whole checkpoint in the folder, or None."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{WHOLE}")]
    return max(whole, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def restore_loss(loss: nn.Module, checkpoint: Path) -> None:
    """Give the loss its own weights back; the trainer restores everything else."""
    kept = load_file(checkpoint / LOSS_WEIGHTS)
    loss.load_state_dict(kept, strict=False)


def _select_own_weights(loss: nn.Module) -> dict[str, Any]:
    """Select the loss's weights without the encoder's."""
    every = loss.state_dict()
    return {
        name: value.contiguous() for name, value in every.items() if name.startswith("classes.")
    }
