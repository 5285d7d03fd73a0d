"""Vectors without torch: a model's graph, weights and tokenizer in one file, computed by OpenVINO.

Decision: the file is written once for a version (app.ml.encoding.runtime_export) and holds
all that its vectors depend on, so every process of every machine computes the same thing. Nothing
in it is code: a graph of OpenVINO's own operations, numbers, and a tokenizer's tables.
Decision: floating point is left to OpenVINO's own choice: bf16 where the CPU has it, else fp32. The
vectors differ by less than 1e-4 in cosine, as they do between a GPU and a CPU.
"""

import importlib.util
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from app.ml.encoding.texts import sanitise
from app.ml.vectors import Vectors, unit_rows

RuntimeName = Literal["torch", "openvino", "openvino-int8"]

TORCH: Final = "torch"
OPENVINO: Final = "openvino"
OPENVINO_INT8: Final = "openvino-int8"

GRAPH, WEIGHTS, TOKENIZER, ABOUT = "graph.xml", "weights.bin", "tokenizer.json", "about.json"

# Small batches of like length fit a core's cache: 8 to 32 differ by a tenth, more is slower.
BATCH_SIZE = 16
# Each new shape costs OpenVINO a preparation, so lengths are rounded up to a multiple of this.
LENGTH_STEP = 8

Tokens = NDArray[np.int64]


class RuntimeNotAvailable(ValueError):
    """This runtime cannot be used here. Says why, in one sentence."""


class OpenVinoEncoder:
    """The Encoder that OpenVINO computes. For one thread at a time; it uses `n_threads` itself."""

    def __init__(self, name: str, file: Path, n_threads: int, precision: str | None) -> None:
        openvino, tokenizers = import_libraries()
        with zipfile.ZipFile(file) as packed:
            about = json.loads(packed.read(ABOUT))
            self._tokenizer = tokenizers.Tokenizer.from_str(packed.read(TOKENIZER).decode())
            graph = openvino.Core().read_model(packed.read(GRAPH), packed.read(WEIGHTS))
        self.name = name
        self.dimension = int(about["dimension"])
        self._pad_id = int(about["pad_id"])
        self._input_names: list[str] = about["inputs"]
        compiled = openvino.Core().compile_model(
            graph, "CPU", _compile_options(n_threads, precision)
        )
        self.precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        self._queue = openvino.AsyncInferQueue(compiled, n_threads)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See Encoder. Batches hold texts of like length, counted in tokens."""
        if len(texts) == 0:
            return np.empty((0, self.dimension), np.float32)
        tokens = [
            each.ids for each in self._tokenizer.encode_batch([sanitise(text) for text in texts])
        ]
        vectors = np.full((len(texts), self.dimension), np.nan, np.float32)

        def keep(request: Any, rows: list[int]) -> None:
            vectors[rows] = request.get_output_tensor().data

        self._queue.set_callback(keep)
        for rows in iterate_batches([len(token) for token in tokens]):
            inputs = build_model_inputs([tokens[i] for i in rows], self._pad_id)
            self._queue.start_async({name: inputs[name] for name in self._input_names}, rows)
        self._queue.wait_all()
        return unit_rows(vectors)


def load_runtime(
    file: Path, name: str, n_threads: int | None = None, precision: str | None = None
) -> OpenVinoEncoder:
    """Load the encoder in this file, ready to be asked; takes about a second and never loads torch.

    n_threads  None: as many as torch would take, so what is left to others stays theirs
    precision  of floating point: f32 or bf16; None leaves it to OpenVINO

    Raises RuntimeNotAvailable without OpenVINO. The caller has compared the file's hash.
    """
    return OpenVinoEncoder(name, file, n_threads or count_default_threads(), precision)


def count_default_threads() -> int:
    """OMP_NUM_THREADS, by which the worker leaves a core to pages; else all cores."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def list_missing_packages(runtime: RuntimeName) -> list[str]:
    """List what this runtime needs and is not installed; looks without importing."""
    needed = {
        TORCH: [],
        OPENVINO: ["openvino", "onnx"],
        OPENVINO_INT8: ["openvino", "onnx", "nncf"],
    }
    return [each for each in needed[runtime] if importlib.util.find_spec(each) is None]


def describe_openvino() -> str:
    """Which OpenVINO is here, and the precisions in which this CPU computes fast."""
    openvino, _ = import_libraries()
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    known = [each.lower() for each in ("FP32", "BF16", "INT8") if each in able]
    return f"OpenVINO {openvino.__version__.split('-')[0]}, {' '.join(known)}"


def iterate_batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows in batches of like length, the longest first, so that no thread ends with a long one."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    for start in range(0, len(order), BATCH_SIZE):
        yield order[start : start + BATCH_SIZE]


def build_model_inputs(tokens: Sequence[Sequence[int]], pad_id: int) -> Mapping[str, Tokens]:
    """Build what a transformer reads, by name, each (n, longest) int64: ids, which of them count,
    and the segment, which is always the first."""
    longest = -(-max(len(token) for token in tokens) // LENGTH_STEP) * LENGTH_STEP
    ids = np.full((len(tokens), longest), pad_id, np.int64)
    mask = np.zeros_like(ids)
    for row, each in enumerate(tokens):
        ids[row, : len(each)] = each
        mask[row, : len(each)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _compile_options(n_threads: int, precision: str | None) -> dict[str, object]:
    chosen: dict[str, object] = {} if precision is None else {"INFERENCE_PRECISION_HINT": precision}
    # One stream for each thread: batches side by side waste less than threads within a batch.
    return chosen | {
        "INFERENCE_NUM_THREADS": n_threads,
        "NUM_STREAMS": n_threads,
        # Pinned threads would stay on a core that the pages want.
        "ENABLE_CPU_PINNING": False,
    }


def import_libraries() -> tuple[Any, Any]:
    """OpenVINO and the tokenizers' library, loaded when they are first needed: both take a while,
    and most installations never use the first."""
    try:
        import openvino
        import tokenizers
    except ImportError as error:
        raise RuntimeNotAvailable(
            "OpenVINO is not installed here: pip install 'likewise[accel]'."
        ) from error
    return openvino, tokenizers
