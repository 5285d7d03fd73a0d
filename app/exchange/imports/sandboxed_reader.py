"""Read untrusted files in a child process with limits on memory and time.

Run as `python -m app.exchange.imports.sandboxed_reader`; it writes JSON to its standard output
and ends with code 3
and a sentence on standard error where the file cannot be read.
"""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from app.exchange.imports.encodings import is_text_encoding
from app.exchange.imports.formats import detect_format, read_rows
from app.exchange.imports.parquet_rows import check_size, count_parquet_rows
from app.exchange.imports.parsed_rows import Reject, Row, Source, Unreadable

if TYPE_CHECKING:
    from app.exchange.imports.repeats import Repeats

ROOT = Path(__file__).resolve().parents[3]
MEMORY_BYTES = 1536 * 1024**2
CPU_SECONDS = {"preview": 30, "rows": 900, "count": 60}
# Interval at which a waiting reader checks for cancellation.
LOOK_SECONDS = 0.5
# A preview stops searching for contradictory rows after this time; the import checks all.
SEARCH_CPU_SECONDS = 10.0
_UNREADABLE_EXIT_CODE = 3
# A cell of the preview is cut here: a page of 1 MB texts helps nobody.
SHOWN = 500


IsCancelled = Callable[[], bool]


def preview_in_child(
    path: Path,
    name: str,
    encoding: str,
    delimiter: str,
    n: int,
    *,
    is_multi_label: bool = False,
    n_searched: int = 0,
    is_cancelled: IsCancelled | None = None,
) -> Any:
    """{"source", "rows", "rejects", "warnings", "fault", "is_empty"} of the file's first n rows.

    n_searched  so many rows are read as records by the suggested mapping: `warnings` tell which
                do not agree with each other, and `fault` is the first reject of a file that was
                read whole and holds no record; `is_empty`: it has no rows
    Raises Unreadable, also for an encoding or a delimiter that cannot be one.
    """
    if encoding and not is_text_encoding(encoding):
        shown = encoding[:40].encode("ascii", "replace").decode()
        raise Unreadable(f"Unknown encoding: {shown!r}.")
    if delimiter == '"' or (delimiter not in {"", "\t"} and not delimiter.isprintable()):
        raise Unreadable("This character cannot be used as a delimiter.")
    arguments = [
        "preview",
        str(path.resolve()),
        name,
        encoding,
        delimiter,
        str(n),
        "multi" if is_multi_label else "single",
        str(n_searched),
    ]
    with _child(arguments, is_cancelled) as output:
        reply = output.read()
    return json.loads(reply)


def count_in_child(path: Path, most: int, is_cancelled: IsCancelled | None = None) -> int:
    """Count the rows of a Parquet file. Raises Unreadable.

    A file of no more than `most` rows is decoded once, to see that it does not unpack to too much.
    """
    with _child(["count", str(path.resolve()), str(most)], is_cancelled) as output:
        reply = output.read()
    return int(reply or 0)


def rows_in_child(
    path: Path, start: int, is_cancelled: IsCancelled | None = None
) -> Iterator[Row | Reject]:
    """Return the rows of a Parquet file from number `start` on. Raises Unreadable."""
    with _child(["rows", str(path.resolve()), str(start)], is_cancelled) as output:
        for line in output:
            if line.endswith("\n"):  # Else the child died in the middle of it, as we shall see.
                number, cells = json.loads(line)
                yield Row(number, cells)


@contextmanager
def _child(arguments: list[str], is_cancelled: IsCancelled | None = None) -> Iterator[IO[str]]:
    command = [sys.executable, "-m", "app.exchange.imports.sandboxed_reader", *arguments]
    # One thread and the plain allocator: others reserve address space that would count.
    small = {
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_IO_THREADS": "1",
        "PYTHONUTF8": "1",
    }
    with subprocess.Popen(  # noqa: S603 - our own module, and no shell
        command,
        cwd=ROOT,
        env=os.environ | small,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            with _kill_when(is_cancelled, process):
                yield process.stdout
                complaint = process.stderr.read()
        except BaseException:
            process.kill()
            raise
        if process.wait():
            raise Unreadable(_error_message(process.returncode, complaint))


@contextmanager
def _kill_when(
    is_cancelled: IsCancelled | None, process: "subprocess.Popen[str]"
) -> Iterator[None]:
    """Whoever reads from the child waits for it, so that another thread has to look."""
    if is_cancelled is None:
        yield
        return
    is_done = threading.Event()

    def look() -> None:
        while not is_done.wait(LOOK_SECONDS):
            if is_cancelled():
                process.kill()
                return

    looking = threading.Thread(target=look, name="cancellation", daemon=True)
    looking.start()
    try:
        yield
    finally:
        is_done.set()
        looking.join()


def _error_message(code: int, complaint: str) -> str:
    if code == _UNREADABLE_EXIT_CODE:
        return complaint.strip()
    return "Reading the file exceeded the memory or time limit. Split it into smaller files."


def _limit_resources(task: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS[task], CPU_SECONDS[task]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _preview(
    path: Path, name: str, encoding: str, delimiter: str, n: int, kind: str, n_searched: int
) -> dict[str, Any]:
    source = detect_format(path, name, encoding=encoding, delimiter=delimiter)
    following = read_rows(path, source)
    seen = list(islice(following, n))
    shown = [_row_as_json(row) for row in seen if isinstance(row, Row)]
    reply = {
        "source": source.as_json(),
        "rows": shown,
        "rejects": [asdict(row) for row in seen if isinstance(row, Reject)],
    }
    if not n_searched or not source.columns:
        return reply | {"warnings": [], "fault": None, "is_empty": False}
    searched = islice(chain(seen, following), n_searched)
    found = _search(source, shown, searched, is_multi_label=kind == "multi")
    is_whole = next(following, None) is None
    fault = asdict(found.first_reject) if found.first_reject else None
    return reply | {
        "warnings": found.warnings,
        "fault": fault if is_whole and not found.n_records else None,
        "is_empty": is_whole and not found.n_rows,
    }


def _search(
    source: Source,
    shown: list[dict[str, Any]],
    searched: Iterable[Row | Reject],
    *,
    is_multi_label: bool,
) -> "Repeats":
    # Imported here because a preview without a search does not need them.
    from app.exchange.imports.mapping import suggest_mapping
    from app.exchange.imports.repeats import Repeats, read_items

    cells = [row["cells"] for row in shown]
    mapping = suggest_mapping(source.columns, cells, is_multi_label=is_multi_label)
    found = Repeats(mapping)
    latest = time.process_time() + SEARCH_CPU_SECONDS
    for line, item in read_items(searched, mapping, is_multi_label=is_multi_label):
        found.add(line, item)
        if time.process_time() > latest:
            break
    found.close()
    return found


def _row_as_json(row: Row) -> dict[str, Any]:
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in row.cells.items()
        if value is not None
    }
    return {"line": row.line, "cells": {name: _shorten(text) for name, text in texts.items()}}


def _shorten(text: str) -> str:
    short = text[:SHOWN] + ("…" if len(text) > SHOWN else "")
    return short.encode("utf-8", "replace").decode()


def main(task: str, path: Path, *rest: str) -> None:
    """Run one task under its limits and write the result."""
    _limit_resources(task)
    if task == "preview":
        name, encoding, delimiter, n, kind, n_searched = rest
        reply = _preview(path, name, encoding, delimiter, int(n), kind, int(n_searched))
        json.dump(reply, sys.stdout)
    elif task == "count":
        n_rows = count_parquet_rows(path)
        if n_rows <= int(rest[0]):
            check_size(path)
        json.dump(n_rows, sys.stdout)
    else:
        for row in read_rows(path, Source("parquet"), int(rest[0])):
            assert isinstance(row, Row)
            sys.stdout.write(json.dumps((row.line, row.cells)) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
        sys.stdout.flush()
    except Unreadable as refused:
        sys.stderr.write(refused.sentence)
        sys.exit(_UNREADABLE_EXIT_CODE)
