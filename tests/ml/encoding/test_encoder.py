import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from app.ml.encoding import model_folder
from app.ml.encoding.encoder import (
    DEFAULT_MODEL,
    Encoder,
    ModelNotAvailable,
    SentenceEncoder,
    load_encoder,
)
from app.ml.encoding.model_folder import check_folder, find_default_model_folder
from app.ml.encoding.texts import MOST_CHARACTERS, sanitise
from tests.tiny_encoder import save_tiny_encoder

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(DEFAULT_MODEL, "cpu")


def test_paraphrases_are_more_alike_than_strangers(encoder: Encoder) -> None:
    vectors = encoder.encode(
        ["How do I reset my password?", "The cat sleeps on the sofa.", "I forgot my login secret."]
    )

    similarities = vectors @ vectors.T
    assert similarities[0, 2] > similarities[0, 1] + 0.3
    assert (encoder.name, encoder.dimension) == (DEFAULT_MODEL, 384)


def test_texts_keep_their_order_whatever_their_length(encoder: Encoder) -> None:
    texts = ["a long sentence about the weather in spring", "", "rain", "   ", "rain"]

    vectors = encoder.encode(texts)

    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert encoder.encode([]).shape == (0, 384)


ODD_TEXTS = (
    "?",
    "NaN",
    "\n\t \u200b",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f4e6",
    "half an emoji: \ud83d",
    "a\x00b\x1b[31m",
    "\u202eright to left \u0627\u0644\u0633\u0644\u0627\u0645",
    "x" * 50_000,
)


def test_odd_texts_have_vectors_too(encoder: Encoder) -> None:
    vectors = encoder.encode([*ODD_TEXTS, "rain"])

    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors[-1], encoder.encode(["rain"])[0], atol=1e-5)


def test_a_text_of_a_megabyte_is_read_at_its_beginning(encoder: Encoder) -> None:
    beginning = "the kettle arrived late and was broken, "
    long, longest = beginning * 100, "  " + beginning * 25_000

    vectors = encoder.encode([long, longest])

    assert len(longest) > 1_000_000
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


def test_a_model_that_answers_nonsense_is_refused(tmp_path: Path) -> None:
    folder = save_tiny_encoder(tmp_path / "tiny", ["my lamp is late"])
    broken = load_encoder(str(folder), "cpu")
    assert isinstance(broken, SentenceEncoder)
    with torch.no_grad():
        next(iter(broken.model.parameters())).fill_(float("nan"))

    with pytest.raises(ValueError, match="NaN or infinity"):
        broken.encode(["my lamp is late"])


def test_the_default_model_is_the_published_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (find_default_model_folder() / "model.safetensors").is_file()

    monkeypatch.setattr(model_folder, "DEFAULT_MODEL_SHA256", "0" * 64)
    with pytest.raises(ModelNotAvailable, match="differ from the published ones"):
        load_encoder(f"sentence-transformers/{DEFAULT_MODEL}")


def test_a_name_is_not_looked_up_unless_allowed() -> None:
    with pytest.raises(ModelNotAvailable, match="downloads are not allowed"):
        load_encoder("somebody/some-model")


def test_a_local_folder_is_loaded(tmp_path: Path, encoder: Encoder) -> None:
    folder = shutil.copytree(find_default_model_folder(), tmp_path / "model")

    local = load_encoder(str(folder), "cpu")

    np.testing.assert_allclose(local.encode(["rain"]), encoder.encode(["rain"]), atol=1e-6)


def a_model(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.mark.parametrize("name", ["pytorch_model.bin", "a.pt", "b.PKL", "modeling.py", "c.ckpt"])
def test_pickles_and_code_are_refused(name: str, tmp_path: Path) -> None:
    folder = a_model(tmp_path / "model")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / name).write_bytes(b"")

    with pytest.raises(ModelNotAvailable, match="could run code"):
        load_encoder(str(folder))


@pytest.mark.parametrize(
    "kind",
    [
        "os.system",
        "custom.Pooling",
        "sentence_transformers.models.Evil",
        "sentence_transformers_evil.Pooling",
    ],
)
def test_unknown_modules_are_refused(kind: str, tmp_path: Path) -> None:
    folder = a_model(tmp_path / "model")
    (folder / "modules.json").write_text(json.dumps([{"type": kind}]))

    with pytest.raises(ModelNotAvailable, match="not allowed"):
        check_folder(folder)


def test_a_config_that_asks_for_code_and_a_folder_without_weights_are_refused(
    tmp_path: Path,
) -> None:
    asks = a_model(tmp_path / "asks")
    (asks / "config.json").write_text('{"auto_map": {"AutoModel": "evil.Model"}}')
    (tmp_path / "empty").mkdir()

    with pytest.raises(ModelNotAvailable, match="auto_map"):
        check_folder(asks)
    with pytest.raises(ModelNotAvailable, match=r"no \*\.safetensors"):
        check_folder(tmp_path / "empty")


def test_what_no_tokenizer_takes_is_made_readable() -> None:
    assert sanitise("half an emoji: \ud83d, a whole one: \U0001f600") == (
        "half an emoji: ?, a whole one: \U0001f600"
    )
    assert sanitise("  as it is\n") == "  as it is\n"
    assert sanitise(" " * MOST_CHARACTERS + "late") == "late"
    assert len(sanitise("x" * 1_000_000)) == MOST_CHARACTERS
