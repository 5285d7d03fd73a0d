"""Where the compiled code of the map's layout is kept, so that it is compiled once."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app.storage import data_subdir


def configure_numba_cache() -> None:
    """Numba keeps what it compiled beside the package, or in the folder that NUMBA_CACHE_DIR names.
    Where that is read-only it would refuse to begin: then it is kept in the data folder, which
    begins with what the folder named holds."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    if os.access(named or Path(np.__file__).parents[1], os.W_OK):
        return
    own = data_subdir("maps") / "compiled"
    if named and Path(named).is_dir() and not own.exists():
        _copy_atomically(Path(named), own)
    os.environ["NUMBA_CACHE_DIR"] = str(own)


def _copy_atomically(source: Path, target: Path) -> None:
    """All of it or nothing, whoever else does the same."""
    with TemporaryDirectory(dir=target.parent) as beside:
        copied = shutil.copytree(source, Path(beside) / "copied")
        with suppress(OSError):  # Another worker was quicker.
            copied.rename(target)
