"""The three doors, and the one sentence that each says when something goes wrong."""

import html
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response
from typer.testing import CliRunner

from app.cli import app
from tests.conftest import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
API = "/api/v1/projects/letters"
PAGES = "/projects/letters"


def shown(answer: Response, status: int) -> str:
    """The one sentence of a page that went wrong."""
    assert answer.status_code == status, answer.text
    assert "Traceback" not in answer.text
    found = re.findall(r'<h1 class="error-sentence">(.*?)</h1>', answer.text, re.DOTALL)
    assert len(found) == 1, answer.text
    return html.unescape(found[0].strip())


def told(answer: Response, status: int) -> str:
    """The one sentence that a program is told."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    return str(answer.json()["title"])


def in_shell(*words: str) -> str:
    """The one sentence with which a command fails."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    return one_line(result.stderr)


def one_line(stderr: str) -> str:
    assert len(stderr.strip().splitlines()) == 1, stderr
    assert "Traceback" not in stderr
    return stderr.strip()


def upload(client: TestClient, to: str, content: bytes, **query: Any) -> Response:
    files = {"file": ("file.csv", io.BytesIO(content))}
    return client.post(f"{to}/imports", files=files, params=query)


def saying(record_id: int, key: str) -> dict[str, Any]:
    return {"key": key, "votes": [{"record_id": record_id, "verdict": "none"}]}


def in_child(
    *words: str, beforehand: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own; `beforehand` is called in it first."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        preexec_fn=beforehand,
    )
