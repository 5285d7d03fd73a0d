"""What the encoder is asked to become better at, checked against values worked out by hand."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.ml.deep.losses import (
    Distillation,
    MaskedRanking,
    contrastive_loss,
    label_similarity,
    list_matryoshka_lengths,
    masked_ranking_loss,
)
from app.ml.deep.recipe import DeepRecipe

pytestmark = pytest.mark.once


class Given(nn.Module):
    """An encoder that answers with the vectors it is given, or the first so many numbers."""

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sentence_embedding": features["vectors"]}


def test_a_pair_of_the_same_label_is_no_negative() -> None:
    asking = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([4, 4, 7])

    masked = masked_ranking_loss(asking, asking, labels, temperature=0.5)

    # Rows 0 and 1 see only row 2 beside their own; row 2 sees both of them.
    one_other = math.log(1 + math.exp(-2))
    two_others = math.log(1 + 2 * math.exp(-2))
    assert masked.item() == pytest.approx((2 * one_other + two_others) / 3, abs=1e-6)
    plain = functional.cross_entropy(asking @ asking.T / 0.5, torch.arange(3))
    assert masked.item() < plain.item()


def test_with_all_labels_different_nothing_is_masked() -> None:
    torch.manual_seed(0)
    asking = functional.normalize(torch.randn(6, 8), dim=1)
    answering = functional.normalize(torch.randn(6, 8), dim=1)

    masked = masked_ranking_loss(asking, answering, torch.arange(6), temperature=0.1)

    plain = functional.cross_entropy(asking @ answering.T / 0.1, torch.arange(6))
    assert masked.item() == pytest.approx(plain.item(), abs=1e-6)


def test_a_masked_pair_gets_no_gradient_from_the_mask() -> None:
    asking = torch.tensor([[1.0, 0.2], [0.8, 0.1]], requires_grad=True)
    loss = MaskedRanking(Given(), 0.1)  # type: ignore[arg-type]

    value = loss([{"vectors": asking}, {"vectors": asking.detach()}], torch.tensor([3, 3]))
    value.backward()

    assert value.item() == 0.0
    assert asking.grad is not None
    assert torch.equal(asking.grad, torch.zeros_like(asking))


def test_contrastive_loss_matches_the_formula() -> None:
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    classes = torch.tensor([0, 0, 1, 1])
    alike = (classes[:, None] == classes[None]).float()

    value = contrastive_loss(vectors, alike, temperature=1.0)

    # Each finds its only partner at cosine 1 beside two others at cosine 0.
    assert value.item() == pytest.approx(math.log(math.e + 2) - 1, abs=1e-6)


def test_where_nothing_is_alike_there_is_no_contrast() -> None:
    assert contrastive_loss(torch.eye(3), torch.eye(3), temperature=0.1).item() == 0.0


def test_a_record_that_is_like_few_others_counts_little() -> None:
    vectors = functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.3, 1.0]]), dim=1)
    alike = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    unsure = alike.clone()
    unsure[2, 0] = 0.01

    sure_only = contrastive_loss(vectors, alike, 0.5).item()

    assert contrastive_loss(vectors, unsure, 0.5).item() == pytest.approx(sure_only, rel=0.02)


def test_likeness_is_the_chance_of_carrying_the_same_label() -> None:
    shares = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    sets = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])

    assert label_similarity(shares, is_binary=False).tolist() == [[1.0, 0.5], [0.5, 0.5]]
    assert label_similarity(sets, is_binary=True)[0].tolist() == pytest.approx([1.0, 1 / 3])


@pytest.mark.parametrize("is_binary", [False, True])
def test_distillation_starts_near_class_means_and_trains_encoder_and_classes(
    is_binary: bool,
) -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], requires_grad=True)
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    centres = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = Distillation(Given(), DeepRecipe(), centres, is_binary=is_binary)  # type: ignore[arg-type]
    turned = Distillation(Given(), DeepRecipe(), centres.flip(0), is_binary=is_binary)  # type: ignore[arg-type]

    value = loss([{"vectors": vectors}], labels)
    value.backward()

    assert value.item() < turned([{"vectors": vectors}], labels).item() - 1
    assert vectors.grad is not None
    assert vectors.grad.abs().sum() > 0
    assert loss.classes.weight.grad is not None


def test_matryoshka_halves_the_vector_down_to_32_numbers() -> None:
    assert list_matryoshka_lengths(384) == [384, 192, 96, 48]
    assert list_matryoshka_lengths(32) == [32]
    assert list_matryoshka_lengths(20) == [20]
