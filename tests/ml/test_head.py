from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from app.ml.heads.baselines import RawHead, SkipConnectionHead
from app.ml.heads.evidence import compute_reach
from app.ml.heads.head import EvidenceHead, Head
from app.ml.heads.numpy_nn import gelu, sigmoid, softmax
from app.ml.heads.storage import load_head, save_head
from app.ml.vectors import BLOCK_ROWS, unit_rows

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)
ROWS = unit_rows(RNG.normal(size=(20, 6)).astype(np.float32))


def numbers(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return RNG.normal(size=shape).astype(np.float32)


EVIDENCE = EvidenceHead(
    hidden_weight=numbers(6, 4),
    hidden_bias=numbers(4),
    output_weight=numbers(4, 3),
    output_bias=numbers(3),
    centre=np.full(3, 1 / 3, np.float32),
    classes=(7, 8, 9),
    strength=0.8,
    temperature=3.0,
    reach=0.8,
)
SKIP = SkipConnectionHead(weight=numbers(6, 6), bias=numbers(6), gates=numbers(6))


def test_activations_agree_with_torch() -> None:
    x = np.linspace(-30, 30, 60, dtype=np.float32).reshape(10, 6)
    t = torch.from_numpy(x)

    np.testing.assert_allclose(gelu(x), functional.gelu(t, approximate="tanh"), atol=1e-5)
    np.testing.assert_allclose(sigmoid(x), t.sigmoid(), atol=1e-6)
    np.testing.assert_allclose(softmax(x), t.softmax(dim=1), atol=1e-6)


def test_confident_records_are_compared_by_class_evidence() -> None:
    evidence = softmax(EVIDENCE.logits(ROWS) / np.float32(3)) - EVIDENCE.centre
    sure = (evidence**2).sum(axis=1) / 0.8
    left = np.sqrt(1 - 0.8 * sure)

    tuned = EVIDENCE.tune(ROWS * 5)

    expected = ROWS @ ROWS.T * np.outer(left, left) + evidence @ evidence.T
    assert sure.max() < 1
    np.testing.assert_allclose(tuned @ tuned.T, expected, atol=1e-5)
    assert tuned.shape == (20, EVIDENCE.dimension)


def test_unknown_records_keep_the_raw_cosine() -> None:
    narrow = replace(EVIDENCE, reach=0.001, strength=1.0)
    blank = replace(
        EVIDENCE, output_weight=np.zeros((4, 3), np.float32), output_bias=np.zeros(3, np.float32)
    )

    sure, raw = narrow.tune(ROWS), blank.tune(ROWS)

    np.testing.assert_allclose(np.linalg.norm(sure, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(sure[:, :6], 0, atol=1e-3)
    np.testing.assert_allclose(raw @ raw.T, ROWS @ ROWS.T, atol=1e-5)
    assert compute_reach(np.zeros((4, 3), np.float32)) == 0.25
    assert compute_reach(np.eye(3, dtype=np.float32)) == 1


def test_temperature_changes_confidence_and_not_the_prediction() -> None:
    chances = EVIDENCE.suggest(ROWS)

    assert chances is not None
    np.testing.assert_allclose(chances, softmax(EVIDENCE.logits(ROWS) / np.float32(3)), atol=1e-6)


def test_a_skip_connection_adds_its_gated_part() -> None:
    expected = ROWS + (ROWS @ SKIP.weight + SKIP.bias) / (1 + np.exp(-SKIP.gates))

    np.testing.assert_allclose(SKIP.tune(ROWS), unit_rows(expected), atol=1e-5)


@pytest.mark.parametrize("head", [RawHead(6), EVIDENCE, SKIP], ids=lambda head: head.kind)
def test_a_saved_head_comes_back_the_same(head: Head, tmp_path: Path) -> None:
    save_head(head, tmp_path / "head.safetensors")

    loaded = load_head(tmp_path / "head.safetensors")

    assert (loaded.kind, loaded.classes, loaded.dimension) == (
        head.kind,
        head.classes,
        head.dimension,
    )
    np.testing.assert_array_equal(loaded.tune(ROWS), head.tune(ROWS))
    np.testing.assert_array_equal(
        np.array(loaded.suggest(ROWS), object), np.array(head.suggest(ROWS), object)
    )


@pytest.mark.parametrize("content", [b"", b"\x80\x04cos\nsystem\n", b"x" * 400])
def test_a_file_that_is_no_head_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    path.write_bytes(content)

    with pytest.raises(ValueError, match="not a complete head"):
        load_head(path)


def test_a_cut_head_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_head(EVIDENCE, path)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ValueError, match="not a complete head"):
        load_head(path)


def test_many_records_are_tuned_as_a_few_are() -> None:
    raw = np.random.default_rng(0).normal(size=(BLOCK_ROWS + 3, EVIDENCE.hidden_weight.shape[0]))
    vectors = unit_rows(raw.astype(np.float32))

    tuned, chances = EVIDENCE.tune(vectors), EVIDENCE.suggest(vectors)
    last = EVIDENCE.suggest(vectors[-5:])

    assert tuned.shape == (BLOCK_ROWS + 3, EVIDENCE.dimension)
    np.testing.assert_allclose(tuned[-5:], EVIDENCE.tune(vectors[-5:]), atol=1e-6)
    assert chances is not None
    assert last is not None
    np.testing.assert_allclose(chances[-5:], last, atol=1e-6)
