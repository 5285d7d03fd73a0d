"""The log of a process: one format on stderr for our own lines and those of every library.

Decision: lines go to stderr, so that a command's JSON stays alone on stdout. They are JSON unless a
person reads them on a terminal.
"""

import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

# The ASGI scope of the request that is being answered. The router adds to it, in place.
request_scope: ContextVar[Mapping[str, Any] | None] = ContextVar("request_scope", default=None)
# What a line of the standard library may carry besides its message.
_EXTRA_FIELDS = ("method", "route", "status", "seconds")
# At INFO SQLAlchemy would log every statement, and at DEBUG every row that it reads, texts and
# password hashes among them. The others log every few bytes at DEBUG.
_LEAST_LEVELS = {
    "sqlalchemy": {"DEBUG": "INFO", "INFO": "WARNING"},
    "python_multipart": {"DEBUG": "INFO"},
    "numba": {"DEBUG": "INFO"},
    # They tell at INFO which build of theirs was loaded, and that there was nothing to migrate.
    "faiss": {"INFO": "WARNING"},
    "alembic": {"INFO": "WARNING"},
}


def configure_logging(level: str) -> None:
    """Log what is at least as grave as `level`, of every module. Safe to call again."""
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_fields,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _StderrHandler()
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.ExtraAdder(_EXTRA_FIELDS)],
            processors=[ProcessorFormatter.remove_processors_meta, *_list_renderers()],
        )
    )
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, least in _LEAST_LEVELS.items():
        logging.getLogger(name).setLevel(least.get(level, level))


def _list_renderers() -> list[Processor]:
    if sys.stderr.isatty():
        return [structlog.dev.ConsoleRenderer(timestamp_key="time")]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _add_request_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    scope = request_scope.get()
    if scope is not None:
        event["request_id"] = scope["request_id"]
        slug = scope.get("path_params", {}).get("slug")
        if slug is not None:
            event["project"] = slug
    return event


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what sys.stderr is at that moment: whoever captures it may change it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self.stream = sys.stderr
        super().emit(record)
