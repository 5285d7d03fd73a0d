"""Loss functions of deep tuning. Loads torch.

Each loss is a module as sentence-transformers' trainer takes them: forward(features, labels), where
features holds one dictionary of token tensors for each text column.
"""

from collections.abc import Iterable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from torch import Tensor, nn
from torch.nn import functional

from app.ml.deep.recipe import DeepRecipe

Features = Iterable[dict[str, Tensor]]

SHORTEST_VECTOR = 32
"""Matryoshka halves the vector as long as at least so many numbers are left."""

CLASS_SCALE = 8.0
"""Cosines with the class directions lie within ±1: scaled, they can express being nearly sure."""


def build_loss(
    model: SentenceTransformer, recipe: DeepRecipe, centres: Tensor, *, is_binary: bool
) -> nn.Module:
    """Build the loss that the recipe names.

    centres    (K, d) float32, the mean vector of each class, where "distil" starts from
    is_binary  a record may carry several labels: their chances are independent
    """
    if recipe.loss == "distil":
        return Distillation(model, recipe, centres, is_binary=is_binary)
    if recipe.loss == "supervised_contrastive":
        return SupervisedContrastive(model, recipe.temperature)
    if recipe.loss == "multiple_negatives":
        inner = MaskedRanking(model, recipe.temperature)
        return losses.MatryoshkaLoss(
            model, inner, list_matryoshka_lengths(model.get_embedding_dimension() or 0)
        )
    made: nn.Module = _LIBRARY[recipe.loss](model, recipe)
    return made


def list_matryoshka_lengths(dimension: int) -> list[int]:
    """List the vector's length, its half, a quarter …, down to SHORTEST_VECTOR."""
    each = [dimension]
    while each[-1] // 2 >= SHORTEST_VECTOR:
        each.append(each[-1] // 2)
    return each


class Distillation(nn.Module):
    """Soft cross-entropy to the shares of the labels, plus a supervised contrastive term.

    labels (B, K) float32: shares that sum to 1 by row, or for `is_binary` independent chances.

    Source: Hinton et al. 2015 for soft targets; Iscen et al. 2019 for targets that were carried
    through the neighbour graph; Khosla et al. 2020 for the second term, here between soft labels.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        recipe: DeepRecipe,
        centres: Tensor,
        *,
        is_binary: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.classes = nn.Linear(centres.shape[1], len(centres))
        self._contrast = recipe.contrast
        self._temperature = recipe.temperature
        self._is_binary = is_binary
        directions = functional.normalize(centres - centres.mean(dim=0), dim=1)
        with torch.no_grad():
            self.classes.weight.copy_(directions)
            self.classes.bias.copy_(-(directions @ centres.mean(dim=0)))

    def forward(self, features: Features, labels: Tensor) -> Tensor:
        """Return the mean loss of the batch."""
        (column,) = features
        vectors = functional.normalize(self.model(column)["sentence_embedding"].float(), dim=1)
        logits = CLASS_SCALE * self.classes(vectors)
        if self._is_binary:
            cross_entropy = functional.binary_cross_entropy_with_logits(logits, labels)
        else:
            cross_entropy = functional.cross_entropy(logits, labels)
        alike = label_similarity(labels, is_binary=self._is_binary)
        return cross_entropy + self._contrast * contrastive_loss(vectors, alike, self._temperature)


class SupervisedContrastive(nn.Module):
    """Records of one class together, all others apart. labels (B,) int64.

    Source: Khosla et al. 2020, Supervised Contrastive Learning, the mean outside the logarithm.
    """

    def __init__(self, model: SentenceTransformer, temperature: float) -> None:
        super().__init__()
        self.model = model
        self._temperature = temperature

    def forward(self, features: Features, labels: Tensor) -> Tensor:
        """Return the mean loss of the batch."""
        (column,) = features
        vectors = functional.normalize(self.model(column)["sentence_embedding"].float(), dim=1)
        alike = (labels[:, None] == labels[None]).to(vectors.dtype)
        return contrastive_loss(vectors, alike, self._temperature)


class MaskedRanking(nn.Module):
    """Multiple negatives ranking in which no pair of one class is a negative. labels (B,) int64.

    Source: Henderson et al. 2017; the mask takes away the false negatives that classes make.
    """

    def __init__(self, model: SentenceTransformer, temperature: float) -> None:
        super().__init__()
        self.model = model
        self._temperature = temperature

    def forward(self, features: Features, labels: Tensor) -> Tensor:
        """Return the mean loss of the batch: two columns of texts, row by row of the same class."""
        anchors, positives = (self.model(column)["sentence_embedding"] for column in features)
        return masked_ranking_loss(anchors.float(), positives.float(), labels, self._temperature)


def masked_ranking_loss(
    anchors: Tensor, positives: Tensor, labels: Tensor, temperature: float
) -> Tensor:
    """Cross-entropy of each row of `asking` finding its own row of `answering`, both (B, d).

    Other rows of the same label are neither right nor wrong: they are left out. labels (B,) int64.
    """
    cosines = functional.normalize(anchors, dim=1) @ functional.normalize(positives, dim=1).T
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels[None]) & ~own
    logits = (cosines / temperature).masked_fill(same, -torch.inf)
    return functional.cross_entropy(logits, torch.arange(len(labels), device=labels.device))


def contrastive_loss(vectors: Tensor, alike: Tensor, temperature: float) -> Tensor:
    """How far each vector is from those it is like, against all others in the batch: the mean.

    vectors  (B, d), rows of length 1
    alike    (B, B) in [0, 1]: how much two records are of one class; the diagonal is not read
    returns  0 where nothing is like anything
    """
    own = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    logits = (vectors @ vectors.T / temperature).masked_fill(own, -torch.inf)
    log_probabilities = functional.log_softmax(logits, dim=1).masked_fill(own, 0.0)
    wanted = alike.masked_fill(own, 0.0)
    total = wanted.sum(dim=1)
    each = -(wanted * log_probabilities).sum(dim=1) / total.clamp(min=1e-6)
    # A record that is like few others says little about where it belongs.
    return (each * total).sum() / total.sum().clamp(min=1e-6)


def label_similarity(labels: Tensor, *, is_binary: bool) -> Tensor:
    """Return the chance that two records carry the same label, (B, B), of soft labels (B, K).

    Of independent chances: the labels that both carry, over those that either carries.
    """
    both = labels @ labels.T
    if not is_binary:
        return both
    total = labels.sum(dim=1)
    return both / (total[:, None] + total[None] - both).clamp(min=1e-6)


def _triplet_factory(kind: Any) -> Any:
    def make(model: SentenceTransformer, recipe: DeepRecipe) -> nn.Module:
        metric = losses.BatchHardTripletLossDistanceFunction.cosine_distance
        made: nn.Module = kind(model, distance_metric=metric, margin=recipe.margin)
        return made

    return make


def _pair_factory(kind: Any) -> Any:
    def make(model: SentenceTransformer, recipe: DeepRecipe) -> nn.Module:
        made: nn.Module = kind(model, margin=recipe.margin)
        return made

    return make


_LIBRARY: dict[str, Any] = {
    "batch_hard": _triplet_factory(losses.BatchHardTripletLoss),
    "batch_semi_hard": _triplet_factory(losses.BatchSemiHardTripletLoss),
    "batch_all": _triplet_factory(losses.BatchAllTripletLoss),
    "contrastive": _pair_factory(losses.ContrastiveLoss),
    "online_contrastive": _pair_factory(losses.OnlineContrastiveLoss),
    "cosine": lambda model, recipe: losses.CosineSimilarityLoss(model),
}
