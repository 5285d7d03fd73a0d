"""Where the files lie that belong to the code and are not Python's: one rule for all of them."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """Return the folder "templates", "static" or "migrations": in the package of an installed
    wheel, or beside the package in a checkout."""
    packed = _PACKAGE / "_data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name
