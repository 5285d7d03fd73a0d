"""What the trainer decides by the machine it runs on, without such a machine."""

from pathlib import Path

import pytest
import torch

from app.ml.deep.recipe import DeepRecipe
from app.ml.deep.trainer import _build_arguments, computes_bf16, count_steps

pytestmark = pytest.mark.once


@pytest.mark.parametrize("is_able", [True, False])
def test_a_gpu_learns_in_bfloat16_if_it_has_it(
    monkeypatch: pytest.MonkeyPatch, *, is_able: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: is_able)

    assert computes_bf16("cuda") is computes_bf16("cuda:1") is is_able
    assert computes_bf16("mps") is False


@pytest.mark.parametrize(
    ("able", "expected"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True}, False)],
)
def test_a_processor_learns_in_bfloat16_if_it_multiplies_it_by_itself(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], *, expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)

    assert computes_bf16("cpu") is expected


def test_one_gpu_learns_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("transformers.TrainingArguments.n_gpu", property(lambda self: 4))

    arguments = _build_arguments(DeepRecipe(), 4_000, tmp_path, "cpu", has_validation=True)

    assert arguments._n_gpu == 1
    assert arguments.use_cpu
    assert not arguments.dataloader_pin_memory


def test_without_validation_nothing_stops_early(tmp_path: Path) -> None:
    arguments = _build_arguments(DeepRecipe(), 100, tmp_path, "cpu", has_validation=False)

    assert arguments.eval_strategy == "no"
    assert not arguments.load_best_model_at_end


def test_gradients_that_are_added_up_make_fewer_steps() -> None:
    assert count_steps(DeepRecipe(epochs=2, batch_size=32), 100) == 8
    assert count_steps(DeepRecipe(epochs=2, batch_size=32, accumulation=3), 100) == 4
    assert count_steps(DeepRecipe(epochs=1), 1) == 1
