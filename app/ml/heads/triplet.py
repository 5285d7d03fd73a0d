"""The baseline recipe: a skip connection learned by batch-hard triplet loss. Loads torch."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.ml.examples import Count, Examples, Report
from app.ml.heads.baselines import SkipConnectionHead
from app.ml.heads.evidence_mlp import one_thread
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

FIRST_GATE = -4.0
SMALLEST_BATCH = 4
"""A batch of fewer examples seldom holds both a pair of one class and another class."""


class _SkipConnection(nn.Module):
    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.gates = nn.Parameter(torch.full((dimension,), FIRST_GATE))
        self.fc = nn.Linear(dimension, dimension)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.fc(x) * torch.sigmoid(self.gates)
        return added + x


@one_thread()
def learn_skip_connection(
    rows: Vectors, examples: Examples, recipe: Recipe, report: Report
) -> SkipConnectionHead:
    """Train a head that moves labeled records towards their class. rows (m, d): the examples'
    vectors.

    Stops when the loss has not fallen for `patience` epochs. Two records are of one class when
    their labels are equal. Source: quaterion, SkipConnectionHead and TripletLoss(mining="hard"),
    as in its notebook.
    """
    torch.manual_seed(recipe.seed)
    network = _SkipConnection(rows.shape[1])
    inputs = torch.from_numpy(rows)
    _, answers = np.unique(examples.label_matrix(), axis=0, return_inverse=True)
    classes = torch.from_numpy(answers.reshape(-1))
    optimiser = torch.optim.Adam(network.parameters(), recipe.triplet_learning_rate)
    best, waited = float("inf"), 0
    for epoch in range(recipe.triplet_epochs):
        count = Count(epoch + 1, recipe.triplet_epochs, "epoch")
        report(epoch / recipe.triplet_epochs, "Learning", count)
        loss = _train_one_epoch(network, optimiser, inputs, classes, recipe)
        best, waited = (loss, 0) if loss < best - 1e-4 else (best, waited + 1)
        if waited >= recipe.patience:
            break
    report(1.0, "Learned")
    return _to_numpy(network)


def _train_one_epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    inputs: Tensor,
    classes: Tensor,
    recipe: Recipe,
) -> float:
    losses = []
    for batch in torch.split(torch.randperm(len(inputs)), recipe.triplet_batch_size):
        if len(batch) < SMALLEST_BATCH:
            continue
        loss = batch_hard_loss(network(inputs[batch]), classes[batch], recipe.margin)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses)) if losses else 0.0


def batch_hard_loss(vectors: Tensor, classes: Tensor, margin: float) -> Tensor:
    """Mean of max(0, (hardest positive - hardest negative) / mean hardest negative + margin), by 1
    - cosine."""
    unit = functional.normalize(vectors, dim=-1)
    far = 1 - unit @ unit.T
    same = classes[:, None] == classes[None]
    positive = (far * (same & ~torch.eye(len(classes), dtype=torch.bool))).amax(dim=1)
    negative = (far + far.amax(dim=1, keepdim=True) * same).amin(dim=1)
    scale = negative.mean().clamp(min=1e-6)
    return functional.relu((positive - negative) / scale + margin).mean()


def _to_numpy(network: _SkipConnection) -> SkipConnectionHead:
    return SkipConnectionHead(
        weight=np.ascontiguousarray(network.fc.weight.detach().numpy().T),
        bias=network.fc.bias.detach().numpy().copy(),
        gates=network.gates.detach().numpy().copy(),
    )
