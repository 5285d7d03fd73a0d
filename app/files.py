"""Atomic file operations."""

import os
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Replace what the file holds at once, so that a reader never sees half of it. After a power
    cut it may be lost: nothing depends on it."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)


def sync(path: Path) -> None:
    """Have the disk hold this file or folder before we go on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
