"""A faster runtime is tried on texts of the project, and used only if it agrees and is faster."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.ml.encoding.agreement import Agreement, agreement
from app.ml.encoding.encoder import Encoder, SentenceEncoder
from app.ml.encoding.runtime import OPENVINO_INT8, RuntimeName, RuntimeNotAvailable, load_runtime
from app.ml.vectors import Vectors

LEAST_TRIED = 2
MOST_TRIED = 200
# Fewer texts than this say little about the range of numbers that int8 has to cover.
LEAST_CALIBRATED = 50
MOST_CALIBRATED = 100
LEAST_SPEEDUP = 1.1
WARM_UP = 8


@dataclass(frozen=True)
class RuntimeTrial:
    """What was measured. speedup: processor seconds of torch per one of this runtime."""

    runtime: RuntimeName
    agreement: Agreement
    speedup: float

    @property
    def sentence(self) -> str:
        """The figures, for people."""
        return (
            f"{self.runtime} took 1/{self.speedup:.1f} of torch's processor time; "
            f"{self.agreement.sentence}."
        )


def try_runtime(
    model: SentenceEncoder, runtime: RuntimeName, texts: Sequence[str], file: Path
) -> RuntimeTrial:
    """Write the runtime's file for load_runtime(), and measure it against torch.

    texts  of the project, in any order; the first 200 are measured on, and int8 is calibrated on
           100 others: on half of them, if they are fewer

    Raises RuntimeNotAvailable, with the reason, when it must not be used; the file is of no use
    then.
    """
    # Loaded here: it needs torch, and pages come by this module to know the runtimes' names.
    from app.ml.encoding.runtime_export import write_runtime

    if model.device != "cpu":
        raise RuntimeNotAvailable(f"{runtime} computes on CPUs, and torch has a GPU here.")
    measured, calibration = _split_texts(texts, runtime)
    write_runtime(model.model, file, calibration)
    other = load_runtime(file, model.name)
    model.encode(measured[:WARM_UP])
    torch_seconds, vectors = _time_encoding(model, measured)
    # All of them: it prepares each shape once, and there are few.
    other.encode(measured)
    seconds, others = _time_encoding(other, measured)
    trial = RuntimeTrial(runtime, agreement(vectors, others), torch_seconds / seconds)
    if not trial.agreement.is_enough or trial.speedup < LEAST_SPEEDUP:
        raise RuntimeNotAvailable(f"{trial.sentence} That is not enough.")
    return trial


def _split_texts(texts: Sequence[str], runtime: RuntimeName) -> tuple[Sequence[str], Sequence[str]]:
    """Texts to measure on, and others to calibrate on if that is needed."""
    if len(texts) < LEAST_TRIED:
        raise RuntimeNotAvailable(f"{len(texts)} texts are too few to try {runtime} on.")
    if runtime != OPENVINO_INT8:
        return texts[:MOST_TRIED], ()
    n_measured = min(MOST_TRIED, max(len(texts) - MOST_CALIBRATED, len(texts) // 2))
    calibration = texts[n_measured : n_measured + MOST_CALIBRATED]
    if len(calibration) < LEAST_CALIBRATED:
        raise RuntimeNotAvailable(
            f"{runtime} is calibrated on {LEAST_CALIBRATED} texts or more, and tried on as many; "
            f"there are {len(texts)}."
        )
    return texts[:n_measured], calibration


def _time_encoding(encoder: Encoder, texts: Sequence[str]) -> tuple[float, Vectors]:
    """Processor seconds and vectors; what else runs on the machine hardly shows in the former."""
    began = time.process_time()
    vectors = encoder.encode(texts)
    return time.process_time() - began, vectors
