"""When memory runs out while the encoder learns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformerTrainer

from app.ml.deep.oom_retry import HALVED, halve_batch, is_out_of_memory
from app.ml.deep.recipe import DeepRecipe
from app.ml.deep.trainer import count_steps
from app.ml.deep.tuning import CHECKPOINTS, DeepTrainingData, TunedEncoder, tune_deep
from tests.tiny_encoder import save_tiny_encoder

pytestmark = pytest.mark.once

WORDS = ("apple pear plum", "car bus train")
TEXTS = [WORDS[i % 2] for i in range(40)]
SOFT = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
RECIPE = DeepRecipe(batch_size=8, epochs=1, checks=2, max_tokens=16, validation_share=0.2)
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


class Machine:
    """Stands at the trainer's door: lets it in, or says that memory ran out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
        self.batches: list[tuple[int, int]] = []
        self.resumed: list[str | None] = []
        self.said: list[str] = []
        train, left = SentenceTransformerTrainer.train, list(errors)

        def tried(trainer: Any, resume_from_checkpoint: str | None = None) -> Any:
            arguments = trainer.args
            self.batches.append(
                (arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps)
            )
            self.resumed.append(resume_from_checkpoint)
            if left:
                raise left.pop(0)
            return train(trainer, resume_from_checkpoint=resume_from_checkpoint)

        monkeypatch.setattr(SentenceTransformerTrainer, "train", tried)

    def learn(self, base: Path, place: Path) -> TunedEncoder:
        vectors = np.eye(2, 32, dtype=np.float32)[np.arange(40) % 2]
        lesson = DeepTrainingData(TEXTS, vectors, SOFT, np.arange(4), np.arange(40))
        return tune_deep(
            base,
            lesson,
            RECIPE,
            place,
            report=lambda _progress, message, _count=None: self.said.append(message),
            device="cpu",
        )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("tiny"), WORDS)


def test_it_learns_again_with_half_the_batch_and_from_the_start(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, FULL)
    of_whole_batch = tmp_path / CHECKPOINTS / "checkpoint-2"
    of_whole_batch.mkdir(parents=True)

    outcome = machine.learn(base, tmp_path)

    assert machine.batches == [(8, 1), (4, 2)]
    assert machine.resumed == [None, None]
    assert "Out of memory: training again with batch size 4" in machine.said
    assert "| batch_size | 4 |" in (outcome.folder / "README.md").read_text()
    assert not (tmp_path / HALVED).exists()
    assert not (tmp_path / CHECKPOINTS).exists()


def test_after_a_kill_it_does_not_try_the_whole_batch_again(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, FULL, KeyError("killed"))
    with pytest.raises(KeyError):
        machine.learn(base, tmp_path)

    machine.learn(base, tmp_path)

    assert machine.batches == [(8, 1), (4, 2), (4, 2)]


def test_a_second_out_of_memory_error_has_a_message(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, FULL, MemoryError())

    with pytest.raises(
        ValueError, match="Out of memory with batch size 4 and up to 16 tokens"
    ) as said:
        machine.learn(base, tmp_path)

    assert "smaller batch, fewer tokens, or weights=lora" in str(said.value)
    assert said.value.__context__ is None


def test_other_errors_are_no_reason_to_try_again(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))

    with pytest.raises(RuntimeError, match="mat1"):
        machine.learn(base, tmp_path)

    assert machine.batches == [(8, 1)]


def test_out_of_memory_errors_of_torch_are_recognised() -> None:
    said = "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."

    assert is_out_of_memory(FULL)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError(said))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory"))
    assert not is_out_of_memory(RuntimeError("something else"))


def test_half_a_batch_makes_as_many_steps() -> None:
    halved = halve_batch(RECIPE)

    assert (halved.batch_size, halved.accumulation) == (4, 2)
    assert count_steps(halved, 32) == count_steps(RECIPE, 32) == 4
