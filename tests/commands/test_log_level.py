"""LIKEWISE_LOG_LEVEL says what a server and a worker tell."""

import pytest
import structlog

from app.commands.serve import configure_logging
from app.settings import settings

pytestmark = pytest.mark.once


@pytest.mark.parametrize(("level", "told"), [("INFO", ["plain", "grave"]), ("ERROR", ["grave"])])
def test_what_is_less_grave_is_not_told(
    level: str, told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIKEWISE_LOG_LEVEL", level)
    settings.cache_clear()

    configure_logging()
    log = structlog.get_logger()
    log.debug("hidden")
    log.info("plain")
    log.error("grave")

    lines = capsys.readouterr().out.splitlines()
    structlog.reset_defaults()
    settings.cache_clear()
    assert [word for line in lines for word in ("hidden", "plain", "grave") if word in line] == told
