"""CONTRIBUTING.md names only what exists."""

import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
PYTEST = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
SOURCE = "\n".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
CODE = re.findall(r"`([^`\n]+)`", GUIDE)


def test_every_file_it_names_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", GUIDE)
    paths = [each for each in CODE if re.fullmatch(r"(app|docs|tests|templates)/[\w./]+", each)]

    assert len(paths) > 10
    assert [each for each in {*links, *paths} if not (ROOT / each).exists()] == []


def test_every_function_class_and_constant_it_names_exists() -> None:
    functions = {each[:-2].split(".")[-1] for each in CODE if re.fullmatch(r"[\w.]+\(\)", each)}
    classes = {each for each in CODE if re.fullmatch(r"[A-Z][a-z]+[A-Z]\w+", each)}
    constants = {each for each in CODE if re.fullmatch(r"_?[A-Z]+(_[A-Z]+)+", each)} - {
        "TEST_DATABASE_URL"
    }

    assert functions
    assert classes
    assert constants
    assert [each for each in functions if f"def {each}(" not in SOURCE] == []
    assert [each for each in classes if f"class {each}" not in SOURCE] == []
    assert [
        each for each in constants if not re.search(rf"^{each}\b.*=", SOURCE, re.MULTILINE)
    ] == []


def test_every_command_of_make_exists() -> None:
    targets = set(re.findall(r"\bmake ([a-z-]+)", GUIDE))

    assert targets >= {"run", "check", "test"}
    assert [each for each in targets if f"\n{each}:" not in MAKEFILE] == []


def test_every_marker_is_explained() -> None:
    markers = [each.split(":")[0] for each in PYTEST["markers"]]

    assert re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE) == markers
