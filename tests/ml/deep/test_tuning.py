"""Whole deep runs on a tiny encoder: what comes out, and what may change on the way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from app.ml.deep.recipe import DeepRecipe
from app.ml.deep.tuning import DeepTrainingData, TunedEncoder, tune_deep
from app.ml.encoding.model_folder import check_folder
from tests.tiny_encoder import save_tiny_encoder

pytestmark = pytest.mark.once

WORDS = ("apple pear plum fig grape", "car bus train plane boat", "red blue green pink grey")
N = 96
RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice(WORDS[i % 3].split(), RNG.integers(3, 8))) for i in range(N)]
SOFT = np.where(np.arange(N)[:, None] % 3 == np.arange(3), 0.9, 0.05).astype(np.float32)
QUICK = {"batch_size": 16, "learning_rate": 3e-3, "checks": 2, "max_tokens": 16}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("tiny"), WORDS)


def encoded(folder: Path) -> np.ndarray:
    model = SentenceTransformer(str(folder), device="cpu")
    return np.asarray(model.encode(TEXTS, normalize_embeddings=True))


def learned(base: Path, place: Path, **values: object) -> TunedEncoder:
    recipe = DeepRecipe.from_json(QUICK | values)
    lesson = DeepTrainingData(TEXTS, encoded(base), SOFT, np.arange(12), np.arange(N))
    return tune_deep(base, lesson, recipe, place, report=lambda *_: None, device="cpu")


def alike(vectors: np.ndarray) -> float:
    """The share of each text's twenty nearest that are of its kind."""
    near = np.argsort(-(vectors @ vectors.T - 2 * np.eye(N)), axis=1)[:, :20]
    kinds = np.arange(N) % 3
    return float((kinds[near] == kinds[:, None]).mean())


@pytest.mark.parametrize(
    "loss",
    [
        "distil",
        "multiple_negatives",
        *(
            pytest.param(loss, marks=pytest.mark.slow)
            for loss in (
                "supervised_contrastive",
                "batch_hard",
                "batch_semi_hard",
                "batch_all",
                "contrastive",
                "online_contrastive",
                "cosine",
            )
        ),
    ],
)
def test_texts_of_one_kind_come_closer(base: Path, tmp_path: Path, loss: str) -> None:
    outcome = learned(base, tmp_path, loss=loss, epochs=5, seed=1)

    assert alike(encoded(outcome.folder)) > alike(encoded(base)) + 0.02
    assert outcome.n_learned == 87
    assert outcome.n_validated > 0
    assert outcome.points[0].validation_loss is not None


def test_the_model_folder_has_safetensors_only_and_keeps_the_sequence_length(
    base: Path, tmp_path: Path
) -> None:
    outcome = learned(base, tmp_path, epochs=1)

    check_folder(outcome.folder)
    model = SentenceTransformer(str(outcome.folder), device="cpu")
    assert model.max_seq_length == 64
    assert np.allclose(np.linalg.norm(model.encode(TEXTS), axis=1), 1.0, atol=1e-5)
    card = (outcome.folder / "README.md").read_text()
    assert "library_name: sentence-transformers" in card
    assert "| learning_rate | 0.003 |" in card
    assert not any(text in card for text in TEXTS)
    assert not (tmp_path / "checkpoints").exists()


def test_adapters_learn_and_are_merged_into_the_weights(base: Path, tmp_path: Path) -> None:
    outcome = learned(base, tmp_path, weights="lora", lora_rank=4, learning_rate=2e-2, epochs=3)

    before = SentenceTransformer(str(base), device="cpu").state_dict()
    after = SentenceTransformer(str(outcome.folder), device="cpu").state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert set(after) == set(before)
    linear = {name for name in before if before[name].ndim == 2 and ".layer." in name}
    assert changed == linear
    assert all(torch.linalg.matrix_rank(after[n] - before[n], rtol=1e-3) <= 4 for n in changed)


def test_frozen_layers_stay_as_they_are(base: Path, tmp_path: Path) -> None:
    outcome = learned(base, tmp_path, frozen_layers=1, epochs=1)

    before = SentenceTransformer(str(base), device="cpu").state_dict()
    after = SentenceTransformer(str(outcome.folder), device="cpu").state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(".layer.1." in name for name in changed)


def test_the_same_recipe_gives_the_same_encoder(base: Path, tmp_path: Path) -> None:
    one, other = (learned(base, tmp_path / name, epochs=1) for name in ("one", "other"))

    assert np.array_equal(encoded(one.folder), encoded(other.folder))


def test_it_stops_when_validation_loss_no_longer_falls(base: Path, tmp_path: Path) -> None:
    outcome = learned(base, tmp_path, learning_rate=0.05, epochs=20, checks=40, patience=2)

    assert outcome.points[-1].step < 20 * 6
    assert "No overfitting: validation loss fell to the end" not in outcome.sentence


def test_a_diverging_learning_rate_has_a_message(base: Path, tmp_path: Path) -> None:
    broken = np.full_like(SOFT, np.nan)
    lesson = DeepTrainingData(TEXTS, encoded(base), broken, np.arange(12), np.arange(N))

    with pytest.raises(ValueError, match="The loss is not a number"):
        tune_deep(
            base,
            lesson,
            DeepRecipe.from_json(QUICK),
            tmp_path,
            report=lambda *_: None,
            device="cpu",
        )


def test_too_few_examples_have_a_message(base: Path, tmp_path: Path) -> None:
    lesson = DeepTrainingData(TEXTS, encoded(base), SOFT, np.arange(4), np.arange(6))

    with pytest.raises(ValueError, match=r"at least 8 records .* there are"):
        tune_deep(base, lesson, DeepRecipe(), tmp_path, report=lambda *_: None, device="cpu")
