"""Tables as CSV downloads: UTF-8, RFC 4180, and nothing in them that a spreadsheet would run."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from starlette.responses import Response

# What a spreadsheet would run, alone or after the apostrophes that an export puts before it.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def escape_formula(text: str) -> str:
    """Return the text as a spreadsheet shows and does not run it; exchange.imports.csv_rows undoes
    it."""
    return f"'{text}" if _FORMULA.match(text) else text


def csv_response(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[str | float | None]]
) -> Response:
    """Return a small table as a download called `name`; None is an empty cell."""
    text = io.StringIO()
    # CRLF, as RFC 4180 says; with "\n" alone Python would leave a bare "\r" in a cell unquoted.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return Response(
        text.getvalue(), media_type="text/csv; charset=utf-8", headers=attachment_headers(name)
    )


def attachment_headers(name: str) -> dict[str, str]:
    """Headers of a file that is kept, never shown in our pages' name."""
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }


def _cell(value: str | float | None) -> str | float | None:
    return escape_formula(value) if isinstance(value, str) else value
