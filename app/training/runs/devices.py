"""The device of the workers, as the last of them reported when it started.

The web process may run on another machine, so it cannot detect the device.
"""

import os
import shutil
import subprocess
from dataclasses import asdict, dataclass

from app.jobs import status
from app.jobs.status import StatusKind
from app.settings import settings
from app.web.wording import format_count

GIGABYTE = 1024**3
SECONDS_TO_ASK = 10


@dataclass(frozen=True)
class Device:
    """A GPU or CPU; memory_gb is its own memory, or the machine's."""

    name: str
    memory_gb: float
    is_gpu: bool


def write_device() -> None:
    """Report the device of this process."""
    status.write_status(StatusKind.DEVICE, 0, asdict(_detect_device()))


def read_device() -> Device | None:
    """Return what the last worker reported; None before the first."""
    report = status.read_status(StatusKind.DEVICE, 0)
    return None if report is None else Device(**report.payload)


def _detect_device() -> Device:
    gpu = None if settings().device == "cpu" else _detect_gpu()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIGABYTE
    return gpu or Device(
        format_count(len(os.sched_getaffinity(0)), "CPU core"), memory, is_gpu=False
    )


def _detect_gpu() -> Device | None:
    """Return the first NVIDIA GPU without loading torch; None without one."""
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
