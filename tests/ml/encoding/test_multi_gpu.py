"""Several copies of an encoder answer as one."""

from pathlib import Path

import numpy as np
import pytest

from app.ml.encoding.encoder import load_encoder
from app.ml.encoding.multi_gpu import MultiGpuEncoder, load_on_all_gpus
from tests.tiny_encoder import save_tiny_encoder

pytestmark = pytest.mark.once

TEXTS = [f"the {size} box number {i}" for i, size in enumerate(["small", "very large"] * 20)]


def test_copies_share_the_texts_and_keep_their_order(tmp_path: Path) -> None:
    model = str(save_tiny_encoder(tmp_path, TEXTS))
    alone = load_encoder(model, "cpu")
    spread = MultiGpuEncoder([load_encoder(model, "cpu") for _ in range(3)])

    assert np.allclose(spread.encode(TEXTS), alone.encode(TEXTS), atol=1e-5)
    assert spread.encode([]).shape == (0, 32)
    assert spread.encode(TEXTS[:1]).shape == (1, 32)


def test_without_several_gpus_there_is_one_encoder(tmp_path: Path) -> None:
    model = str(save_tiny_encoder(tmp_path, TEXTS))

    assert not isinstance(load_on_all_gpus(model, "cpu"), MultiGpuEncoder)
