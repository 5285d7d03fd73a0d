"""From a sentence-transformers model to the one file that app.ml.encoding.runtime computes.

Decision: torch's own ONNX export and OpenVINO's own reader, without the exporters of
sentence-transformers' extras, which hold the libraries back at older versions.
Source of the int8 way: post-training quantisation of NNCF for transformers, that is SmoothQuant
(Xiao et al. 2023) followed by bias correction, calibrated on the project's own texts.
"""

import json
import logging
import os
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from app.ml.encoding.runtime import (
    ABOUT,
    GRAPH,
    TOKENIZER,
    WEIGHTS,
    RuntimeNotAvailable,
    build_model_inputs,
    import_libraries,
)
from app.ml.encoding.texts import sanitise

# The exporter's newest operators that OpenVINO's reader knows all of.
OPSET = 17
LONGEST = 512
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def write_runtime(model: Any, file: Path, calibration: Sequence[str] = ()) -> None:
    """Write the model, all of its modules, as one file for load_runtime().

    model        a SentenceTransformer on the CPU whose tokenizer is a fast one
    calibration  texts like those to come; with any, weights and activations become int8 (takes
                 about a minute), without, they stay as they are

    Raises RuntimeNotAvailable, with the reason, if the model or this installation cannot do it.
    """
    openvino, _ = import_libraries()
    tokenizer = _copy_tokenizer(model)
    about: dict[str, Any] = {
        "dimension": int(model.get_embedding_dimension()),
        "pad_id": int(model.tokenizer.pad_token_id or 0),
        "inputs": [name for name in model.tokenizer.model_input_names if name in INPUTS],
    }
    with tempfile.TemporaryDirectory(dir=file.parent) as place:
        exported = Path(place) / "model.onnx"
        _export(model, about["inputs"], exported)
        graph = openvino.Core().read_model(exported)
        if calibration:
            graph = _quantise(graph, _build_samples(tokenizer, calibration, about))
        openvino.save_model(graph, Path(place) / "graph.xml", compress_to_fp16=False)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
            packed.writestr(ABOUT, json.dumps(about))
            packed.writestr(TOKENIZER, tokenizer.to_str())
            packed.write(Path(place) / "graph.xml", GRAPH)
            packed.write(Path(place) / "graph.bin", WEIGHTS)


class _WholeModel(torch.nn.Module):
    """Tokens in, the sentence's vector out: every module of the model, pooling included."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = self.model(dict(zip(self.names, inputs, strict=True)))[
            "sentence_embedding"
        ]
        return vectors


def _export(model: Any, names: Sequence[str], file: Path) -> None:
    # Two texts of different length, so that the graph masks what is padding.
    inputs = build_model_inputs([[1] * 12, [1] * 5], 0)
    example = tuple(torch.from_numpy(inputs[name]) for name in names)
    try:
        with warnings.catch_warnings():
            # The tracer warns of every branch it takes; the trial measures whether they were right.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _WholeModel(model, names).eval(),
                example,
                file,
                dynamo=False,
                input_names=list(names),
                output_names=["vectors"],
                dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names},
                opset_version=OPSET,
            )
    except (RuntimeError, ValueError, TypeError, torch.onnx.errors.OnnxExporterError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RuntimeNotAvailable(f"The model could not be exported: {reason}") from error


def _copy_tokenizer(model: Any) -> Any:
    """Copy the model's fast tokenizer so that it truncates as the model does and pads nothing."""
    _, tokenizers = import_libraries()
    fast = getattr(model.tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise RuntimeNotAvailable("The model's tokenizer has no fast version.")
    copied = tokenizers.Tokenizer.from_str(fast.to_str())
    copied.enable_truncation(max_length=int(model.max_seq_length or LONGEST))
    copied.no_padding()
    return copied


def _build_samples(
    tokenizer: Any, texts: Sequence[str], about: dict[str, Any]
) -> list[dict[str, Any]]:
    encoded = tokenizer.encode_batch([sanitise(text) for text in texts])
    return [
        {name: build_model_inputs([each.ids], about["pad_id"])[name] for name in about["inputs"]}
        for each in encoded
    ]


def _quantise(graph: Any, samples: list[dict[str, Any]]) -> Any:
    # NNCF tells its makers of each use unless this is set before it is loaded.
    os.environ["NNCF_CI"] = "1"
    # Loaded here: it takes seconds, and only this needs it.
    try:
        import nncf
        import rich
    except ImportError as error:
        raise RuntimeNotAvailable(
            "NNCF is not installed here: pip install 'likewise[accel]'."
        ) from error
    rich.get_console().quiet = True
    nncf.set_log_level(logging.ERROR)
    return nncf.quantize(
        graph,
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
    )
