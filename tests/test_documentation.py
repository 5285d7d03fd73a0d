"""README and docs: links resolve, and the commands and options they name exist."""

import re
from pathlib import Path

import pytest
import typer

from app.cli import app
from app.settings import Settings

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
COMMAND = re.compile(r"(?<![\w/@-])(?:\.venv/bin/)?likewise ([a-z][^\n`#]*)")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def find_broken_links(page: Path) -> list[str]:
    broken = []
    for match in LINK.finditer(FENCE.sub("", page.read_text())):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


def find_unknown_words(line: str) -> list[str]:
    """The command or the options of a command line that the CLI does not have."""
    command = typer.main.get_command(app)
    words = line.split()
    while isinstance(command, typer.core.TyperGroup) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    if isinstance(command, typer.core.TyperGroup) and (not words or words[0] != "--help"):
        return [line]
    known = {"--help", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}
    return [word for word in re.findall(r"(?<!\S)--[a-z-]+", line) if word not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_resolves(page: Path) -> None:
    assert find_broken_links(page) == []


def test_the_readme_has_at_most_1000_words() -> None:
    assert len(FENCE.sub("", README.read_text()).split()) <= 1000


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()

    assert [p.name for p in PAGES[1:] if p.name != "index.md" and f"({p.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_named_command_and_setting_exists(page: Path) -> None:
    text = page.read_text()
    code = "\n".join([*FENCE.findall(text), *re.findall(r"`([^`]+)`", FENCE.sub("", text))])
    settings = {f"LIKEWISE_{name.upper()}" for name in Settings.model_fields}

    assert [unknown for line in COMMAND.findall(code) for unknown in find_unknown_words(line)] == []
    assert set(re.findall(r"LIKEWISE_[A-Z_]+", text)) - settings == set()
