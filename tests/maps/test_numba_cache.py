"""Compiled code is kept where it can be written, and begins with what was shipped."""

import os
from pathlib import Path

import pytest

from app.maps.numba_cache import configure_numba_cache
from app.settings import settings


def test_compiled_code_is_cached_where_packages_are_read_only(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "put back after the test")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    own = settings().data_dir / "maps" / "compiled"
    shipped = tmp_path / "shipped"
    (shipped / "pacmap_1").mkdir(parents=True)
    (shipped / "pacmap_1" / "kernel.nbc").write_bytes(b"code")

    configure_numba_cache()
    before = os.environ.get("NUMBA_CACHE_DIR")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    configure_numba_cache()
    beside_the_data = os.environ["NUMBA_CACHE_DIR"]
    for _ in range(2):
        os.environ["NUMBA_CACHE_DIR"] = str(shipped)
        configure_numba_cache()

    assert before is None
    assert beside_the_data == os.environ["NUMBA_CACHE_DIR"] == str(own)
    assert (own / "pacmap_1" / "kernel.nbc").read_bytes() == b"code"
    assert [each.name for each in own.parent.iterdir()] == ["compiled"]
