"""The student: a small network that learns soft labels, and so carries them to any record. Loads
torch."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from app.ml.examples import Count, Examples, Report
from app.ml.heads.evidence import compute_reach
from app.ml.heads.head import INPUT_SCALE, EvidenceHead
from app.ml.label_inference.confidence import compute_confidence_limits
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

LEAST_STEPS = 200
MOST_PASSES = 8
"""Maximum factor by which small data sets get more epochs: each epoch is a few steps."""

MAX_SAMPLE_ROWS = 5_000
"""Rows that show well enough what evidence is usual."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on a single thread meanwhile.

    Thousands of products of a few milliseconds each gain little from a second thread when the
    machine is idle, and where others are at work its threads spin for each other: 2 s became 120 s.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_thread()
def learn_evidence(
    rows: Vectors,
    soft: NDArray[np.float32],
    examples: Examples,
    recipe: Recipe,
    report: Report,
) -> EvidenceHead:
    """Train a head whose network predicts the soft labels, (n, K), from rows (n, d)."""
    torch.manual_seed(recipe.seed)
    network = nn.Sequential(
        nn.Linear(rows.shape[1], recipe.hidden),
        nn.GELU(approximate="tanh"),
        nn.Dropout(recipe.dropout),
        nn.Linear(recipe.hidden, soft.shape[1]),
    )
    inputs, targets = torch.from_numpy(rows), torch.from_numpy(soft)
    optimiser = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    passes = max(recipe.passes, math.ceil(LEAST_STEPS * recipe.batch_size / len(rows)))
    passes = min(passes, MOST_PASSES * recipe.passes)
    for number in range(passes):
        report(0.3 + 0.6 * number / passes, "Learning", Count(number + 1, passes, "pass"))
        _train_one_pass(
            network, optimiser, inputs, targets, recipe.batch_size, examples.is_multi_label
        )
    return _to_numpy(network.eval(), inputs, examples, recipe)


def _train_one_pass(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    inputs: Tensor,
    targets: Tensor,
    batch_size: int,
    is_multi_label: bool,
) -> None:
    for batch in torch.split(torch.randperm(len(inputs)), batch_size):
        logits = network(inputs[batch] * INPUT_SCALE)
        if is_multi_label:
            loss = functional.binary_cross_entropy_with_logits(logits, targets[batch])
        else:
            loss = functional.cross_entropy(logits, targets[batch])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _to_numpy(
    network: nn.Module, inputs: Tensor, examples: Examples, recipe: Recipe
) -> EvidenceHead:
    with torch.no_grad():
        some = inputs[:: max(1, len(inputs) // MAX_SAMPLE_ROWS)] * INPUT_SCALE
        logits = network(some)
        probabilities = logits.sigmoid() if examples.is_multi_label else logits.softmax(dim=1)
    centre = probabilities.mean(dim=0)
    arrays = {name: value.detach().numpy() for name, value in network.named_parameters()}
    return EvidenceHead(
        hidden_weight=np.ascontiguousarray(arrays["0.weight"].T),
        hidden_bias=arrays["0.bias"].copy(),
        output_weight=np.ascontiguousarray(arrays["3.weight"].T),
        output_bias=arrays["3.bias"].copy(),
        centre=centre.numpy(),
        reach=compute_reach((probabilities - centre).numpy()),
        classes=examples.label_ids,
        strength=recipe.strength,
        is_multi_label=examples.is_multi_label,
        limits=compute_confidence_limits(examples),
    )
