"""Reading a file that a stranger made, in a process that may use little memory and time.

Run as `python -m app.exchange.child`; it writes JSON to its standard output and ends with code 3
and a sentence on standard error where the file cannot be read.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, Any

from app.exchange.formats import rows, sniff
from app.exchange.parquet_rows import n_parquet_rows
from app.exchange.reading import Reject, Row, Source, Unreadable

ROOT = Path(__file__).resolve().parents[2]
MEMORY_BYTES = 1536 * 1024**2
CPU_SECONDS = {"preview": 20, "rows": 900, "count": 20}
_REFUSED = 3
# A cell of the preview is cut here: a page of 1 MB texts helps nobody.
SHOWN = 500


def preview_in_child(path: Path, name: str, encoding: str, delimiter: str, n: int) -> Any:
    """{"source", "rows", "rejects"} of the file's first n rows. Raises Unreadable."""
    arguments = ["preview", str(path), name, encoding, delimiter, str(n)]
    with _child(arguments) as output:
        said = output.read()
    return json.loads(said)


def count_in_child(path: Path) -> int:
    """Number of rows of a Parquet file. Raises Unreadable."""
    with _child(["count", str(path)]) as output:
        said = output.read()
    return int(said)


def rows_in_child(path: Path, start: int) -> Iterator[Row | Reject]:
    """The rows of a Parquet file from number `start` on. Raises Unreadable."""
    with _child(["rows", str(path), str(start)]) as output:
        for line in output:
            if line.endswith("\n"):  # Else the child died in the middle of it, as we shall see.
                number, cells = json.loads(line)
                yield Row(number, cells)


@contextmanager
def _child(arguments: list[str]) -> Iterator[IO[str]]:
    command = [sys.executable, "-m", "app.exchange.child", *arguments]
    # One thread and the plain allocator: others reserve address space that would count.
    small = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1",
             "OPENBLAS_NUM_THREADS": "1", "ARROW_IO_THREADS": "1", "PYTHONUTF8": "1"}  # fmt: skip
    with subprocess.Popen(  # noqa: S603 - our own module, and no shell
        command, cwd=ROOT, env=os.environ | small, text=True, encoding="utf-8",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        complaint = process.stderr.read()
        if process.wait():
            raise Unreadable(_sentence(process.returncode, complaint))


def _sentence(code: int, complaint: str) -> str:
    if code == _REFUSED:
        return complaint.strip()
    return "The file needs more memory or time to be read than it may have. Split it."


def _limit(task: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS[task], CPU_SECONDS[task]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _preview(path: Path, name: str, encoding: str, delimiter: str, n: int) -> dict[str, Any]:
    source = sniff(path, name, encoding=encoding, delimiter=delimiter)
    seen = list(islice(rows(path, source), n))
    return {
        "source": source.as_json(),
        "rows": [_shown(row) for row in seen if isinstance(row, Row)],
        "rejects": [asdict(row) for row in seen if isinstance(row, Reject)],
    }


def _shown(row: Row) -> dict[str, Any]:
    texts = {name: value if isinstance(value, str) else json.dumps(value)
             for name, value in row.cells.items() if value is not None}  # fmt: skip
    return {"line": row.line, "cells": {name: _cut(text) for name, text in texts.items()}}


def _cut(text: str) -> str:
    short = text[:SHOWN] + ("…" if len(text) > SHOWN else "")
    return short.encode("utf-8", "replace").decode()


def main(task: str, path: Path, *rest: str) -> None:
    """Carry out one task under its limits and write the answer."""
    _limit(task)
    if task == "preview":
        name, encoding, delimiter, n = rest
        json.dump(_preview(path, name, encoding, delimiter, int(n)), sys.stdout)
    elif task == "count":
        json.dump(n_parquet_rows(path), sys.stdout)
    else:
        for row in rows(path, Source("parquet"), int(rest[0])):
            assert isinstance(row, Row)
            sys.stdout.write(json.dumps((row.line, row.cells)) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
        sys.stdout.flush()
    except Unreadable as refused:
        sys.stderr.write(refused.sentence)
        sys.exit(_REFUSED)
