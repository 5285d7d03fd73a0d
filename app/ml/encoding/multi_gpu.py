"""Several copies of an encoder that share the work: one for each GPU of the machine."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from app.ml.encoding.encoder import Encoder, load_encoder
from app.ml.vectors import Vectors


class MultiGpuEncoder:
    """Encoders of the same weights; each reads its part of the texts at the same time."""

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        self._encoders = encoders
        self.name = encoders[0].name
        self.dimension = encoders[0].dimension

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See Encoder. Texts are dealt out by length, so that all parts take about as long."""
        n = len(self._encoders)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        parts = [order[i::n] for i in range(n)]
        vectors = np.empty((len(texts), self.dimension), np.float32)
        # Threads suffice: torch lets go of the interpreter's lock while a GPU computes.
        with ThreadPoolExecutor(n) as pool:
            answers = pool.map(
                lambda encoder, part: encoder.encode([texts[i] for i in part]),
                self._encoders,
                parts,
            )
            for part, answer in zip(parts, answers, strict=True):
                vectors[part] = answer
        return vectors


def load_on_all_gpus(
    base_model: str, device: str = "auto", *, allow_downloads: bool = False
) -> Encoder:
    """load_encoder(), on every GPU of this machine if there are several and none was named."""
    n_gpus = count_gpus() if device in {"auto", "cuda"} else 0
    if n_gpus < 2:
        return load_encoder(base_model, device, allow_downloads=allow_downloads)
    return MultiGpuEncoder(
        [
            load_encoder(base_model, f"cuda:{i}", allow_downloads=allow_downloads)
            for i in range(n_gpus)
        ]
    )


def count_gpus() -> int:
    """How many CUDA devices this machine has. Loads torch."""
    # Loaded here: pages import what imports this, and must not pay for torch.
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
