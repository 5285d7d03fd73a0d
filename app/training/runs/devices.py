"""What the workers compute on, as the last of them said when it started: one small file for pages.

Nothing depends on it. The page may run elsewhere, so it cannot look by itself.
"""

import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass

from app.files import replace_text
from app.settings import settings
from app.storage import data_subdir

GIGABYTE = 1024**3
SECONDS_TO_ASK = 10


@dataclass(frozen=True)
class Device:
    """A GPU or a processor; memory_gb is its own memory, or the machine's."""

    name: str
    memory_gb: float
    is_gpu: bool


def write_device() -> None:
    """Write down what this process will compute on."""
    try:
        path = data_subdir("workers") / "device.json"
        replace_text(path, json.dumps(asdict(_detect_device())))
    except OSError:
        return  # A full disk is told by whatever needs it.


def read_device() -> Device | None:
    """What the last worker wrote; None before the first."""
    try:
        return Device(**json.loads((data_subdir("workers") / "device.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _detect_device() -> Device:
    gpu = None if settings().device == "cpu" else _detect_gpu()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIGABYTE
    return gpu or Device(f"{len(os.sched_getaffinity(0))} processors", memory, is_gpu=False)


def _detect_gpu() -> Device | None:
    """The first NVIDIA GPU, asked without loading torch; None where there is none to ask."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(  # noqa: S603 - a fixed command, found in the path
            query, capture_output=True, text=True, timeout=SECONDS_TO_ASK, check=True
        )
        name, _, megabytes = output.stdout.splitlines()[0].rpartition(",")
        return Device(name.strip(), float(megabytes) / 1024, is_gpu=True)
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None
