"""Which records a deep run learns from, in what shape and in what batches."""

from itertools import chain
from typing import get_args

import numpy as np
import pytest

from app.ml.deep.data import EvenBatches, LengthBatches, build_dataset, sharpen, split_rows
from app.ml.deep.loss_curve import LossPoint, describe_overfitting, parse_loss_points
from app.ml.deep.recipe import (
    CPU_SUBSET,
    HEAD_STRENGTH,
    LOSSES,
    DeepRecipe,
    Loss,
    estimate_seconds,
    head_recipe_from_json,
    n_learned,
    recipe_from_json,
)
from app.ml.recipe import Recipe
from tests.conftest import distinct_text

pytestmark = pytest.mark.once

N = 400
TEXTS = [distinct_text(i % 350) for i in range(N)]


def soft_of(shares: tuple[float, ...] = (0.9, 0.1)) -> np.ndarray:
    """Three in four records are of class 0, in this order: 0 0 0 1."""
    is_rare = np.arange(N) % 4 == 3
    return np.where(is_rare[:, None], shares[::-1], shares).astype(np.float32)


def test_examples_are_learned_from_and_no_text_is_on_both_sides() -> None:
    examples = np.array([0, 5, 340])
    parts = split_rows(TEXTS, soft_of(), np.arange(N), examples, DeepRecipe(), 200)

    learned, validated = ({TEXTS[r] for r in rows} for rows in (parts.learned, parts.validated))
    assert np.isin(examples, parts.learned).all()
    assert not learned & validated
    assert len(parts.learned) + len(parts.validated) == 200
    assert 20 <= len(parts.validated) <= 30


def test_half_is_labeled_by_nobody_where_more_are_labeled_than_can_be_learned_from() -> None:
    labeled = np.arange(300)
    parts = split_rows(TEXTS, soft_of(), np.arange(N), labeled, DeepRecipe(), 100)
    used = np.concatenate([parts.learned, parts.validated])
    assert len(used) == 100
    assert np.isin(used, labeled).sum() == 50

    # Too few others: labeled ones make up for them, and no more than was asked for are used.
    parts = split_rows(TEXTS, soft_of(), np.arange(310), labeled, DeepRecipe(), 100)
    used = np.concatenate([parts.learned, parts.validated])
    assert np.isin(used, labeled).sum() == 90
    assert len(used) == 100


def test_only_the_pool_is_used_and_the_seed_decides() -> None:
    pool = np.arange(0, N, 2)
    one, same, other = (
        split_rows(TEXTS, soft_of(), pool, pool[:4], DeepRecipe(seed=seed), 100)
        for seed in (1, 1, 2)
    )

    assert np.isin(np.concatenate([one.learned, one.validated]), pool).all()
    assert np.array_equal(one.learned, same.learned)
    assert not np.array_equal(one.learned, other.learned)


def test_rare_classes_get_more_than_their_share() -> None:
    parts = split_rows(TEXTS, soft_of((1.0, 0.0)), np.arange(N), np.array([0]), DeepRecipe(), 120)

    drawn = np.concatenate([parts.learned, parts.validated])
    assert (drawn % 4 == 3).mean() > 0.3


def test_losses_on_hard_labels_use_confident_records() -> None:
    soft = soft_of()
    soft[:100] = 0.5
    made = build_dataset(TEXTS, soft, np.arange(N), DeepRecipe(loss="batch_all"), is_binary=False)

    assert len(made) == 300
    assert made["label"][:4] == [0, 0, 0, 1]


@pytest.mark.parametrize("loss", ["contrastive", "online_contrastive", "cosine"])
def test_pairs_are_half_of_one_label_half_of_two(loss: Loss) -> None:
    soft = soft_of((1.0, 0.0))
    made = build_dataset(TEXTS, soft, np.arange(N), DeepRecipe(loss=loss), is_binary=False)

    classes = {text: int(row.argmax()) for text, row in zip(TEXTS[:350], soft[:350], strict=True)}
    said = np.array(made["label"])
    true = [classes[a] == classes[b] for a, b in zip(made["first"], made["second"], strict=True)]
    assert len(made) == N
    assert said.mean() == pytest.approx(0.5)
    # Fifty texts stand twice, under either class.
    assert (said.astype(bool) == true).mean() > 0.85


def test_partners_of_multiple_negatives_are_others_of_the_label() -> None:
    recipe = DeepRecipe(loss="multiple_negatives")
    texts = [f"text {i}" for i in range(N)]
    made = build_dataset(texts, soft_of(), np.arange(N), recipe, is_binary=False)

    rows = [(int(a[5:]), int(b[5:])) for a, b in zip(made["first"], made["second"], strict=True)]
    assert all(a != b and (a % 4 == 3) == (b % 4 == 3) for a, b in rows)
    assert made["label"] == [int(a % 4 == 3) for a, _ in rows]


def test_a_label_with_a_single_record_has_no_partner() -> None:
    soft = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2]]
    made = build_dataset(
        TEXTS, soft, np.arange(5), DeepRecipe(loss="multiple_negatives"), is_binary=False
    )

    assert made["label"] == [0, 0, 1, 1]


def test_sets_of_labels_are_classes_of_their_own_and_agree_in_part() -> None:
    soft = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]], np.float32)
    whole = build_dataset(TEXTS, soft, np.arange(4), DeepRecipe(loss="batch_all"), is_binary=True)
    graded = build_dataset(TEXTS, soft, np.arange(4), DeepRecipe(loss="cosine"), is_binary=True)

    assert whole["label"][0] == whole["label"][1] != whole["label"][2] == whole["label"][3]
    assert sorted(graded["label"]) == [0.5, 0.5, 1.0, 1.0]


def test_batches_group_texts_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 500, 1000)
    sampler = LengthBatches(lengths, 32, seed=0)

    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)

    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(1000))
    assert first != second
    assert len(first) == len(sampler) == 32
    spread = np.mean([np.ptp(lengths[batch]) for batch in first])
    assert spread < 0.3 * np.ptp(lengths)
    assert list(EvenBatches(lengths, 32)) == list(EvenBatches(lengths, 32))


def test_the_loss_curve_detects_overfitting() -> None:
    def said(*losses: float) -> str:
        return describe_overfitting(
            [LossPoint(i, i / 4, None, loss) for i, loss in enumerate(losses)]
        )

    assert said(2.0, 1.5, 1.2).startswith("No overfitting: validation loss fell to the end")
    assert said(2.0, 1.0, 1.5).startswith("Overfitting began after step 1")
    assert "levelled off at 1.000" in said(2.0, 1.0, 1.01)
    assert said(1.0, 1.5, 2.0).startswith("No learning")
    assert "too rarely" in said(1.0)


def test_the_trainers_log_becomes_one_point_a_step() -> None:
    log = [
        {"step": 0, "epoch": 0.0, "eval_loss": 3.0},
        {"step": 5, "epoch": 0.5, "loss": 2.0, "learning_rate": 1e-4},
        {"step": 5, "epoch": 0.5, "eval_loss": 2.5},
        {"step": 10, "epoch": 1.0, "train_runtime": 3.0},
    ]

    assert parse_loss_points(log) == (LossPoint(0, 0.0, None, 3.0), LossPoint(5, 0.5, 2.0, 2.5))


def test_a_recipe_survives_json_with_its_head() -> None:
    recipe = DeepRecipe(loss="cosine", subset=500, head=Recipe(seed=4))

    assert recipe_from_json(recipe.as_json()) == recipe
    assert head_recipe_from_json(recipe.as_json()) == Recipe(seed=4)
    assert recipe_from_json({"method": "head"}) == Recipe()


def test_a_head_on_a_deep_version_adds_less_evidence_by_default() -> None:
    assert DeepRecipe().head == DeepRecipe.from_json({}).head == Recipe(strength=HEAD_STRENGTH)
    assert DeepRecipe.from_json({"head": {"seed": 4}}).head.strength == HEAD_STRENGTH < 0.25
    assert DeepRecipe.from_json({"head": {"strength": 0.5}}).head.strength == 0.5


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"epochs": 1.5}, "A recipe's epochs is a whole number from 1 to 100, not 1.5."),
        ({"loss": "magic"}, "A loss is one of"),
        ({"weights": "some"}, "full or lora"),
        ({"subset": 0}, "A recipe's subset is a whole number"),
        ({"head": {"words": -1}}, "A recipe's words is a number from 0 to 10, not -1."),
        ({"colour": 1}, "A deep recipe has no field 'colour'."),
        ({"head": 3}, "A deep recipe's head is a recipe."),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_sentence(
    values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        recipe_from_json(values | {"method": "deep"})


def test_how_many_records_are_learned_from_depends_on_the_machine() -> None:
    assert n_learned(DeepRecipe(), 20_000, has_gpu=True) == 20_000
    assert n_learned(DeepRecipe(), 20_000, has_gpu=False) == CPU_SUBSET
    assert n_learned(DeepRecipe(subset=9_000), 20_000, has_gpu=False) == 9_000
    assert n_learned(DeepRecipe(subset=9_000), 500, has_gpu=True) == 500


def test_every_loss_has_a_description() -> None:
    assert set(LOSSES) == set(get_args(Loss))
    assert all(words.endswith(".") for words in LOSSES.values())


def test_pairs_take_twice_as_long_as_texts() -> None:
    single, double = (
        estimate_seconds(DeepRecipe(loss=loss), 1_000, per_second=50.0)
        for loss in ("distil", "contrastive")
    )

    assert single == pytest.approx((900 * 3 * 1.25 + 100 * 9) / 50)
    assert double == pytest.approx(2 * single)


def test_what_is_learned_is_sharpened_and_still_sums_to_one() -> None:
    shares = np.array([[0.6, 0.3, 0.1], [0.2, 0.8, 0.0]], np.float32)

    squared = sharpen(shares, 0.5, is_binary=False)
    apart = sharpen(shares, 0.5, is_binary=True)

    np.testing.assert_allclose(squared[0], np.array([0.36, 0.09, 0.01]) / 0.46, rtol=1e-5)
    np.testing.assert_allclose(squared.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(apart[0, 0], 0.36 / (0.36 + 0.16), rtol=1e-5)
    np.testing.assert_allclose(sharpen(shares, 1.0, is_binary=False), shares, rtol=1e-6)
