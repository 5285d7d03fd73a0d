"""A tiny encoder, computed by OpenVINO: the same vectors as torch's, whatever the texts."""

import importlib.util
import itertools
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from app.ml.encoding import agreement as agreements
from app.ml.encoding import runtime_trial
from app.ml.encoding.agreement import agreement
from app.ml.encoding.encoder import SentenceEncoder, load_encoder
from app.ml.encoding.runtime import (
    BATCH_SIZE,
    OpenVinoEncoder,
    RuntimeNotAvailable,
    build_model_inputs,
    iterate_batches,
    list_missing_packages,
    load_runtime,
)
from app.ml.encoding.runtime_export import write_runtime
from app.ml.encoding.runtime_trial import try_runtime
from tests.tiny_encoder import save_tiny_encoder

pytestmark = pytest.mark.once
pytest.importorskip("openvino")

THINGS = ("parcel", "refund", "password", "invoice", "lamp", "kettle", "order", "card")
STATES = ("is late", "was lost", "does not work", "is wrong", "never came")
ENDS = ("", "again", "for the third time this week", "and nobody answers my letters")
TEXTS = [f"my {a} {b} {c}".strip() for a, b, c in itertools.product(THINGS, STATES, ENDS)]
ODD = [
    "",
    "   ",
    "\n\t",
    "?",
    "\U0001f600 my \U0001f4e6",
    "my \ud83d lamp",
    "a\x00b",
    "lamp " * 5_000,
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    folder = save_tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)
    loaded = load_encoder(str(folder), "cpu")
    assert isinstance(loaded, SentenceEncoder)
    return loaded


@pytest.fixture(scope="module")
def file(model: SentenceEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("runtime") / "runtime"
    write_runtime(model.model, written)
    return written


@pytest.fixture(scope="module")
def encoder(file: Path) -> OpenVinoEncoder:
    return load_runtime(file, "tiny", n_threads=2)


def test_the_vectors_are_those_of_torch(model: SentenceEncoder, encoder: OpenVinoEncoder) -> None:
    vectors = encoder.encode(TEXTS + ODD)

    measured = agreement(model.encode(TEXTS + ODD), vectors)
    assert measured.least_cosine > 0.995
    assert measured.overlap > 0.95
    assert (encoder.name, encoder.dimension, str(vectors.dtype)) == ("tiny", 32, "float32")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_others(encoder: OpenVinoEncoder) -> None:
    together = encoder.encode(TEXTS[:40] + ODD)

    alone = np.concatenate([encoder.encode([text]) for text in TEXTS[:40] + ODD])
    assert np.einsum("ij,ij->i", together, alone).min() > 0.995
    np.testing.assert_array_equal(encoder.encode(TEXTS[:40] + ODD), together)
    assert encoder.encode([]).shape == (0, 32)


def test_no_file_of_the_export_is_left_beside_the_runtime(file: Path) -> None:
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_process_that_computes_it_never_loads_torch(file: Path, encoder: OpenVinoEncoder) -> None:
    asked = (
        "import sys; from pathlib import Path; "
        "from app.ml.encoding.runtime import load_runtime; "
        f"v = load_runtime(Path({str(file)!r}), 'tiny', 1).encode(['my lamp is late']); "
        "print('torch' in sys.modules, 'transformers' in sys.modules, *v[0, :3])"
    )

    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    has_torch, has_transformers, *numbers = told.stdout.split()
    assert (has_torch, has_transformers) == ("False", "False")
    expected = encoder.encode(["my lamp is late"])[0, :3]
    np.testing.assert_allclose([float(each) for each in numbers], expected, atol=0.01)


def test_int8_is_smaller_and_nearly_the_same(
    model: SentenceEncoder, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf")
    # Random weights this small are no trial of int8: only what is measured is of interest here.
    monkeypatch.setattr(agreements, "LEAST_COSINE", 0.9)
    monkeypatch.setattr(agreements, "LEAST_OVERLAP", 0.5)
    monkeypatch.setattr(runtime_trial, "LEAST_SPEEDUP", 0.0)

    trial = try_runtime(model, "openvino-int8", TEXTS[:120], tmp_path / "runtime")

    assert trial.agreement.n == 60
    assert 0.9 < trial.agreement.mean_cosine < 0.9999
    weights = [
        zipfile.ZipFile(each).getinfo("weights.bin") for each in (tmp_path / "runtime", file)
    ]
    assert weights[0].file_size < 0.6 * weights[1].file_size


def test_a_trial_measures_agreement_and_speed(
    model: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_trial, "LEAST_SPEEDUP", 0.0)

    trial = try_runtime(model, "openvino", TEXTS, tmp_path / "runtime")

    assert trial.agreement.n == len(TEXTS)
    assert trial.agreement.mean_cosine > 0.999
    assert trial.speedup > 0
    assert trial.sentence.startswith(f"openvino took 1/{trial.speedup:.1f} of torch's")


def test_another_models_vectors_are_refused(
    model: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = save_tiny_encoder(tmp_path / "stranger", TEXTS, seed=1)
    other = SentenceTransformer(str(stranger), device="cpu")
    monkeypatch.setattr(
        "app.ml.encoding.runtime_export.write_runtime",
        lambda _, file, calibration: write_runtime(other, file, calibration),
    )

    with pytest.raises(RuntimeNotAvailable, match="That is not enough"):
        try_runtime(model, "openvino", TEXTS, tmp_path / "runtime")


def test_a_runtime_that_is_not_faster_is_refused(
    model: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_trial, "LEAST_SPEEDUP", 10_000.0)

    with pytest.raises(RuntimeNotAvailable, match="That is not enough"):
        try_runtime(model, "openvino", TEXTS[:20], tmp_path / "runtime")


def test_too_few_texts_and_a_gpu_are_refused(model: SentenceEncoder, tmp_path: Path) -> None:
    on_gpu = SentenceEncoder("tiny", model.model, "cuda")

    with pytest.raises(RuntimeNotAvailable, match="1 texts are too few"):
        try_runtime(model, "openvino", TEXTS[:1], tmp_path / "runtime")
    with pytest.raises(RuntimeNotAvailable, match="there are 60"):
        try_runtime(model, "openvino-int8", TEXTS[:60], tmp_path / "runtime")
    with pytest.raises(RuntimeNotAvailable, match="torch has a GPU"):
        try_runtime(on_gpu, "openvino", TEXTS, tmp_path / "runtime")


def test_without_the_packages_it_is_one_clear_sentence(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list_missing_packages("openvino-int8") == []
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(RuntimeNotAvailable, match=r"not installed here: pip install"):
        load_runtime(file, "tiny", 1)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list_missing_packages("openvino-int8") == ["openvino", "onnx", "nncf"]
    assert list_missing_packages("torch") == []


def test_batches_group_texts_of_similar_length() -> None:
    lengths = [int(each) for each in np.random.default_rng(0).integers(2, 60, 100)]

    formed = list(iterate_batches(lengths))

    assert sorted(row for rows in formed for row in rows) == list(range(100))
    assert {len(rows) for rows in formed[:-1]} == {BATCH_SIZE}
    of_batches = [[lengths[row] for row in rows] for rows in formed]
    assert [max(each) for each in of_batches] == sorted([max(each) for each in of_batches])[::-1]
    assert sum(max(each) * len(each) for each in of_batches) < 1.2 * sum(lengths)


def test_inputs_are_padded_and_masked() -> None:
    inputs = build_model_inputs([[5, 6, 7], [8] * 9], pad_id=3)

    assert inputs["input_ids"].shape == (2, 16)
    assert inputs["input_ids"][0].tolist() == [5, 6, 7] + [3] * 13
    assert inputs["attention_mask"].sum(axis=1).tolist() == [3, 9]
    assert not inputs["token_type_ids"].any()
