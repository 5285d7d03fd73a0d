"""File downloads: always sent as attachments, never rendered on our origin."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from typing import BinaryIO

from fastapi.responses import Response, StreamingResponse

from app.errors import translate_disk_error
from app.exchange.exports.export import write_export
from app.models import ImportReject, Project
from app.records.filters import Filters
from app.storage import data_subdir
from app.web.csv_tables import attachment_headers, csv_response

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_BLOCK = 256 * 1024


def export_response(
    project: Project, format_: str, rows: str, query: Mapping[str, str], *, with_vectors: bool
) -> StreamingResponse:
    """Export the records that the query's filters match. Raises Invalid for these, and as
    write_export() does."""
    filters = Filters.from_query(query)

    def write(out: BinaryIO) -> None:
        write_export(project, out, format_, with_vectors=with_vectors, rows=rows, filters=filters)

    what = "vectors" if with_vectors else rows
    media_type = MEDIA_TYPES.get(format_, "")  # write() rejects unknown formats.
    return file_response(write, f"{project.slug}-{what}.{format_}", media_type)


def file_response(
    write: Callable[[BinaryIO], None], name: str, media_type: str
) -> StreamingResponse:
    """Return what `write` writes as a download named `name`.

    The file is first written whole to a temporary file: an error then becomes an error response
    instead of half a file, and a slow client holds no transaction open. Raises StorageFull.
    """
    buffer = TemporaryFile(dir=data_subdir("exports"))  # noqa: SIM115 - _blocks() closes it
    try:
        write(buffer)
        buffer.flush()
    except OSError as error:
        _close_quietly(buffer)
        raise translate_disk_error(error) from error
    except BaseException:
        _close_quietly(buffer)
        raise
    headers = attachment_headers(name) | {"Content-Length": _measure(buffer)}
    return StreamingResponse(_iterate_blocks(buffer), media_type=media_type, headers=headers)


def rejects_response(rejects: Sequence[ImportReject], import_id: int) -> Response:
    """Return the rejected rows as CSV: line, column, reason."""
    rows = ((reject.line, reject.column or "", reject.reason) for reject in rejects)
    return csv_response(f"rejects-{import_id}.csv", ["line", "column", "reason"], rows)


def _close_quietly(buffer: BinaryIO) -> None:
    # Closing flushes the buffer, which can fail on a full disk, too.
    with suppress(OSError):
        buffer.close()


def _measure(buffer: BinaryIO) -> str:
    size = buffer.seek(0, io.SEEK_END)
    buffer.seek(0)
    return str(size)


def _iterate_blocks(buffer: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of the file in blocks; close it at the end or when the client disconnects."""
    with buffer:
        while block := buffer.read(_BLOCK):
            yield block
