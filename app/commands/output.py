"""Output of commands: text or one JSON value, and one sentence on failure."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from app.errors import AppError, Unreachable, translate_disk_error, validation_message
from app.logging_setup import configure_logging

AsJson = typer.Option(False, "--json", help="Print one JSON value.")


def emit(data: Any, text: str, as_json: bool) -> None:
    """Print the data as JSON, or the message."""
    typer.echo(json.dumps(data, default=_to_json, ensure_ascii=False) if as_json else text)


def format_table(columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    """Rows under their columns, padded; a dash where there is nothing."""
    cells = [columns, *(tuple("–" if c is None else str(c) for c in row) for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


class CommandGroup(TyperGroup):
    """Ends every command that fails for a known reason with one sentence and status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. What nobody foresaw keeps its trace: it is our bug."""
        configure_logging(_choose_log_level())
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = _error_message(error)
            if sentence is None:
                raise
            sys.stdout.flush()
            typer.echo(sentence, err=True)
            raise typer.Exit(1) from error


def _choose_log_level() -> str:
    """Choose the level that was asked for; else a command says nothing but its result and what is
    wrong.

    A setting that cannot be read is the command's to complain of: --help needs none.
    """
    from app.settings import settings

    try:
        config = settings()
    except (ValueError, OSError):
        return "WARNING"
    return config.log_level if "log_level" in config.model_fields_set else "WARNING"


def _error_message(error: Exception) -> str | None:
    # Loaded here, when something failed already: both take longer than most commands.
    from pydantic import ValidationError
    from sqlalchemy.exc import DBAPIError

    from app.db.errors import clear_error

    if isinstance(error, DBAPIError):
        error = clear_error(error)
    if isinstance(error, OSError):
        error = translate_disk_error(error)
    if isinstance(error, Unreachable):
        return f"The database could not be used: {error.reason}."
    if isinstance(error, AppError):
        return error.sentence
    if isinstance(error, DBAPIError):
        reason = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        return f"The database could not be used: {reason[0]}."
    if isinstance(error, ValidationError):
        return validation_message(error.errors())
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}."
    return str(error) if isinstance(error, ValueError) else None


def _to_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
