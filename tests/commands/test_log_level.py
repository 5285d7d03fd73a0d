"""LIKEWISE_LOG_LEVEL says what a process logs, whichever module or library it comes from."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from app.logging_setup import configure_logging

pytestmark = pytest.mark.once

LIBRARIES = ("uvicorn.error", "dbos", "sentence_transformers")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    # A server that an earlier test ran within this process has set up its own loggers.
    for name in ("uvicorn", *LIBRARIES):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
    logging.getLogger("alembic.runtime.migration").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    output = capsys.readouterr()
    assert output.out == ""
    return [json.loads(line) for line in output.err.splitlines()]


@pytest.mark.parametrize(
    ("level", "levels"),
    [("DEBUG", ["debug", "info", "error"]), ("INFO", ["info", "error"]), ("ERROR", ["error"])],
)
def test_less_grave_lines_of_every_module_are_left_out(
    level: str, levels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level)
    own = structlog.get_logger()

    for name in ("debug", "info", "error"):
        getattr(own, name)(name, project_id=3)
        for library in LIBRARIES:
            getattr(logging.getLogger(library), name)("%s", name)

    lines = logged(capsys)
    for logger in (__name__, *LIBRARIES):
        of_logger = [line for line in lines if line["logger"] == logger]
        assert [line["event"] for line in of_logger] == levels
        assert [line["level"] for line in of_logger] == levels
        for line in of_logger:
            assert datetime.fromisoformat(line["time"]).utcoffset() is not None
    assert {line.get("project_id") for line in lines if line["logger"] == __name__} == {3}


def test_statements_are_logged_at_debug_alone_and_rows_never(
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = logging.getLogger("sqlalchemy.engine.Engine")
    seen = {}
    for level in ("DEBUG", "INFO", "WARNING"):
        configure_logging(level)
        engine.debug("row")
        engine.info("statement")
        engine.warning("trouble")
        seen[level] = [line["event"] for line in logged(capsys)]

    assert seen == {
        "DEBUG": ["statement", "trouble"],
        "INFO": ["trouble"],
        "WARNING": ["trouble"],
    }


def test_an_error_is_one_line_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    try:
        raise ValueError("no such thing")
    except ValueError:
        structlog.get_logger().exception("own", path="a\nb")
        logging.getLogger("library").exception("theirs")

    own, theirs = logged(capsys)
    assert (own["event"], own["path"], theirs["event"]) == ("own", "a\nb", "theirs")
    for line in (own, theirs):
        assert line["exception"].endswith("ValueError: no such thing")


def test_configured_twice_a_line_is_still_one(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    configure_logging("INFO")
    logging.getLogger("library").info("once")

    assert [line["event"] for line in logged(capsys)] == ["once"]
